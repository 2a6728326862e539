/** The batch rule: the next action of a batch, decided again each time one of its children has ended; and whether it takes more jobs. */

import { type CancelReason, JobStateError } from '../errors.js';
import type { JobRecord, QueuedJob } from './job-record.js';
import { isFinal, isWaiting, type Status } from './job-status.js';

/** The state of a batch that is under way, as a store sees it. */
export interface BatchView {
  readonly isCancelled: boolean;
  /** The status of the first step in order that has not ended. */
  readonly firstOpen: Status | undefined;
  readonly hasFailedStep: boolean;
  readonly postprocess: Status | undefined;
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

export function nextAction({ kind, onFailure = 'continue' }: Pick<QueuedJob, 'kind' | 'onFailure'>, batch: BatchView): BatchAction {
  const { isCancelled, firstOpen, hasFailedStep, postprocess } = batch;
  if (firstOpen !== undefined) {
    if (isCancelled || (onFailure === 'stop' && hasFailedStep)) return 'cancel-steps';
    return kind === 'serial' && firstOpen === 'blocked' ? 'release-step' : 'wait';
  }
  const fails = onFailure === 'fail' && hasFailedStep;
  if (postprocess === 'blocked') return isCancelled || fails ? 'cancel-postprocess' : 'release-postprocess';
  if (postprocess !== undefined && !isFinal(postprocess)) return isCancelled ? 'cancel-postprocess' : 'wait';
  if (isCancelled) return 'cancel';
  if (fails) return 'fail';
  return postprocess === undefined ? 'complete' : 'take-outcome';
}

/** The open parts of a batch that are cancelled when it stops. */
export interface StepCut {
  readonly reason: string | undefined;
  readonly withPostprocess: boolean;
  /** Steps up to this position that are under way run to their end. */
  readonly spared: number | undefined;
}

/** @param failed - the position of the first step that failed */
export function stepsToCancel(
  { kind }: Pick<QueuedJob, 'kind'>,
  cancel: { readonly reason?: string | undefined } | undefined,
  failed: number | undefined,
): StepCut {
  if (cancel !== undefined) return { reason: cancel.reason, withPostprocess: true, spared: undefined };
  // A step that was not started in time may have failed before its turn: the one whose turn it is runs to its end.
  const spared = kind === 'serial' ? failed : undefined;
  return { reason: 'step-failed' satisfies CancelReason, withPostprocess: false, spared };
}

/** Whether a step that has not ended is among them. */
export function isCut({ spared }: StepCut, position: number, status: Status): boolean {
  return spared === undefined || position > spared || isWaiting(status);
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
