/** Jobs claimed ahead: they wait here for a place in their quota, so that one follows another without asking the server. */

import { Subject, type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import { asSetStage, ServerExpression } from '../jobs/job-collection.js';
import { HAND_BACK } from '../jobs/transition-updates.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import { byPriorityThenOrder } from './order.js';
import { attemptOf, type RunningAttempts } from './running-attempts.js';

/** Before a job that was begun from here is recorded as begun, if its end has not been by then. */
const BEGIN_MS = 5;
const RECORD_AGAIN_MS = 1_000;
/** What nobody has asked for for so long goes back, for others. */
const UNWANTED_MS = 1_000;
/** So often in a row must a quota have been the only obstacle before anything is claimed ahead. */
const HUNGRY_AFTER = 8;
const MAX_AHEAD = 256;

export interface LocalQueueSources {
  readonly collections: Collections;
  readonly clock: Clock;
  readonly time: ServerTime;
  readonly running: RunningAttempts;
  readonly notifier: Notifier;
  /** Ends a job that has not begun, whose cancellation was asked for. */
  readonly endCancelled: (job: JobDocument) => Promise<void>;
}

interface Buffer {
  jobs: JobDocument[];
  /** How often in a row jobs were left that only waited for a quota. */
  hunger: number;
  /** By queue: so long nobody has asked for it. */
  readonly unwanted: Map<string, Subscription>;
}

export class LocalQueue {
  readonly #buffers = new Map<string, Buffer>();
  /** Begun, but not recorded as begun. */
  readonly #unbegun = new Map<string, JobDocument>();
  /** Being handed back: whether they still are the dispatcher's, nobody knows. */
  readonly #returning = new Map<string, JobDocument>();
  #beginning: Subscription | undefined;
  #recording: Promise<void> = Promise.resolve();
  readonly #drained = new Subject<void>();

  constructor(private readonly sources: LocalQueueSources) {}

  /** In order; of the forms that are asked for. */
  of(dispatcher: string, queue: string, taskVersions: ReadonlySet<string>): readonly JobDocument[] {
    const buffer = this.#buffers.get(dispatcher);
    if (buffer === undefined || buffer.jobs.length === 0) return [];
    const wanted = buffer.jobs.filter((job) => job.queue === queue && taskVersions.has(taskVersionOfDocument(job)));
    if (wanted.length > 0) this.#watchUnwanted(dispatcher, queue);
    return wanted;
  }

  /** Whether anything is at hand here to follow what runs. */
  get hasSome(): boolean {
    return [...this.#buffers.values()].some(({ jobs }) => jobs.length > 0);
  }

  /** Emits when nothing is at hand any more. */
  get drained(): Subject<void> {
    return this.#drained;
  }

  /** How many may be claimed ahead now. */
  appetite(dispatcher: string): number {
    const { jobs, hunger } = this.#bufferOf(dispatcher);
    if (jobs.length > 0 || hunger < HUNGRY_AFTER) return 0;
    return Math.min(MAX_AHEAD, 2 ** (hunger - HUNGRY_AFTER + 2));
  }

  /** Some jobs waited for nothing but a place in a quota, and none was at hand. */
  hunger(dispatcher: string): void {
    const buffer = this.#bufferOf(dispatcher);
    if (buffer.jobs.length === 0) buffer.hunger++;
  }

  add(dispatcher: string, jobs: readonly JobDocument[]): void {
    if (jobs.length === 0) return;
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = [...buffer.jobs, ...jobs].sort(byPriorityThenOrder);
    for (const queue of new Set(jobs.map((job) => job.queue))) this.#watchUnwanted(dispatcher, queue);
  }

  /** Whether a job is at hand now, so that it may begin. */
  isAtHand(dispatcher: string, { _id }: JobDocument): boolean {
    return this.#buffers.get(dispatcher)?.jobs.some((job) => job._id.equals(_id)) === true;
  }

  /** Begins a job that is at hand. @returns it as it is once that is recorded */
  begin(dispatcher: string, job: JobDocument): JobDocument {
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = buffer.jobs.filter(({ _id }) => !_id.equals(job._id));
    if (!this.hasSome) this.#drained.next();
    const begun: JobDocument = { ...job, status: 'active', attempts: job.attempts + 1, startedAt: this.sources.time.estimate() };
    this.sources.running.add(begun);
    this.#unbegun.set(attemptOf(begun), begun);
    this.#recordSoon();
    return begun;
  }

  /** Its end is being recorded, which records that it began as well. */
  ends(key: string): void {
    this.#unbegun.delete(key);
  }

  /** Has it recorded that an attempt began, if it was not yet. */
  async ensureBegun(key: string): Promise<void> {
    await this.#recording.catch(() => undefined);
    if (this.#unbegun.has(key)) await this.#recordBegun();
  }

  has(job: Pick<JobDocument, '_id' | 'token'>): boolean {
    if (this.#returning.has(attemptOf(job))) return true;
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

  /** Puts back what all dispatchers of this process have at hand. */
  async handBackAll(): Promise<void> {
    for (const dispatcher of [...this.#buffers.keys()]) await this.handBack(dispatcher);
  }

  /** Puts all of a dispatcher's, or those of one queue, back where they stood; what an error leaves in doubt, a round puts back. */
  async handBack(dispatcher: string, queue?: string): Promise<void> {
    const jobs = this.#takeOut(dispatcher, queue);
    if (jobs.length === 0) return;
    for (const job of jobs) this.#returning.set(attemptOf(job), job);
    try {
      await this.#writeBack(dispatcher, jobs);
    } finally {
      for (const job of jobs) this.#returning.delete(attemptOf(job));
    }
    for (const lane of new Set(jobs.map((job) => job.lane))) this.sources.notifier.found(lane);
  }

  /** The life of a dispatcher is over: others take back what it had at hand. */
  forget(dispatcher: string): void {
    this.#takeOut(dispatcher);
    for (const [key, { owner }] of this.#unbegun) if (owner === dispatcher) this.#unbegun.delete(key);
  }

  close(): void {
    this.#beginning?.unsubscribe();
    for (const dispatcher of this.#buffers.keys()) this.forget(dispatcher);
  }

  #takeOut(dispatcher: string, queue?: string): readonly JobDocument[] {
    const buffer = this.#buffers.get(dispatcher);
    if (buffer === undefined) return [];
    const isIt = (one: string): boolean => queue === undefined || one === queue;
    const taken = buffer.jobs.filter((job) => isIt(job.queue));
    buffer.jobs = buffer.jobs.filter((job) => !isIt(job.queue));
    for (const [one, watch] of buffer.unwanted) if (isIt(one)) watch.unsubscribe();
    if (queue === undefined) this.#buffers.delete(dispatcher);
    if (!this.hasSome) this.#drained.next();
    return taken;
  }

  async #writeBack(dispatcher: string, returned: readonly JobDocument[]): Promise<void> {
    const { jobs } = this.sources.collections;
    const own = { _id: { $in: returned.map(({ _id }) => _id) }, owner: dispatcher, status: 'assigned' as const };
    const { modifiedCount } = await jobs.updateMany({ ...own, cancel: { $exists: false } }, [{ $set: HAND_BACK }], { hint: { _id: 1 } });
    if (modifiedCount < returned.length) for (const job of await jobs.find(own)) await this.sources.endCancelled(job);
  }

  #recordSoon(ms = BEGIN_MS): void {
    this.#beginning ??= timer(ms, this.sources.clock.scheduler).subscribe(() => {
      this.#beginning = undefined;
      // What could not be recorded is recorded later: what it may cost to die without is more than a write.
      this.sources.notifier.track(this.#recordBegun().catch(() => this.#recordSoon(RECORD_AGAIN_MS)));
    });
  }

  /** One after the other; what could not be recorded is asked for again before anything else is done about it. */
  #recordBegun(): Promise<void> {
    const recorded = this.#recording.catch(() => undefined).then(() => this.#writeBegun());
    this.#recording = recorded;
    return recorded;
  }

  async #writeBegun(): Promise<void> {
    const { collections, time, running } = this.sources;
    const begun = [...this.#unbegun].filter(([, job]) => running.has(job));
    if (begun.length === 0) return;
    const tokens = [...new Set(begun.map(([, { token = '' }]) => token))];
    const written = asSetStage({
      status: 'active',
      startedAt: new ServerExpression(time.now),
      attempts: new ServerExpression({ $add: [numberIn('$attempts'), 1] }),
      startBy: undefined,
    });
    await collections.jobs.updateMany(
      { _id: { $in: begun.map(([, { _id }]) => _id) }, token: { $in: tokens }, status: 'assigned' },
      [{ $set: written }],
      { hint: { _id: 1 } },
    );
    for (const [key] of begun) this.#unbegun.delete(key);
  }

  #watchUnwanted(dispatcher: string, queue: string): void {
    const { clock, notifier } = this.sources;
    const { unwanted } = this.#bufferOf(dispatcher);
    unwanted.get(queue)?.unsubscribe();
    const watch = timer(UNWANTED_MS, clock.scheduler).subscribe(() => notifier.track(this.handBack(dispatcher, queue)));
    unwanted.set(queue, watch);
  }

  #bufferOf(dispatcher: string): Buffer {
    const buffer = this.#buffers.get(dispatcher) ?? { jobs: [], hunger: 0, unwanted: new Map() };
    this.#buffers.set(dispatcher, buffer);
    return buffer;
  }
}
