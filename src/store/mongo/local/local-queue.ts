/**
 * Jobs claimed ahead: they wait here for a place in their quota, so that one follows another without a command.
 *
 * A dispatcher is in one of three modes:
 *   direct     a claim takes only jobs that begin at once. Those that leave jobs behind for want of the dispatcher's own
 *              places, and of nothing else, are counted.
 *   filling    enough of them did: a claim takes jobs behind as well, a few, and twice as many each time.
 *   serving    jobs wait here. They begin as places become free; after the last it is filling again.
 * Once all its jobs are handed back, since its places go to others, it is direct again.
 *
 * A job is in one of three states. The store has it as `assigned` in each:
 *   queued     it waits for a place. A step that was handed off needs none, and begins with the next claim.
 *   begun      it runs. This is recorded a moment later, or with its end.
 *   returning  it is being handed back, and may still be the dispatcher's in the store.
 */

import { Subject, type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import { ServerExpression, transition } from '../jobs/job-update.js';
import { HAND_BACK } from '../jobs/transition-updates.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import { byPriorityThenOrder } from './order.js';
import { attemptOf, type RunningAttempts } from './running-attempts.js';

/** A job that began is recorded so after this, unless its end has been by then. */
const RECORD_MS = 5;
const RECORD_AGAIN_MS = 1_000;
/** Jobs of a queue for which the dispatcher does not claim go back after this, for others. */
const UNASKED_MS = 1_000;
/** How many claims leave jobs behind before a dispatcher is filling. */
const FILLS_AFTER = 8;
const FIRST_FILL = 4;
const MAX_FILL = 256;

export interface LocalQueueSources {
  readonly collections: Collections;
  readonly clock: Clock;
  readonly time: ServerTime;
  readonly running: RunningAttempts;
  readonly notifier: Notifier;
  /** Ends a job that has not begun, whose cancellation was asked for. */
  readonly endCancelled: (job: JobDocument) => Promise<void>;
}

/** The jobs that one dispatcher has here. */
interface Buffer {
  /** In order. */
  jobs: JobDocument[];
  /** How many claims left jobs behind while none was here. */
  blockedClaims: number;
  /** By queue: hands its jobs back, unless they are asked for before. */
  readonly unasked: Map<string, Subscription>;
}

type Mode = 'direct' | 'filling' | 'serving';

export class LocalQueue {
  readonly #buffers = new Map<string, Buffer>();
  /** By attempt, as `#returning`. */
  readonly #begun = new Map<string, JobDocument>();
  readonly #returning = new Map<string, JobDocument>();
  #recordTimer: Subscription | undefined;
  #recording: Promise<void> = Promise.resolve();
  /** Emits when no job waits here any more. */
  readonly drained = new Subject<void>();

  constructor(private readonly sources: LocalQueueSources) {}

  /** The jobs of a queue that wait here, in order; of the task versions that are asked for. */
  queued(dispatcher: string, queue: string, taskVersions: ReadonlySet<string>): readonly JobDocument[] {
    const { jobs } = this.#bufferOf(dispatcher);
    const queued = jobs.filter((job) => job.queue === queue && taskVersions.has(taskVersionOfDocument(job)));
    if (queued.length > 0) this.#handBackUnlessAsked(dispatcher, queue);
    return queued;
  }

  /** Whether a job waits here, to follow one that runs. */
  get hasSome(): boolean {
    return [...this.#buffers.values()].some(({ jobs }) => jobs.length > 0);
  }

  /** How many jobs a claim may take ahead now. */
  mayTake(dispatcher: string): number {
    const buffer = this.#bufferOf(dispatcher);
    return modeOf(buffer) === 'filling' ? Math.min(MAX_FILL, FIRST_FILL * 2 ** (buffer.blockedClaims - FILLS_AFTER)) : 0;
  }

  /** A claim left jobs behind that wait for nothing but the dispatcher's own places. */
  leftBehind(dispatcher: string): void {
    const buffer = this.#bufferOf(dispatcher);
    if (modeOf(buffer) !== 'serving') buffer.blockedClaims++;
  }

  add(dispatcher: string, jobs: readonly JobDocument[]): void {
    if (jobs.length === 0) return;
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = [...buffer.jobs, ...jobs].sort(byPriorityThenOrder);
    for (const queue of new Set(jobs.map((job) => job.queue))) this.#handBackUnlessAsked(dispatcher, queue);
  }

  /** Whether a job waits here now, so that it may begin. */
  isQueued(dispatcher: string, { _id }: JobDocument): boolean {
    return this.#buffers.get(dispatcher)?.jobs.some((job) => job._id.equals(_id)) === true;
  }

  /** Begins a job that waits here. @returns it as it is once that is recorded */
  begin(dispatcher: string, job: JobDocument): JobDocument {
    const buffer = this.#bufferOf(dispatcher);
    buffer.jobs = buffer.jobs.filter(({ _id }) => !_id.equals(job._id));
    if (!this.hasSome) this.drained.next();
    const begun: JobDocument = { ...job, status: 'active', attempts: job.attempts + 1, startedAt: this.sources.time.estimate() };
    this.sources.running.add(begun);
    this.#begun.set(attemptOf(begun), begun);
    this.#recordSoon();
    return begun;
  }

  /** Its end is being recorded, which records that it began as well. */
  ends(key: string): void {
    this.#begun.delete(key);
  }

  /** Has it recorded that an attempt began, if it was not yet. */
  async ensureBegun(key: string): Promise<void> {
    await this.#recording.catch(() => undefined);
    if (this.#begun.has(key)) await this.#recordBegun();
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

  /** Hands back the jobs of all dispatchers of this process. */
  async handBackAll(): Promise<void> {
    for (const dispatcher of [...this.#buffers.keys()]) await this.handBack(dispatcher);
  }

  /** Puts a dispatcher's jobs, all or those of one queue, back where they stood. After an error, the leak audit puts them back. */
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

  /** The life of a dispatcher is over: others take its jobs back. */
  forget(dispatcher: string): void {
    this.#takeOut(dispatcher);
    for (const [key, { owner }] of this.#begun) if (owner === dispatcher) this.#begun.delete(key);
  }

  close(): void {
    this.#recordTimer?.unsubscribe();
    for (const dispatcher of this.#buffers.keys()) this.forget(dispatcher);
  }

  #takeOut(dispatcher: string, queue?: string): readonly JobDocument[] {
    const buffer = this.#buffers.get(dispatcher);
    if (buffer === undefined) return [];
    const isIt = (one: string): boolean => queue === undefined || one === queue;
    const taken = buffer.jobs.filter((job) => isIt(job.queue));
    buffer.jobs = buffer.jobs.filter((job) => !isIt(job.queue));
    for (const [one, watch] of buffer.unasked) if (isIt(one)) watch.unsubscribe();
    if (queue === undefined) this.#buffers.delete(dispatcher);
    if (!this.hasSome) this.drained.next();
    return taken;
  }

  async #writeBack(dispatcher: string, returned: readonly JobDocument[]): Promise<void> {
    const { jobs } = this.sources.collections;
    const own = { _id: { $in: returned.map(({ _id }) => _id) }, owner: dispatcher };
    const back = transition('handBack', { ...HAND_BACK, where: { ...own, cancel: { $exists: false } }, from: ['assigned'] });
    const { modifiedCount } = await jobs.updateMany(...back, { hint: { _id: 1 } });
    if (modifiedCount === returned.length) return;
    for (const job of await jobs.find({ ...own, status: 'assigned' })) await this.sources.endCancelled(job);
  }

  #recordSoon(ms = RECORD_MS): void {
    this.#recordTimer ??= timer(ms, this.sources.clock.scheduler).subscribe(() => {
      this.#recordTimer = undefined;
      // Tried again, since a job whose process dies before that is taken for one that never began.
      this.sources.notifier.track(this.#recordBegun().catch(() => this.#recordSoon(RECORD_AGAIN_MS)));
    });
  }

  /** One write after the other; jobs that one could not record are in the next. */
  #recordBegun(): Promise<void> {
    const recorded = this.#recording.catch(() => undefined).then(() => this.#writeBegun());
    this.#recording = recorded;
    return recorded;
  }

  async #writeBegun(): Promise<void> {
    const { collections, time, running } = this.sources;
    const begun = [...this.#begun].filter(([, job]) => running.has(job));
    if (begun.length === 0) return;
    const tokens = [...new Set(begun.map(([, { token = '' }]) => token))];
    const beginning = transition('begin', {
      where: { _id: { $in: begun.map(([, { _id }]) => _id) }, token: { $in: tokens } },
      to: 'active',
      set: {
        startedAt: new ServerExpression(time.now),
        attempts: new ServerExpression({ $add: [numberIn('$attempts'), 1] }),
        pendingBeginBy: undefined,
      },
    });
    await collections.jobs.updateMany(...beginning, { hint: { _id: 1 } });
    for (const [key] of begun) this.#begun.delete(key);
  }

  #handBackUnlessAsked(dispatcher: string, queue: string): void {
    const { clock, notifier } = this.sources;
    const { unasked } = this.#bufferOf(dispatcher);
    unasked.get(queue)?.unsubscribe();
    const handBack = (): void => notifier.track(this.handBack(dispatcher, queue));
    unasked.set(queue, timer(UNASKED_MS, clock.scheduler).subscribe(handBack));
  }

  #bufferOf(dispatcher: string): Buffer {
    const buffer = this.#buffers.get(dispatcher) ?? { jobs: [], blockedClaims: 0, unasked: new Map() };
    this.#buffers.set(dispatcher, buffer);
    return buffer;
  }
}

function modeOf({ jobs, blockedClaims }: Buffer): Mode {
  if (jobs.length > 0) return 'serving';
  return blockedClaims < FILLS_AFTER ? 'direct' : 'filling';
}
