/** Jobs claimed ahead: they wait here for a place in their quota, so that one follows another without asking the server. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { asPipeline, Computed } from './jobs.js';
import type { News } from './news.js';
import { inOrder } from './order.js';
import { attemptOf, type Running } from './running.js';
import type { ServerTime } from './server-time.js';

/** Before a job that was begun from here is recorded as begun, if its end has not been by then. */
const BEGIN_MS = 5;
/** What nobody has asked for for so long goes back, for others. */
const UNWANTED_MS = 1_000;
/** So often in a row must a quota have been the only obstacle before anything is claimed ahead. */
const HUNGRY_AFTER = 8;
const MAX_AHEAD = 256;

export interface AheadSources {
  readonly collections: Collections;
  readonly clock: Clock;
  readonly time: ServerTime;
  readonly running: Running;
  readonly news: News;
}

interface Buffer {
  jobs: JobDocument[];
  /** How often in a row jobs were left that only waited for a quota. */
  hunger: number;
  unwanted: Subscription | undefined;
}

export class Ahead {
  readonly #buffers = new Map<string, Buffer>();
  readonly #unbegun = new Map<string, JobDocument>();
  #beginning: Subscription | undefined;

  constructor(private readonly sources: AheadSources) {}

  /** In order; of the tasks that are asked for. */
  of(dispatcher: string, queue: string, tasks: ReadonlySet<string>): readonly JobDocument[] {
    const buffer = this.#buffers.get(dispatcher);
    if (buffer === undefined || buffer.jobs.length === 0) return [];
    this.#watchUnwanted(dispatcher, buffer);
    return buffer.jobs.filter((job) => job.queue === queue && tasks.has(job.task));
  }

  /** How many more may be claimed ahead, now that so many wait for nothing but a quota. */
  appetite(dispatcher: string, left: number): number {
    const buffer = this.#bufferOf(dispatcher);
    if (left === 0 || buffer.jobs.length > 0) return 0;
    buffer.hunger++;
    return buffer.hunger < HUNGRY_AFTER ? 0 : Math.min(MAX_AHEAD, 2 ** (buffer.hunger - HUNGRY_AFTER + 2), left);
  }

  add(dispatcher: string, jobs: readonly JobDocument[]): void {
    if (jobs.length === 0) return;
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = [...buffer.jobs, ...jobs].sort(inOrder);
    this.#watchUnwanted(dispatcher, buffer);
  }

  /** Begins a job that was claimed ahead. @returns it as it is once that is recorded */
  begin(dispatcher: string, job: JobDocument): JobDocument {
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = buffer.jobs.filter(({ _id }) => !_id.equals(job._id));
    const begun: JobDocument = { ...job, status: 'active', attempts: job.attempts + 1, startedAt: this.sources.time.estimate() };
    this.#unbegun.set(attemptOf(begun), begun);
    this.#beginning ??= timer(BEGIN_MS, this.sources.clock.scheduler).subscribe(() => {
      this.#beginning = undefined;
      this.sources.news.track(this.#recordBegun());
    });
    return begun;
  }

  /** Its end is being recorded, which records that it began as well. */
  ends(key: string): void {
    this.#unbegun.delete(key);
  }

  /** Has it recorded that an attempt began, if it was not yet. */
  async ensureBegun(key: string): Promise<void> {
    if (this.#unbegun.has(key)) await this.#recordBegun();
  }

  has(job: JobDocument): boolean {
    return [...this.#buffers.values()].some(({ jobs }) => jobs.some(({ _id }) => _id.equals(job._id)));
  }

  /** Takes a job out whose cancellation was asked for. @returns it, if it was here */
  drop(id: string): JobDocument | undefined {
    for (const buffer of this.#buffers.values()) {
      const found = buffer.jobs.find(({ _id }) => _id.toHexString() === id);
      if (found === undefined) continue;
      buffer.jobs = buffer.jobs.filter((job) => job !== found);
      return found;
    }
    return undefined;
  }

  /** Puts all of a dispatcher's back where they stood. */
  async handBack(dispatcher: string): Promise<void> {
    const buffer = this.#buffers.get(dispatcher);
    this.#buffers.delete(dispatcher);
    buffer?.unwanted?.unsubscribe();
    if (buffer === undefined || buffer.jobs.length === 0) return;
    const { collections, news } = this.sources;
    const ids = buffer.jobs.map(({ _id }) => _id);
    const back = asPipeline({ status: 'pending', owner: undefined, token: undefined, bell: new Computed('$lane') });
    await collections.jobs.updateMany(
      { _id: { $in: ids }, owner: dispatcher, status: 'assigned', cancel: { $exists: false } },
      [{ $set: back }],
      { hint: { _id: 1 } },
    );
    for (const lane of new Set(buffer.jobs.map((job) => job.lane))) news.found(lane);
  }

  async #recordBegun(): Promise<void> {
    const begun = [...this.#unbegun.values()].filter((job) => this.sources.running.has(job));
    this.#unbegun.clear();
    if (begun.length === 0) return;
    const { collections, time } = this.sources;
    const tokens = [...new Set(begun.map(({ token }) => token))];
    const written = asPipeline({
      status: 'active',
      startedAt: new Computed(time.now),
      attempts: new Computed({ $add: ['$attempts', 1] }),
      startBy: undefined,
    });
    await collections.jobs.updateMany(
      { _id: { $in: begun.map(({ _id }) => _id) }, token: { $in: tokens }, status: 'assigned' } as never,
      [{ $set: written }],
      { hint: { _id: 1 } },
    );
  }

  #watchUnwanted(dispatcher: string, buffer: Buffer): void {
    buffer.unwanted?.unsubscribe();
    buffer.unwanted = timer(UNWANTED_MS, this.sources.clock.scheduler).subscribe(() => this.sources.news.track(this.handBack(dispatcher)));
  }

  #bufferOf(dispatcher: string): Buffer {
    const buffer = this.#buffers.get(dispatcher) ?? { jobs: [], hunger: 0, unwanted: undefined };
    this.#buffers.set(dispatcher, buffer);
    return buffer;
  }
}
