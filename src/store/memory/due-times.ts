/** Due times in order: of scheduled jobs, and of jobs that must have started by then. */

import TinyQueue from 'tinyqueue';
import type { JobRecord } from '../../job/job-record.js';

interface Entry {
  readonly atMs: number;
  readonly id: string;
}

const byTime = (one: Entry, other: Entry): number => one.atMs - other.atMs || (one.id < other.id ? -1 : 1);

/** The number of entries from which those of jobs that no longer wait are removed. */
const FEW_ENTRIES = 1_024;

/** Times of jobs, earliest first; an entry is only a hint to look at the job. */
class Times {
  #entries = new TinyQueue<Entry>([], byTime);
  #maxEntries = FEW_ENTRIES;

  /** @param waits - tells whether the job of an entry still waits for its time */
  constructor(private readonly waits: (entry: Entry) => boolean) {}

  add(at: Date, id: string): void {
    this.#entries.push({ atMs: at.getTime(), id });
    if (this.#entries.length > this.#maxEntries) this.#compact();
  }

  /** Takes out the ids whose time has come. */
  *due(nowMs: number): Generator<string> {
    for (let first = this.#entries.peek(); first !== undefined && first.atMs <= nowMs; first = this.#entries.peek()) {
      this.#entries.pop();
      yield first.id;
    }
  }

  /** The earliest time whose job still waits for it. */
  next(): number | undefined {
    for (let first = this.#entries.peek(); first !== undefined; first = this.#entries.peek()) {
      if (this.waits(first)) return first.atMs;
      this.#entries.pop();
    }
    return undefined;
  }

  #compact(): void {
    this.#entries = new TinyQueue(this.#entries.data.filter(this.waits), byTime);
    this.#maxEntries = Math.max(FEW_ENTRIES, 2 * this.#entries.length);
  }
}

export class DueTimes {
  readonly #starts = new Times(({ id, atMs }) => this.find(id)?.state.dueAt?.getTime() === atMs);
  readonly #deadlines = new Times(({ id }) => {
    const record = this.find(id);
    return record !== undefined && mayExpire(record);
  });

  constructor(private readonly find: (id: string) => JobRecord | undefined) {}

  /** Notes the due time of a scheduled job. */
  schedule({ job, state }: JobRecord): void {
    if (state.dueAt !== undefined) this.#starts.add(state.dueAt, job.id);
  }

  /** Notes by when a job must have started. */
  limit({ job }: JobRecord): void {
    if (job.beginBy !== undefined) this.#deadlines.add(job.beginBy, job.id);
  }

  /** Scheduled jobs whose time has come, in the order of their times. */
  *toPromote(nowMs: number): Generator<JobRecord> {
    for (const id of this.#starts.due(nowMs)) {
      const record = this.find(id);
      if (record?.state.status === 'scheduled' && (record.state.dueAt?.getTime() ?? 0) <= nowMs) yield record;
    }
  }

  /** Jobs that should have started by now and have not. */
  *toExpire(nowMs: number): Generator<JobRecord> {
    for (const id of this.#deadlines.due(nowMs)) {
      const record = this.find(id);
      if (record !== undefined && mayExpire(record)) yield record;
    }
  }

  /** When something will be due next. */
  next(): Date | undefined {
    const [start, deadline] = [this.#starts.next(), this.#deadlines.next()];
    const earliest = Math.min(start ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(earliest) ? new Date(earliest) : undefined;
  }
}

/** A job that has begun once expires no more. */
function mayExpire({ state }: JobRecord): boolean {
  return state.attempts === 0 && (state.status === 'scheduled' || state.status === 'blocked' || state.status === 'pending');
}
