/** The jobs of the memory store, with every index kept true on each write. */

import { type Changes, firstState, type JobRecord, moved, type QueuedJob } from '../../job/job-record.js';
import type { MoveName, Status } from '../../job/job-status.js';
import { hasKey } from '../../job/unique-key-rule.js';
import { DueTimes } from './due-times.js';
import { FamilyIndex } from './family-index.js';
import { Lanes } from './lanes.js';
import { Notifier } from './notifier.js';

/** Orders are milliseconds in units of this fraction, so that jobs of one millisecond keep their order. */
const ORDERS_PER_MS = 4_096;

/** When a job was inserted, and its place in the order of insertion. */
export interface InsertionPoint {
  readonly now: Date;
  readonly order: number;
}

export class JobTable {
  readonly #records = new Map<string, JobRecord>();
  readonly #find = (id: string): JobRecord | undefined => this.#records.get(id);
  readonly lanes = new Lanes((record) => this.#records.get(record.job.id) === record);
  readonly dueTimes = new DueTimes(this.#find);
  readonly family = new FamilyIndex(this.#find);
  readonly notifier = new Notifier(this.#find);
  /** By unique key: the job that had it last. */
  readonly #keys = new Map<string, string>();
  #lastOrder = 0;

  get(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  all(): IterableIterator<JobRecord> {
    return this.#records.values();
  }

  /** The next place in the order: that of a job inserted now, also where it is seen later. */
  place(now: Date): InsertionPoint {
    this.#lastOrder = Math.max(this.#lastOrder + 1, now.getTime() * ORDERS_PER_MS);
    return { now, order: this.#lastOrder };
  }

  add(job: QueuedJob, at: InsertionPoint, blocked: boolean): JobRecord {
    const record: JobRecord = { job: { ...job }, state: firstState(job, at, blocked) };
    this.family.add(record);
    if (job.unique !== undefined) this.#keys.set(job.unique.key, job.id);
    this.#put(record);
    if (job.beginBy !== undefined) this.#limit(record, job.beginBy);
    return record;
  }

  /** Makes a move of the table of moves. */
  move({ job, state }: JobRecord, name: MoveName, status: Status, changes?: Changes): JobRecord {
    return this.#put({ job, state: moved(state, name, status, changes) });
  }

  /** Writes without a move: progress, a wish to cancel. */
  note({ job, state }: JobRecord, changes: Changes): JobRecord {
    return this.#put({ job, state: { ...state, ...changes } as JobRecord['state'] });
  }

  /** The job that has a unique key now. */
  holderOf(key: string, now: Date): JobRecord | undefined {
    const record = this.#records.get(this.#keys.get(key) ?? '');
    return record !== undefined && hasKey(record.job, record.state, now) ? record : undefined;
  }

  /** A debounced job that was put off. */
  replace(record: JobRecord): JobRecord {
    return this.#put(record);
  }

  /** Lets a callback become the one of its two sides that is needed. */
  become({ state }: JobRecord, job: QueuedJob): JobRecord {
    const record: JobRecord = { job, state };
    this.#records.set(job.id, record);
    if (job.beginBy !== undefined) this.#limit(record, job.beginBy);
    return record;
  }

  /** The order of a scheduled job once its time has come: as if it had been queued then. */
  orderAt(due: Date): number {
    return due.getTime() * ORDERS_PER_MS;
  }

  remove(id: string): void {
    const key = this.#records.get(id)?.job.unique?.key ?? '';
    if (this.#keys.get(key) === id) this.#keys.delete(key);
    this.#records.delete(id);
    this.family.forget(id);
  }

  #limit(record: JobRecord, beginBy: Date): void {
    this.dueTimes.limit(record);
    this.notifier.due(beginBy);
  }

  #put(record: JobRecord): JobRecord {
    const { job, state } = record;
    this.#records.set(job.id, record);
    if (state.status === 'pending') {
      if (job.beginBy !== undefined) this.#limit(record, job.beginBy);
      this.lanes.push(record);
      this.notifier.work(job.queue);
    } else if (state.status === 'scheduled') {
      this.dueTimes.schedule(record);
      this.notifier.due(state.dueAt ?? state.queuedAt);
    }
    this.notifier.changed(record);
    return record;
  }
}
