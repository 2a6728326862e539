/** The rule for an attempt that is over without an outcome of its own: whether its job goes on, when, and with which places. */

import { aborted } from './job-errors.js';
import type { JobState, QueuedJob } from './job-record.js';
import type { StoredOutcome } from './outcome.js';
import { recordedError } from './stored-error.js';

export type Sequel =
  | { readonly next: 'end'; readonly outcome: StoredOutcome }
  /** After a delay; its places are given back. */
  | { readonly next: 'later'; readonly delayMs: number }
  /** When it is its turn; its places are given back. */
  | { readonly next: 'in-line' }
  /** With the places that it has. */
  | { readonly next: 'at-once' };

/** A job whose cancellation may have been asked for. */
interface Cancellable {
  readonly cancel?: { readonly reason?: string | undefined };
}

/** The outcome of a job whose cancellation was asked for. */
export function outcomeOfCancel({ cancel }: Cancellable): StoredOutcome | undefined {
  return cancel === undefined ? undefined : { status: 'cancelled', reason: cancel.reason };
}

/** After an attempt that failed, or asked to run again. */
export function afterFailure(state: Cancellable, wanted: { readonly delayMs: number; readonly isPaused: boolean }): Sequel {
  const outcome = outcomeOfCancel(state);
  if (outcome !== undefined) return { next: 'end', outcome };
  if (wanted.delayMs > 0) return { next: 'later', delayMs: wanted.delayMs };
  return { next: wanted.isPaused ? 'in-line' : 'at-once' };
}

/** After an attempt whose end nobody will record. @param state - before this interruption was counted */
export function afterInterruption(
  job: Pick<QueuedJob, 'id' | 'taskName'>,
  { limit, delayMs }: QueuedJob['interruptionPolicy'],
  state: Cancellable & Pick<JobState, 'interruptions'>,
): Sequel {
  const interruptions = state.interruptions + 1;
  const outcome = outcomeOfCancel(state);
  if (outcome !== undefined) return { next: 'end', outcome };
  if (interruptions > limit)
    return { next: 'end', outcome: { status: 'failed', error: recordedError(aborted(job, interruptions, limit)) } };
  return delayMs > 0 ? { next: 'later', delayMs } : { next: 'at-once' };
}
