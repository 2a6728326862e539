/** The progress of a batch: each time one of its children has ended, the batch rule decides the next action. */

import type { ObjectId } from 'mongodb';
import { nextAction, stepsToCancel } from '../../../job/batch-rule.js';
import { batchFailed } from '../../../job/job-errors.js';
import { WAITING } from '../../../job/job-status.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { recordedError, type StoredError } from '../../../job/stored-error.js';
import { SingleFlight } from '../../async/single-flight.js';
import { literal } from '../driver/expression.js';
import { errorOf, referenceOf } from '../jobs/job-codec.js';
import type { JobCollection } from '../jobs/job-collection.js';
import { ServerExpression, transition } from '../jobs/job-update.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Cut } from './cancellation.js';

export interface BatchProgressSources {
  readonly collections: Collections;
  readonly jobs: JobCollection;
}

/** The actions of a batch on its jobs and on itself. */
export interface BatchActions {
  /** @returns `false` where the job has changed meanwhile */
  unblock(job: JobDocument): Promise<boolean>;
  /** Steps that have been written as pending. */
  released(steps: readonly Pick<JobDocument, '_id' | 'lane'>[]): void;
  cancel(id: ObjectId, reason: string | undefined): Promise<void>;
  /** @returns whether there was anything left to cancel in the batches themselves */
  cut(cut: Cut): Promise<boolean>;
  end(job: JobDocument, move: 'end', outcome: StoredOutcome | 'steps'): Promise<JobDocument | undefined>;
  outcomeOf(job: JobDocument | undefined): Promise<StoredOutcome>;
  /** Makes a job final whose work is over, if nothing below it is open. */
  finish(id: ObjectId): Promise<void>;
}

export class BatchProgress {
  readonly #runs = new SingleFlight();

  constructor(
    private readonly sources: BatchProgressSources,
    private readonly actions: BatchActions,
  ) {}

  /** Lets the steps of a batch that has just been opened begin. */
  async open(batch: JobDocument): Promise<void> {
    if (batch.kind === 'parallel') await this.#releaseSteps(batch);
    await this.advance(batch._id);
  }

  /** All at once, but for those that have a time of their own. */
  async #releaseSteps(batch: JobDocument): Promise<void> {
    const { jobs } = this.sources.collections;
    const unblock = (step: JobDocument): Promise<boolean> => this.actions.unblock(step);
    const isStep = { parent: batch._id, role: 'step' as const };
    const timed = await jobs.find({
      ...isStep,
      status: 'blocked',
      $or: [{ beginAfter: { $exists: true } }, { delayMs: { $exists: true } }],
    });
    await Promise.all(timed.map((step) => this.sources.jobs.whileBlocked(step, unblock)));
    const untimed = { ...isStep, beginAfter: { $exists: false }, delayMs: { $exists: false } };
    const steps = await jobs.find<Pick<JobDocument, '_id' | 'lane'>>({ ...untimed, status: 'blocked' }, { projection: { lane: 1 } });
    if (steps.length === 0) return;
    const firsts = [...new Map(steps.map((step) => [step.lane, step._id])).values()];
    const pendingSignal = new ServerExpression({ $cond: [{ $in: ['$_id', literal(firsts)] }, '$lane', '$$REMOVE'] });
    await jobs.updateMany(...transition('unblock', { where: untimed, to: 'pending', set: { pendingSignal } }), { hint: 'tree' });
    this.actions.released(steps);
  }

  /** Takes the next action of a batch. */
  advance(id: ObjectId): Promise<void> {
    return this.#runs.run(id.toHexString(), async () => {
      while (!(await this.#advance(id)));
    });
  }

  /** @returns `false` where the batch has changed meanwhile */
  async #advance(id: ObjectId): Promise<boolean> {
    const { job: batch, open: first } = await this.sources.jobs.withFirstOpen(id, 'step');
    if (batch?.status === 'callbacks' && batch.attempts === 0) await this.actions.finish(id);
    if (batch?.status !== 'active' || batch.waitsFor !== 'steps') return true;
    const { failed, postprocess } = await this.#besides(batch, first);
    const cancelReason = batch.cancel?.reason;
    const isCancelled = batch.cancel !== undefined;
    const view = { isCancelled, firstOpen: first?.status, hasFailedStep: failed !== null, postprocess: postprocess?.status };
    switch (nextAction(batch, view)) {
      case 'wait':
        return true;
      case 'release-step':
        return first === undefined || this.actions.unblock(first);
      case 'release-postprocess':
        // More steps may have been added.
        return postprocess === null || this.actions.unblock(postprocess);
      case 'cancel-postprocess':
        if (postprocess !== null) await this.actions.cancel(postprocess._id, cancelReason);
        return true;
      case 'cancel-steps':
        return first === undefined || !(await this.#cancelSteps(batch, first));
      case 'cancel':
        return this.#done(this.actions.end(batch, 'end', { status: 'cancelled', reason: cancelReason }));
      case 'fail':
        return this.#done(this.actions.end(batch, 'end', { status: 'failed', error: await this.#failureOf(batch) }));
      case 'complete':
        return this.#done(this.actions.end(batch, 'end', 'steps'));
      case 'take-outcome':
        return this.#done(this.actions.end(batch, 'end', await this.actions.outcomeOf(postprocess ?? undefined)));
    }
  }

  async #done(ending: Promise<JobDocument | undefined>): Promise<boolean> {
    return (await ending) !== undefined;
  }

  /** The other facts that the rule needs, as far as they matter now. */
  async #besides(
    batch: JobDocument,
    first: JobDocument | undefined,
  ): Promise<{ readonly failed: JobDocument | null; readonly postprocess: JobDocument | null }> {
    const { jobs } = this.sources.collections;
    const asksForFailed = batch.onFailure === 'stop' || (batch.onFailure === 'fail' && first === undefined);
    const [failed, postprocess] = await Promise.all([
      asksForFailed ? this.#firstFailed(batch._id) : null,
      first === undefined ? jobs.findOne({ parent: batch._id, role: 'postprocess' }) : null,
    ]);
    return { failed, postprocess };
  }

  #firstFailed(parent: ObjectId): Promise<JobDocument | null> {
    return this.sources.collections.jobs.findOne({ parent, role: 'step', status: 'failed' }, { sort: { position: 1 } });
  }

  async #failureOf(batch: JobDocument): Promise<StoredError> {
    const { jobs } = this.sources.collections;
    const [first, count, of] = await Promise.all([
      this.#firstFailed(batch._id),
      jobs.countDocuments({ parent: batch._id, role: 'step', status: 'failed' }),
      jobs.countDocuments({ parent: batch._id, role: 'step' }),
    ]);
    const cause = errorOf(first?.outcome?.error);
    return recordedError(batchFailed({ count, of, first: first === null ? undefined : referenceOf(first), message: cause.message }), cause);
  }

  /** Cancels all that are left; the last running job to end looks again. @returns whether there were any */
  async #cancelSteps(batch: JobDocument, first: JobDocument): Promise<boolean> {
    const { _id, kind, cancel } = batch;
    // The process that cancelled the batch handles all of them.
    if (cancel !== undefined && first.cancel !== undefined) return false;
    const failed = cancel === undefined && kind === 'serial' ? await this.#firstFailed(_id) : null;
    const { reason, withPostprocess, spared } = stepsToCancel(batch, cancel, failed?.position);
    const left = spared === undefined ? {} : { $or: [{ position: { $gt: spared } }, { status: { $in: [...WAITING] } }] };
    return this.actions.cut({ batches: [_id], reason, ...(withPostprocess ? {} : { parts: { role: 'step', ...left } }) });
  }
}
