/** The follow-ups of an end: callbacks and next steps released, parents ended, places given back. */

import type { ObjectId } from 'mongodb';
import type { CancelReason } from '../../../errors.js';
import { branchFor } from '../../../job/callback-rule.js';
import { cannotFollow } from '../../../job/job-errors.js';
import { isFinal, isWaiting } from '../../../job/job-status.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { recordedError } from '../../../job/stored-error.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import { SingleFlight } from '../../async/single-flight.js';
import { ignoreDuplicates } from '../driver/driver-errors.js';
import { type Expression, literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { choiceOf, fromOutcome, type QueuedPart } from '../jobs/job-codec.js';
import type { JobCollection } from '../jobs/job-collection.js';
import { ServerExpression, updateOf } from '../jobs/job-update.js';
import { resolvedCallback } from '../jobs/new-documents.js';
import { endUpdate, hasOpenBelow, unblockUpdate, writeOutcome } from '../jobs/transition-updates.js';
import type { Handoff } from '../local/handoff.js';
import type { JobPlaces } from '../quotas/job-places.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import { BatchProgress } from './batch-progress.js';
import { Cancellation, type Cut } from './cancellation.js';
import type { CancelledBatches } from './cancelled-batches.js';
import type { OwnerRelease } from './owner-release.js';
import type { WaitGraph } from './wait-graph.js';

export interface CompletionSources {
  readonly cancelled: CancelledBatches;
  readonly collections: Collections;
  readonly jobs: JobCollection;
  readonly placeSavings: PlaceSavings;
  readonly graph: WaitGraph;
  readonly jobPlaces: JobPlaces;
  readonly handoff: Handoff;
  readonly backgroundRetry: BackgroundRetry;
  readonly time: ServerTime;
  readonly notifier: Notifier;
  readonly ownerRelease: OwnerRelease;
  /** Names this process as the one that does the follow-ups. */
  readonly process: string;
}

type EndMove = 'end' | 'cancel' | 'expire' | 'pass';

/** Work that was begun is finished before the call that began it resolves; every part of it may be done twice. */
export class Completion {
  readonly #finishing = new SingleFlight();
  readonly #batchProgress: BatchProgress;
  readonly #cancellation: Cancellation;

  constructor(private readonly sources: CompletionSources) {
    this.#batchProgress = new BatchProgress(sources, this);
    this.#cancellation = new Cancellation(sources, this);
  }

  /** Lets the steps of a batch that has just been opened begin. */
  open(batch: JobDocument): Promise<void> {
    return this.#batchProgress.open(batch);
  }

  /** Takes the next action of a batch. */
  advance(batch: ObjectId): Promise<void> {
    return this.#batchProgress.advance(batch);
  }

  /** Records the outcome of a job, and does the follow-ups. @returns the job after it, or `undefined` where somebody was faster */
  async end(job: JobDocument, move: EndMove, outcome: StoredOutcome | 'steps'): Promise<JobDocument | undefined> {
    const after = await this.#record(job, move, outcome).catch((error: unknown): never => {
      this.sources.backgroundRetry.schedule(() => this.#tendUnanswered(job._id));
      throw error;
    });
    if (after !== undefined) await this.followUp(after, job.status === 'pending');
    return after;
  }

  #record(job: JobDocument, move: EndMove, outcome: StoredOutcome | 'steps'): Promise<JobDocument | undefined> {
    const { jobs, time, process } = this.sources;
    const write = (one: StoredOutcome | 'steps'): Promise<JobDocument | undefined> => {
      const kind = one === 'steps' ? 'completed' : one.status;
      return jobs.move(job, move, hasOpenBelow(job) ? 'callbacks' : kind, endUpdate(job, one, { time, by: process }));
    };
    return outcome === 'steps' ? write(outcome) : writeOutcome(outcome, job, write);
  }

  /** Sees to everything that follows from an end that is recorded, if need be later. @param wasPending - it may have had places saved up */
  async followUp(job: JobDocument, wasPending = false): Promise<void> {
    const { placeSavings, notifier, backgroundRetry } = this.sources;
    if (wasPending) placeSavings.stop(job.lane);
    notifier.outcome(job);
    await backgroundRetry.run(() => this.#followUp(job));
  }

  /** An end that was not answered: if it has been recorded, this process does its follow-ups. */
  async #tendUnanswered(id: ObjectId): Promise<void> {
    const job = await this.sources.jobs.get(id);
    if (job?.outcome === undefined || job.owner !== this.sources.process) return;
    this.sources.notifier.outcome(job);
    await this.#followUp(job);
  }

  /** The duty for a job is over only when all that follows has been done. */
  async #followUp(job: JobDocument): Promise<void> {
    await this.sources.jobPlaces.drop(job);
    await this.#cancelBelow(job);
    if (job.status === 'callbacks') {
      await this.#releaseCallbacks(job);
      this.sources.ownerRelease.add(job);
    } else await this.#afterFinal(job);
  }

  /** Lets a callback run, if the work of its job is over: the side that is needed, or none. */
  releaseCallback(callback: JobDocument, outcome: StoredOutcome): Promise<void> {
    return this.sources.jobs.whileBlocked(callback, (now) => this.#release(now, outcome));
  }

  /** @returns `false` where it has changed meanwhile */
  async #release(callback: JobDocument, outcome: StoredOutcome): Promise<boolean> {
    if (callback.branches === undefined) return this.unblock(callback);
    const branch = branchFor(choiceOf(callback.branches), outcome.status);
    return branch === undefined ? (await this.end(callback, 'pass', outcome)) !== undefined : this.#become(callback, branch);
  }

  /**
   * Handles a job that was added while its parent was under way, or over: lets a callback run if the work of its job is over; checks
   * whether a batch stops.
   */
  async childAdded(job: JobDocument): Promise<void> {
    if (job.parent === undefined) return;
    if (job.role === 'step') return this.advance(job.parent);
    const parent = await this.sources.jobs.get(job.parent);
    if (parent?.outcome !== undefined) await this.releaseCallback(job, await this.outcomeOf(parent));
  }

  /**
   * Lets a job wait for another one's outcome, or gives it that at once. Two that began to wait for each other at the same time both see it
   * now.
   */
  async follow(follower: JobDocument, followedJob: ObjectId): Promise<void> {
    const { jobs, graph } = this.sources;
    await this.#noteFollowed(followedJob);
    const now = await jobs.get(follower._id);
    if (now === undefined || !(await graph.waitsFor(followedJob, now))) return;
    const error = recordedError(cannotFollow(follower._id.toHexString(), followedJob.toHexString(), 'circular'));
    await jobs.decide(follower._id, (job) =>
      job.followedJob?.equals(followedJob) === true ? this.end(job, 'end', { status: 'failed', error }) : 'nothing',
    );
  }

  async #noteFollowed(followedJob: ObjectId): Promise<void> {
    const { jobs } = this.sources;
    const hasFollowers = await jobs.decide(followedJob, (other) => {
      if (other.hasFollowers === true) return Promise.resolve(other);
      return jobs.note(other, { hasFollowers: true, additions: (other.additions ?? 0) + 1 });
    });
    if (hasFollowers !== undefined && isFinal(hasFollowers.status)) await this.#endFollowers(hasFollowers);
  }

  /** It is the job's turn. @returns `false` where it has changed meanwhile */
  async unblock(job: JobDocument): Promise<boolean> {
    const { jobs, time, notifier, handoff } = this.sources;
    const { status, written } = unblockUpdate(job, time);
    if (status === 'pending' && (await handoff.hand(job, written)) !== undefined) return true;
    const after = await jobs.move(job, 'unblock', status, written);
    if (after !== undefined) notifier.waits(after);
    return after !== undefined;
  }

  released(steps: readonly Pick<JobDocument, '_id' | 'lane'>[]): void {
    const { notifier } = this.sources;
    for (const step of steps) notifier.changed(step);
    for (const lane of new Set(steps.map((step) => step.lane))) notifier.found(lane);
  }

  /** Repeats follow-ups that a dead process may have left undone. */
  async resume(job: JobDocument): Promise<void> {
    if (job.status === 'callbacks' || isFinal(job.status)) {
      await this.#followUp(job);
    } else if (job.status === 'blocked') await this.childAdded(job);
    else if (job.waitsFor === 'steps') await (job.cancel === undefined ? this.open(job) : this.#cancelBatch(job));
    else if (job.followedJob !== undefined) await this.follow(job, job.followedJob);
    const held = job.outcome === undefined ? {} : { reservation: '' as const };
    const { _id, owner = '', status } = job;
    await this.sources.collections.jobs.updateOne({ _id, owner, status }, { $unset: { owner: '', ...held } });
  }

  /** Cancels a job with everything below it, as far as each can be. */
  cancel(id: ObjectId, reason: string | undefined): Promise<void> {
    const { cancelled, jobs } = this.sources;
    return cancelled.whileCancelling(id.toHexString(), () =>
      jobs.decide(id, (job) => {
        // The jobs below it end after it: a batch that is opened meanwhile must not find all its steps ended.
        if (isWaiting(job.status)) return this.end(job, 'cancel', { status: 'cancelled', reason });
        if (job.status !== 'active' && job.status !== 'assigned') return 'nothing';
        return job.followedJob === undefined ? this.#askToEnd(job, reason) : this.#cancelFollower(job, reason);
      }),
    );
  }

  /** Cancels the jobs below batches. @returns whether there was anything left to cancel in the batches themselves */
  cut(cut: Cut): Promise<boolean> {
    return this.#cancellation.cut(cut);
  }

  /** The outcome of a job that has ended, with the steps of a batch. */
  async outcomeOf(job: JobDocument | undefined): Promise<StoredOutcome> {
    if (job?.outcome === undefined) return { status: 'cancelled', reason: undefined };
    return fromOutcome(job.outcome, await this.sources.notifier.stepsOf(job));
  }

  async #cancelFollower(job: JobDocument, reason: string | undefined): Promise<JobDocument | undefined> {
    if (job.ownsFollowed === true && job.followedJob !== undefined) await this.cancel(job.followedJob, reason);
    return this.end(job, 'end', { status: 'cancelled', reason });
  }

  /** The process that asks a batch to end handles the jobs below it. */
  async #askToEnd(job: JobDocument, reason: string | undefined): Promise<JobDocument | undefined> {
    const { jobs, notifier, process, backgroundRetry } = this.sources;
    const isBatch = job.waitsFor === 'steps';
    const wish = { ...(reason === undefined ? {} : { reason }), ...(isBatch || job.owner === undefined ? {} : { owner: job.owner }) };
    const told = job.cancel === undefined ? await jobs.note(job, { cancel: wish, ...(isBatch ? { owner: process } : {}) }) : job;
    if (told === undefined) return undefined;
    if (!isBatch) notifier.cancel(told);
    else
      await this.#cancelBatch(told).catch((error: unknown): never => {
        backgroundRetry.schedule(() => this.#cancelBatch(told));
        throw error;
      });
    return told;
  }

  /** Goes on where it was interrupted. */
  async #cancelBatch(batch: JobDocument): Promise<void> {
    const { cancelled, process, ownerRelease } = this.sources;
    cancelled.add(batch._id.toHexString());
    await this.cut({ batches: [batch._id], reason: batch.cancel?.reason });
    await this.advance(batch._id);
    if (batch.owner === process) ownerRelease.add(batch);
  }

  /** The jobs below a batch that never began, or was cancelled, will not run. */
  async #cancelBelow({ _id, kind, outcome }: JobDocument): Promise<void> {
    if (kind === 'task' || outcome === undefined || outcome.kind === 'completed') return;
    const reason = outcome.kind === 'cancelled' ? outcome.reason : ('batch-expired' satisfies CancelReason);
    await this.cut({ batches: [_id], reason });
  }

  async #releaseCallbacks(job: JobDocument): Promise<void> {
    const outcome = await this.outcomeOf(job);
    const callbacks = await this.sources.jobs.find({ parent: job._id, role: 'callback', status: 'blocked' });
    await Promise.all(callbacks.map((callback) => this.releaseCallback(callback, outcome)));
    // Otherwise the last of them to end looks whether it is the last.
    if (callbacks.length === 0) await this.finish(job._id);
  }

  /**
   * Lets a callback become the one of its two sides that is needed, with everything below that.
   * @returns `false` where it has changed meanwhile
   */
  async #become(callback: JobDocument, side: readonly QueuedPart[]): Promise<boolean> {
    const { collections, jobs, notifier, time } = this.sources;
    const [chosen, ...below] = resolvedCallback(callback, side, time.estimate());
    if (chosen === undefined) return true;
    if (below.length > 0) await collections.jobs.insertMany(below, { ordered: false }).catch(ignoreDuplicates);
    const after = await jobs.replace(callback, 'unblock', chosen);
    if (after !== undefined) notifier.waits(after);
    return after !== undefined;
  }

  async #afterFinal(job: JobDocument): Promise<void> {
    await this.#endFollowers(job);
    if (job.root?.equals(job._id) === true) await this.#expireTree(job);
    if (job.parent === undefined) return this.sources.ownerRelease.add(job);
    // Not waited for: it may be this very parent whose turn it is, and which ends its steps.
    const { parent } = job;
    const next = (): Promise<void> => (job.role === 'callback' ? this.finish(parent) : this.#batchProgress.advance(parent));
    this.sources.notifier.track(this.sources.backgroundRetry.run(() => next().then(() => this.sources.ownerRelease.add(job))));
  }

  /**
   * The top of a tree has ended, and with it everything below: all of it is removed together. This ends the follow-ups of the job, except
   * those that do not delay the top: the followers of a job, its places, the jobs below a cancelled batch; and, if the top is a late
   * callback, the job that it was added to.
   */
  async #expireTree(top: JobDocument): Promise<void> {
    const { collections, time } = this.sources;
    const isThere = (field: `$${string}`): Expression => ({ $ne: [{ $type: field }, 'missing'] });
    const isLeftBelow: Expression = { $or: ['$isOpen', '$hasFollowers', { $ne: ['$kind', 'task'] }, isThere('$reservation')] };
    const root = top._id;
    const isLeft: Expression = { $cond: [{ $eq: ['$_id', literal(root)] }, isThere('$parent'), isLeftBelow] };
    const unlessDone = (field: `$${string}`) => new ServerExpression({ $cond: [isLeft, field, '$$REMOVE'] });
    const duties = { owner: unlessDone('$owner'), reservation: unlessDone('$reservation') };
    await collections.jobs.updateMany({ root }, updateOf({ expireAt: new ServerExpression(time.removalWith(top)), ...duties }));
  }

  async #endFollowers(job: JobDocument): Promise<void> {
    if (job.hasFollowers !== true) return;
    const outcome = await this.outcomeOf(job);
    for (const follower of await this.sources.jobs.find({ followedJob: job._id, isOpen: true }))
      await this.sources.jobs.decide(follower._id, (now) =>
        now.followedJob?.equals(job._id) === true ? this.end(now, 'end', outcome) : 'nothing',
      );
  }

  /** A job is final when the last of its callbacks has ended, and of those below a batch that never began. */
  finish(id: ObjectId): Promise<void> {
    return this.#finishing.run(id.toHexString(), async () => {
      while (!(await this.#tryToFinish(id)));
    });
  }

  async #tryToFinish(id: ObjectId): Promise<boolean> {
    const { jobs, process } = this.sources;
    const { job, open } = await jobs.withFirstOpen(id, 'callback', 'step', 'postprocess');
    if (job?.status !== 'callbacks' || job.outcome === undefined || open !== undefined) return true;
    const final = await jobs.move(job, 'finish', job.outcome.kind, { isOpen: undefined, notifyProcess: job.queuedBy, owner: process });
    if (final === undefined) return false;
    await this.#afterFinal(final);
    return true;
  }
}
