/** Queues, to look at. */

import { WAITING } from '../job/job-status.js';
import type { Job } from './job.js';
import type { JobAccess } from './job-access.js';
import { type JobFilter, queryOf } from './job-filter.js';
import { handlesOf } from './job-handles.js';

/** A named line of jobs. */
export interface Queue {
  readonly name: string;
  /** How many jobs wait in it: pending, scheduled and blocked ones. */
  size(): Promise<number>;
  /** Its jobs in the order of their insertion. @throws OptionError */
  jobs(filter?: Omit<JobFilter, 'queue'>): Promise<readonly Job<unknown>[]>;
  /** The sizes of the quotas, in the order in which jobs may hold several; all queues share them. */
  readonly quotas: ReadonlyMap<string, number>;
}

/** Any queue by its name; iterating gives those that this process has queued to or serves. */
export interface Queues extends Iterable<Queue> {
  get(name: string): Queue;
}

export class StoreQueues implements Queues {
  readonly #known = new Set<string>(['']);

  constructor(private readonly access: JobAccess) {}

  /** Notes that a queue is used. */
  note(name: string): void {
    this.#known.add(name);
  }

  get(name: string): Queue {
    return new StoreQueue(name, this.access);
  }

  *[Symbol.iterator](): Iterator<Queue> {
    for (const name of [...this.#known]) yield this.get(name);
  }
}

class StoreQueue implements Queue {
  constructor(
    readonly name: string,
    private readonly access: JobAccess,
  ) {}

  get quotas(): ReadonlyMap<string, number> {
    return new Map(this.access.store.quotas);
  }

  size(): Promise<number> {
    return this.access.store.count({ queue: this.name, statuses: WAITING });
  }

  async jobs(filter: Omit<JobFilter, 'queue'> = {}): Promise<readonly Job<unknown>[]> {
    return handlesOf(this.access, await this.access.store.find({ ...queryOf('the filter of `jobs`', filter), queue: this.name }));
  }
}
