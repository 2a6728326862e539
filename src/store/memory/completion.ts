/** Follows up ends: releases callbacks and next steps, ends parents, gives places back. */

import type { CancelReason } from '../../errors.js';
import { isCut, nextAction, stepsToCancel } from '../../job/batch-rule.js';
import { branchFor } from '../../job/callback-rule.js';
import { batchFailed } from '../../job/job-errors.js';
import { type Changes, dueTime, type JobRecord } from '../../job/job-record.js';
import { JobReference } from '../../job/job-reference.js';
import { fitting, storedBytes } from '../../job/job-size.js';
import { isFinal, isWaiting, type Status } from '../../job/job-status.js';
import { laneOf } from '../../job/lane.js';
import type { StoredOutcome } from '../../job/outcome.js';
import { Payload } from '../../job/payload.js';
import { recordedError, type StoredError } from '../../job/stored-error.js';
import type { Children } from './family-index.js';
import type { JobTable } from './job-table.js';
import type { QuotaLedger } from './quota-ledger.js';
import type { Retention } from './retention.js';

const NO_FOLLOWERS: ReadonlySet<string> = new Set();

/** The fields that an end removes from a record. */
const OVER: Changes = { owner: undefined, dueAt: undefined, waitsFor: undefined, hasPlaces: undefined };

interface Cancellation {
  readonly id: string;
  readonly reason: string | undefined;
}

export class Completion {
  /** Jobs that have just come to `callbacks` or to a final status; a list, since a long chain would be too deep for calls. */
  #ended: { readonly id: string; readonly status: Status }[] = [];
  /** Jobs still to be cancelled: a list as well. */
  #toCancel: Cancellation[] = [];
  #isCancelling = false;
  readonly #followers = new Map<string, Set<string>>();

  constructor(
    private readonly table: JobTable,
    private readonly ledger: QuotaLedger,
    private readonly retention: Retention,
    private readonly now: () => Date,
  ) {}

  /** Records the outcome of a job. */
  end(record: JobRecord, move: 'end' | 'cancel' | 'expire' | 'pass', wanted: StoredOutcome, hasPlaces = false): void {
    const { id } = record.job;
    const outcome = wanted.status === 'completed' ? fitting(wanted, record.job, storedBytes(record)) : wanted;
    if (hasPlaces) this.ledger.keep(id, { token: record.state.token, owner: record.state.owner });
    else this.giveUpPlaces(id);
    if (record.state.status === 'pending' && this.ledger.stopSaving(laneOf(record.job, false))) this.wakeAll();
    const status = this.table.family.hasOpen(id) ? 'callbacks' : outcome.status;
    const ended = this.table.move(record, move, status, { ...OVER, outcome, endedAt: this.now() });
    this.table.notifier.outcome(ended);
    this.#noteEnd(ended);
  }

