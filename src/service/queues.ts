/** Queues, to look at. */

import { checkOptions, is, type Rules } from '../check.js';
import { STATUSES, type Status, WAITING } from '../job/job-status.js';
import { namesOf } from '../task/definition-of.js';
import type { TaskLike } from '../task/task.js';
import type { Job } from './job.js';
import { type JobAccess, see } from './job-access.js';
import { handleOf } from './job-handle.js';

/** Which jobs; everything given must hold. */
export interface JobFilter {
  readonly statuses?: readonly Status[] | undefined;
  readonly task?: TaskLike | undefined;
  /** At most so many. @default 1_000 */
  readonly limit?: number | undefined;
}

export const JOB_FILTER_DEFAULTS = Object.freeze({ limit: 1_000 } as const satisfies JobFilter);

const RULES: Rules<JobFilter> = {
  statuses: {
    must: `an array of ${Object.keys(STATUSES).join(', ')}`,
    holds: (value) => Array.isArray(value) && value.every((status) => Object.hasOwn(STATUSES, String(status))),
  },
  task: is.anything,
  limit: is.count,
};

/** A named line of jobs. */
export interface Queue {
  readonly name: string;
  /** How many jobs wait in it: pending, scheduled and blocked ones. */
  size(): Promise<number>;
  /** Its jobs in the order of their insertion. @throws OptionError */
  jobs(filter?: JobFilter): Promise<readonly Job<unknown>[]>;
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

  async jobs(filter: JobFilter = {}): Promise<readonly Job<unknown>[]> {
    checkOptions<JobFilter>('the filter of `jobs`', filter, RULES);
    const { store } = this.access;
    const taskNames = filter.task === undefined ? undefined : namesOf(filter.task);
    const limit = filter.limit ?? JOB_FILTER_DEFAULTS.limit;
    const records = await store.find({ queue: this.name, statuses: filter.statuses, taskNames, limit });
    return Promise.all(records.map(async (record) => handleOf(this.access, await see(record, store))));
  }
}
