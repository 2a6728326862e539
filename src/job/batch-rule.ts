/** The batch rule: what a batch does next, looked at afresh each time one of its children has ended; and whether it takes more. */

import { JobStateError } from '../errors.js';
import type { JobRecord, OnFailure, QueuedJob } from './job-record.js';
import { isWaiting, type Status } from './job-status.js';

/** A batch that is under way, as a store sees it. */
export interface BatchView {
  readonly kind: 'serial' | 'parallel';
  readonly onFailure: OnFailure;
  readonly isCancelled: boolean;
  /** The first step in order that has not ended. */
  readonly firstOpen: 'none' | 'blocked' | 'under-way';
  readonly hasFailedStep: boolean;
  readonly postprocess: 'none' | 'blocked' | 'under-way' | 'ended';
}

/**
 * The next action: release the first open step or the postprocess, cancel the steps that are left or the postprocess, end the batch (with
 * its children, with its postprocess's outcome, as failed or as cancelled), or wait for jobs that are under way.
 */
export type BatchAction =
  | 'wait'
  | 'release-step'
  | 'release-postprocess'
  | 'cancel-steps'
  | 'cancel-postprocess'
  | 'complete'
  | 'take-outcome'
  | 'fail'
  | 'cancel';

export function nextAction(batch: BatchView): BatchAction {
  const stops = batch.isCancelled || (batch.onFailure === 'stop' && batch.hasFailedStep);
  if (batch.firstOpen !== 'none') {
    if (stops) return 'cancel-steps';
    return batch.kind === 'serial' && batch.firstOpen === 'blocked' ? 'release-step' : 'wait';
  }
  if (batch.postprocess === 'under-way') return batch.isCancelled ? 'cancel-postprocess' : 'wait';
  if (batch.isCancelled) return batch.postprocess === 'blocked' ? 'cancel-postprocess' : 'cancel';
  if (batch.onFailure === 'fail' && batch.hasFailedStep) return batch.postprocess === 'blocked' ? 'cancel-postprocess' : 'fail';
  if (batch.postprocess === 'blocked') return 'release-postprocess';
  return batch.postprocess === 'ended' ? 'take-outcome' : 'complete';
}

/** Whether one more step can be added to a batch. @param postprocess - the status of its postprocess, if it has one */
export function takesSteps({ job, state }: JobRecord, postprocess: Status | undefined): boolean {
  const isOpen = isWaiting(state.status) || (state.status === 'active' && state.waitsFor === 'steps');
  return isBatch(job) && isOpen && state.cancel === undefined && (postprocess === undefined || postprocess === 'blocked');
}

/** Why a job cannot be queued together with one that it is to be below, if it cannot. */
export function notBelow({ role }: QueuedJob, parent: QueuedJob): JobStateError | undefined {
  return role === 'step' && !isBatch(parent) ? noBatch(parent) : undefined;
}

/** Why one more step could not be added. */
export function notExtended({ job, state }: JobRecord): JobStateError {
  const what = whatOf(job);
  if (!isBatch(job)) return noBatch(job);
  if (state.cancel !== undefined) return new JobStateError(`${what} is being cancelled, so no jobs can be added to it`);
  return new JobStateError(
    `the jobs of ${what} have ended, so none can be added to it: it is ${state.status}. Add jobs while another of them has not ended`,
  );
}

function isBatch({ kind }: QueuedJob): boolean {
  return kind === 'serial' || kind === 'parallel';
}

function noBatch(job: QueuedJob): JobStateError {
  return new JobStateError(`${whatOf(job)} is not a batch, so no jobs can be added to it`);
}

function whatOf({ id, taskName }: QueuedJob): string {
  return `job ${id} (${taskName})`;
}
