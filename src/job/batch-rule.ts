/** The batch rule: what a batch does next, looked at afresh each time one of its children has ended. */

import type { OnFailure } from './job-record.js';

/** A batch that is under way, as a store sees it. */
export interface BatchView {
  readonly kind: 'serial' | 'parallel';
  readonly onFailure: OnFailure;
  readonly isCancelled: boolean;
  /** The first step in order that has not ended. */
  readonly firstOpen: 'none' | 'blocked' | 'under way';
  readonly hasFailedStep: boolean;
  readonly postprocess: 'none' | 'blocked' | 'under way' | 'ended';
}

/**
 * What is to be done: release the first open step or the postprocess, cancel the steps that are left or the postprocess, end the batch
 * (with its children, with its postprocess's outcome, as failed or as cancelled), or wait for what is under way.
 */
export type BatchMove =
  | 'wait'
  | 'release step'
  | 'release postprocess'
  | 'cancel steps'
  | 'cancel postprocess'
  | 'complete'
  | 'take outcome'
  | 'fail'
  | 'cancel';

export function nextMove(batch: BatchView): BatchMove {
  const stops = batch.isCancelled || (batch.onFailure === 'stop' && batch.hasFailedStep);
  if (batch.firstOpen !== 'none') {
    if (stops) return 'cancel steps';
    return batch.kind === 'serial' && batch.firstOpen === 'blocked' ? 'release step' : 'wait';
  }
  if (batch.postprocess === 'under way') return batch.isCancelled ? 'cancel postprocess' : 'wait';
  if (batch.isCancelled) return batch.postprocess === 'blocked' ? 'cancel postprocess' : 'cancel';
  if (batch.onFailure === 'fail' && batch.hasFailedStep) return batch.postprocess === 'blocked' ? 'cancel postprocess' : 'fail';
  if (batch.postprocess === 'blocked') return 'release postprocess';
  return batch.postprocess === 'ended' ? 'take outcome' : 'complete';
}
