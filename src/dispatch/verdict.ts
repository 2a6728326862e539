/** Decides what an attempt's end means for its job: an outcome, another attempt, or an interruption. */

import { hasCode, JobCancelledError, type RetryLater, TaskTimeoutError, TooLargeError, type UnauthorizedError } from '../errors.js';
import { referenceOf } from '../job/future.js';
import type { JobPlan } from '../job/job-plan.js';
import type { JobTree, QueuedJob } from '../job/job-record.js';
import { JobReference } from '../job/job-reference.js';
import { Payload } from '../job/payload.js';
import { type RetryPolicy, retriesConflict, retryDelay } from '../job/retry-policy.js';
import { recordedError, redactedError, type StoredError, storedError } from '../job/stored-error.js';
import { recordOrThrow } from '../store/insert-result.js';
import type { AttemptInfo as AttemptNumbers, FollowOutcome, InsertResult, Settlement } from '../store/store-messages.js';
import type { RetryCause } from '../task/attempt-events.js';
import type { Logger } from '../task/logger.js';
import type { Abort, Ending } from './attempt.js';

export type Verdict = { readonly type: 'end'; readonly outcome: Settlement['outcome'] } | Again | { readonly type: 'interrupted' };

export interface Again {
  readonly type: 'again';
  readonly delayMs: number;
  readonly because: RetryCause;
  /** Of a failure it is stored, and counts. */
  readonly error?: StoredError;
}

/** The attempt met a conflict with another transaction, which is not a fault of its job. */
export interface Conflict {
  readonly type: 'conflict';
  readonly thrown: unknown;
}

export interface AttemptContext {
  readonly job: QueuedJob;
  readonly numbers: AttemptNumbers;
  readonly policy: RetryPolicy;
  readonly valueLimitBytes: number;
  readonly random: () => number;
  /** Whether its error messages are kept. */
  readonly redacts: boolean;
  /** That of the attempt; for a policy that is itself broken. */
  readonly logger: Logger;
}

/** Judges how an attempt ended. The reason of an abort decides only if the method threw: work that was done counts. */
export function judge(ending: Ending, abort: Abort | undefined, context: AttemptContext): Verdict {
  if ('value' in ending) return judgeValue(ending.value, context);
  if (abort?.cause === 'cancelled') return { type: 'end', outcome: { status: 'cancelled', reason: cancelReason(abort.reason) } };
  if (abort?.cause === 'stopped') return { type: 'interrupted' };
  return judgeError(ending.thrown, context);
}

/** Whether the error of an attempt is a conflict to outlast: one that its policy retries. */
export function isConflict(thrown: unknown, context: AttemptContext): boolean {
  return !hasCode(thrown, UNAUTHORIZED) && asked(context, (policy) => retriesConflict(policy, thrown)) === true;
}

/** The verdict on an attempt that met a conflict, and is made once more: not as a failure. */
export function judgeConflict(thrown: unknown, context: AttemptContext): Again {
  return { type: 'again', delayMs: 0, because: 'conflict', error: errorOf(thrown, context) };
}

/** The verdict on an attempt that ran too long, whatever its method does later. */
export function judgeTimeout(timeoutMs: number, context: AttemptContext): Verdict {
  const { id, taskName } = context.job;
  const thrown = new TaskTimeoutError(`job ${id} (${taskName}) ran longer than its \`timeoutMs\` of ${timeoutMs}`);
  return judgeError(thrown, context, recordedError(thrown));
}

function judgeValue(value: unknown, context: AttemptContext): Verdict {
  const stands = referentOf(value);
  if (stands instanceof JobReference) return { type: 'end', outcome: { status: 'follows', job: stands.id } };
  try {
    const result = Payload.of(value, 'result');
    if (result.bytes > context.valueLimitBytes) throw tooLarge(result, context);
    return { type: 'end', outcome: { status: 'completed', result } };
  } catch (error) {
    return { type: 'end', outcome: { status: 'failed', error: errorOf(error, context) } };
  }
}

/** A result may be one that throws when it is read; `Payload` will say so. */
function referentOf(value: unknown): unknown {
  try {
    return value instanceof JobReference ? value : referenceOf(value);
  } catch {
    return undefined;
  }
}

/** The plan of a draft, where a task returned one. */
export function retryPlanOf(value: unknown): JobPlan | undefined {
  const stands = referentOf(value);
  return stands === undefined || stands instanceof JobReference ? undefined : (stands as JobPlan);
}

/** The end of a job whose task returned a draft; one that was there under its unique key is not cancelled with it. */
export function following([root]: JobTree, inserted: InsertResult): FollowOutcome {
  const { id } = recordOrThrow(inserted).job;
  return id === root.id ? { status: 'follows', job: id, isOwn: true } : { status: 'follows', job: id };
}

function tooLarge(result: Payload, { job, valueLimitBytes }: AttemptContext): TooLargeError {
  return new TooLargeError(
    `the result of job ${job.id} (${job.taskName}) takes ${result.bytes} bytes, but the limit is ${valueLimitBytes}; store the data elsewhere and return its key, or raise \`valueLimitBytes\``,
  );
}

function errorOf(thrown: unknown, { redacts, job: { id, taskName } }: AttemptContext): StoredError {
  return redacts ? redactedError(thrown, `job ${id} (${taskName})`) : storedError(thrown);
}

function judgeError(thrown: unknown, context: AttemptContext, error = errorOf(thrown, context)): Verdict {
  if (isRetryLater(thrown)) return { type: 'again', delayMs: thrown.delayMs, because: 'retry-later' };
  const delayMs = delayAfter(thrown, context);
  return delayMs === undefined
    ? { type: 'end', outcome: { status: 'failed', error } }
    : { type: 'again', delayMs, because: 'failed', error };
}

const RETRY_LATER: RetryLater['code'] = 'MILLRACE_RETRY_LATER';

/** More tries do not help: the principal needs more rights. */
const UNAUTHORIZED: UnauthorizedError['code'] = 'MILLRACE_UNAUTHORIZED';

function isRetryLater(thrown: unknown): thrown is RetryLater {
  return hasCode(thrown, RETRY_LATER);
}

function delayAfter(thrown: unknown, context: AttemptContext): number | undefined {
  if (hasCode(thrown, UNAUTHORIZED)) return undefined;
  const { numbers, random } = context;
  return asked(context, (policy) => retryDelay(policy, { failures: numbers.failures + 1, error: thrown, random: random() }));
}

/** The answer of the policy; `undefined` if the policy throws. */
function asked<T>({ job, policy, redacts, logger }: AttemptContext, ask: (policy: RetryPolicy) => T): T | undefined {
  try {
    return ask(policy);
  } catch (error) {
    logger.error(`the retry policy of ${job.taskName} failed, so job ${job.id} is not retried`, redacts ? undefined : { err: error });
    return undefined;
  }
}

function cancelReason(reason: unknown): string | undefined {
  return reason instanceof JobCancelledError ? reason.reason : undefined;
}