  /** At once for its batch, which may come to its end with another step that ended in the same operation. */
  #noteEnd(record: JobRecord): void {
    const { status } = record.state;
    if (isFinal(status)) this.table.family.ended(record);
    this.#ended.push({ id: record.job.id, status });
  }

  /** Sees to everything that follows from the ends recorded since the last time. */
  tend(): void {
    try {
      for (let next = 0; next < this.#ended.length; next++) {
        const ended = this.#ended[next];
        if (ended !== undefined) this.#afterEnd(ended.status, this.table.get(ended.id));
      }
    } finally {
      this.#ended = [];
    }
  }

  /** @param status - the one that it came to; it may have come to another since, for which it is in the list once more */
  #afterEnd(status: Status, record: JobRecord | undefined): void {
    if (record === undefined) return;
    if (status === 'callbacks') for (const id of this.table.family.of(record.job.id).callbacks) this.releaseCallback(id);
    else this.#afterFinal(record);
  }

  /** Lets a callback run, if the work of its job is over: the side that is needed, or none. */
  releaseCallback(id: string): void {
    const callback = this.table.get(id);
    const outcome = this.table.get(callback?.job.parent ?? '')?.state.outcome;
    if (callback?.state.status !== 'blocked' || outcome === undefined) return;
    if (callback.job.kind !== 'choice') return this.#unblock(callback);
    const { branches = {}, retryOf } = callback.job;
    const branch = branchFor(branches, outcome.status);
    if (branch === undefined) return this.end(callback, 'pass', outcome);
    const [root, ...below] = branch;
    const chosen = this.table.become(callback, { ...root, branches, ...(retryOf === undefined ? {} : { retryOf }) });
    for (const job of below) this.table.add(job, this.table.place(this.now()), true);
    this.#unblock(chosen);
  }

  /** Opens a batch that has its places. */
  open(batch: JobRecord): void {
    const opened = this.table.move(batch, 'claim', 'active', { waitsFor: 'steps', startedAt: this.now(), attempts: 1 });
    if (batch.job.kind === 'parallel') for (const step of this.table.family.of(batch.job.id).steps) this.#unblockId(step);
    this.#advance(opened.job.id);
  }

  /** A batch has got one more step. */
  extended(step: string, batchId: string): void {
    const batch = this.table.get(batchId);
    this.table.family.of(batchId).areStepsCancelled = false;
    if (batch?.state.status !== 'active') return;
    if (batch.job.kind === 'parallel') this.#unblockId(step);
    this.#advance(batchId);
  }

  /** Lets a job wait for another one's outcome, or gives it that at once. */
  follow(record: JobRecord, jobId: string, isOwn: boolean): void {
    const { id } = record.job;
    this.giveUpPlaces(id);
    this.table.move(record, 'follow', 'active', { waitsFor: isOwn ? { job: jobId, isOwn } : { job: jobId }, owner: undefined });
    this.#followers.set(jobId, (this.#followers.get(jobId) ?? new Set()).add(id));
    const followed = this.table.get(jobId);
    if (followed !== undefined && isFinal(followed.state.status)) this.#endFollowers(followed);
  }

  /** Cancels a job with everything below it, as far as each can be. */
  cancel(record: JobRecord, reason: string | undefined): void {
    this.cancelId(record.job.id, reason);
  }

  cancelId(id: string, reason: string | undefined): void {
    this.#toCancel.push({ id, reason });
    if (this.#isCancelling) return;
    this.#isCancelling = true;
    try {
      for (const wanted of this.#toCancel) this.#cancel(wanted);
      // Jobs below a job were inserted after it, and end before it.
      for (const wanted of this.#toCancel.reverse()) this.#cancelWaiting(wanted);
    } finally {
      this.#toCancel = [];
      this.#isCancelling = false;
    }
  }

  #cancel({ id, reason }: Cancellation): void {
    const record = this.table.get(id);
    if (record === undefined) return;
    const { job, state } = record;
    if (isWaiting(state.status)) return this.#cancelBelow(id, reason);
    if (state.status !== 'active') return;
    if (typeof state.waitsFor === 'object') {
      if (state.waitsFor.isOwn) this.cancelId(state.waitsFor.job, reason);
      return this.end(record, 'end', { status: 'cancelled', reason });
    }
    const { cancel } = state.cancel === undefined ? this.table.note(record, { cancel: { reason } }).state : state;
    if (state.waitsFor === 'steps') this.#advance(job.id);
    else if (state.owner !== undefined) this.table.notifier.cancelOf(state.owner, job.id, cancel?.reason);
  }

  #cancelWaiting({ id, reason }: Cancellation): void {
    const record = this.table.get(id);
    if (record !== undefined && isWaiting(record.state.status)) this.end(record, 'cancel', { status: 'cancelled', reason });
  }

  /** Those who wait for the outcome of a job. */
  followersOf(id: string): ReadonlySet<string> {
    return this.#followers.get(id) ?? NO_FOLLOWERS;
  }

  /** Ends a job that was not started in time, and cancels the jobs below it. */
  expire(record: JobRecord, outcome: StoredOutcome): void {
    this.#cancelBelow(record.job.id, 'batch-expired' satisfies CancelReason);
    this.end(record, 'expire', outcome);
  }

  /** Gives the places of a job back, which may let others run. */
  giveUpPlaces(id: string): void {
    if (this.ledger.drop(id)) this.wakeAll();
  }

  /** There may be room for jobs of any queue. */
  wakeAll(): void {
    for (const queue of this.table.lanes.queues()) this.table.notifier.work(queue);
  }

  #afterFinal(record: JobRecord): void {
    const { job } = record;
    this.#endFollowers(record);
    if (job.parent === undefined) this.retention.add(job.id);
    else {
      if (job.role !== 'callback') this.#advance(job.parent);
      this.#finish(job.parent);
    }
  }

  #endFollowers({ job, state }: JobRecord): void {
    const followers = this.#followers.get(job.id);
    if (followers === undefined || state.outcome === undefined) return;
    this.#followers.delete(job.id);
    for (const id of followers) {
      const follower = this.table.get(id);
      if (follower === undefined || typeof follower.state.waitsFor !== 'object') continue;
      if (job.parent === undefined) this.retention.keepWith(id, job.id);
      this.end(follower, 'end', state.outcome);
    }
  }

  /** A job is final when the last of its callbacks has ended, and of those below a batch that never began. */
  #finish(id: string): void {
    const record = this.table.get(id);
    if (record?.state.status !== 'callbacks' || record.state.outcome === undefined || this.table.family.hasOpen(id)) return;
    const { status } = record.state.outcome;
    this.#noteEnd(this.table.move(record, 'finish', status));
  }

  #advance(id: string): void {
    const batch = this.table.get(id);
    if (batch?.state.status !== 'active' || batch.state.waitsFor !== 'steps') return;
    const below = this.table.family.of(id);
    const first = this.table.family.firstOpenStep(below);
    const postprocess = below.postprocess === undefined ? undefined : this.table.get(below.postprocess);
    const action = nextAction(batch.job, {
      isCancelled: batch.state.cancel !== undefined,
      firstOpen: first?.state.status,
      hasFailedStep: below.failedStep !== undefined,
      postprocess: postprocess?.state.status,
    });
    switch (action) {
      case 'wait':
        return;
      case 'release-step':
        return this.#unblockId(first?.job.id);
      case 'release-postprocess':
        return this.#unblockId(below.postprocess);
      case 'cancel-postprocess':
        return this.#cancelIds([below.postprocess], batch.state.cancel?.reason);
      case 'cancel-steps':
        return this.#cancelSteps(batch, below);
      case 'cancel':
        return this.end(batch, 'end', { status: 'cancelled', reason: batch.state.cancel?.reason });
      case 'fail':
        return this.end(batch, 'end', { status: 'failed', error: this.#failureOf(below) });
      case 'complete':
        return this.end(batch, 'end', { status: 'completed', result: this.#childrenOf(below) });
      case 'take-outcome':
        return this.end(batch, 'end', postprocess?.state.outcome ?? { status: 'cancelled', reason: undefined });
    }
  }

  /** Once: each step that ends later would otherwise look at all the others again. */
  #cancelSteps({ job, state }: JobRecord, below: Children): void {
    if (below.areStepsCancelled) return;
    below.areStepsCancelled = true;
    const cut = stepsToCancel(job, state.cancel, below.failedStep?.index);
    const open = below.steps.slice(below.firstOpen);
    const steps = open.filter((id, offset) => isCut(cut, below.firstOpen + offset, this.table.get(id)?.state.status ?? 'completed'));
    this.#cancelIds(cut.withPostprocess ? [...steps, below.postprocess] : steps, cut.reason);
  }

  #cancelBelow(id: string, reason: string | undefined): void {
    const { steps, postprocess } = this.table.family.of(id);
    this.#cancelIds([...steps, postprocess], reason);
  }

  #cancelIds(ids: readonly (string | undefined)[], reason: string | undefined): void {
    for (const id of ids) if (id !== undefined) this.cancelId(id, reason);
  }

  #unblockId(id: string | undefined): void {
    const record = id === undefined ? undefined : this.table.get(id);
    if (record?.state.status === 'blocked') this.#unblock(record);
  }

  #unblock(record: JobRecord): void {
    const dueAt = dueTime(record.job, this.now());
    this.table.move(record, 'unblock', dueAt === undefined ? 'pending' : 'scheduled', { dueAt });
  }

  #childrenOf(below: Children): Payload {
    return Payload.of(
      below.steps.map((id) => new JobReference(id, this.table.get(id)?.job.taskName ?? '')),
      'result',
    );
  }

  #failureOf({ failedStep, failedSteps, steps }: Children): StoredError {
    const first = this.table.get(failedStep?.id ?? '');
    const cause = first?.state.outcome?.status === 'failed' ? first.state.outcome.error : undefined;
    const failed = batchFailed({ count: failedSteps, of: steps.length, first: first?.job, message: cause?.message });
    return recordedError(failed, cause);
  }
}
