/**
 * Every error that Millrace throws, on one page: a class, a stable code, when it comes, and the next step. Errors of the database driver
 * pass through unchanged.
 */

/** A hundred years: a longer delay is a mistake, and may lead to no date at all. */
export const MAX_DELAY_MS = 100 * 366 * 86_400_000;

const brand = Symbol.for('millrace.error');

/** The base of all errors of Millrace; `code` never changes, messages may. */
export abstract class MillraceError extends Error {
  abstract readonly code: `MILLRACE_${string}`;
  readonly [brand] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Tells an error of Millrace, also one from another installed copy of the package. */
export function isMillraceError(error: unknown): error is MillraceError {
  return typeof error === 'object' && error !== null && brand in error;
}

/**
 * Whether this error has the code, also if it comes from another installed copy. The thrown value may be a proxy that throws on every
 * access.
 */
export function hasCode(thrown: unknown, code: string): boolean {
  try {
    return isMillraceError(thrown) && thrown.code === code;
  } catch {
    return false;
  }
}

// ---- Told to the programmer, at once

/** An option is unknown, of the wrong type or out of range. Correct the call that the message names. */
export class OptionError extends MillraceError {
  readonly code = 'MILLRACE_OPTION';
}

/** The value is not a task. Put `@Task()` on the method, or make one with `task(name, fn)`. */
export class NotATaskError extends MillraceError {
  readonly code = 'MILLRACE_NOT_A_TASK';
}

/** `start(container)` found problems; the message lists all of them and nothing was started. Correct each of them, then start again. */
export class StartError extends MillraceError {
  readonly code = 'MILLRACE_START';

  constructor(readonly problems: readonly string[]) {
    super(`Millrace cannot start:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/**
 * The database cannot keep what a store promises, or something in it cannot be read. Do what the message says, then start, or queue the
 * job, again.
 */
export class StoreError extends MillraceError {
  readonly code = 'MILLRACE_STORE';
}

/**
 * The database could not be reached at the start; the message says where it was looked for, and why it was not found. See that it runs and
 * that its address is right, then call `start` again, with the same container if you like; `connectTimeoutMs` of `mongoStore` says how long
 * `start` tries.
 */
export class DatabaseUnreachableError extends MillraceError {
  readonly code = 'MILLRACE_DATABASE_UNREACHABLE';
}

/** `currentTask()` was called where no task runs. Call it inside a task, before the task has returned. */
export class NoCurrentTaskError extends MillraceError {
  readonly code = 'MILLRACE_NO_CURRENT_TASK';
}

/**
 * The session of a task was asked for where it has none. Declare the task `transactional: true`, and use the session before its method has
 * ended.
 */
export class NoTransactionError extends MillraceError {
  readonly code = 'MILLRACE_NO_TRANSACTION';
}

/** The service has not been started, or was stopped. Await `start(container)` first, queue before `stop()`. */
export class NotRunningError extends MillraceError {
  readonly code = 'MILLRACE_NOT_RUNNING';
}

// ---- Told at queueing; nothing was queued

/**
 * A value cannot be stored; `path` says where it stands, such as `arguments[1].onDone`. Pass plain data: `[...map]`, `{ ...object }`, an
 * id.
 */
export class UnstorableError extends MillraceError {
  readonly code = 'MILLRACE_UNSTORABLE';

  constructor(
    readonly path: string,
    fact: string,
    options?: ErrorOptions,
  ) {
    super(`\`${path}\` ${fact}`, options);
  }
}

/**
 * Arguments, metadata, a result, progress or an annotation are larger than the limit, or than the space that is left in their job; or too many levels
 * of jobs are nested. Store the data elsewhere and pass its key, or let a task queue the next of the jobs.
 */
export class TooLargeError extends MillraceError {
  readonly code = 'MILLRACE_TOO_LARGE';
}

/**
 * A function of `around` has not called `next` before it ended, or has called it twice. Call it once, and wait for it; or throw, if the
 * task is not to run.
 */
export class MiddlewareError extends MillraceError {
  readonly code = 'MILLRACE_MIDDLEWARE';
}

/** A job names a quota that is not configured. Add it to `quotas` of `asyncModule`. */
export class UnknownQuotaError extends MillraceError {
  readonly code = 'MILLRACE_UNKNOWN_QUOTA';
}

/**
 * A job could never run: it needs more places than a quota has, or a quota that a batch around it holds already, or one before that in lock
 * order; or the task that waits for it holds the places that it needs. Raise the size, give the batch `quotas: []`, or return the job
 * instead of waiting for it.
 */
export class QuotaError extends MillraceError {
  readonly code = 'MILLRACE_QUOTA';
}

/**
 * No job has this id: it was never queued, or it was removed when its retention was over. Store the data of a job that you need for longer than the
 * store keeps it.
 */
export class JobNotFoundError extends MillraceError {
  readonly code = 'MILLRACE_JOB_NOT_FOUND';
}

/**
 * The operation is not possible in the job's status, such as a retry of a completed job, or a job added to a batch that has ended. The
 * message says what is possible.
 */
export class JobStateError extends MillraceError {
  readonly code = 'MILLRACE_JOB_STATE';
}

/** `getJob(id, task)` found a job of another task. Ask without the task, or for the right one. */
export class JobTypeError extends MillraceError {
  readonly code = 'MILLRACE_JOB_TYPE';
}

/**
 * The database has not answered in time: the request may have been executed or not. Look for the job, or give it a key that makes asking
 * again safe.
 */
export class UncertainError extends MillraceError {
  readonly code = 'MILLRACE_UNCERTAIN';
}

/**
 * A job is waited for before its transaction has committed, so that nobody can run it yet; or a job was queued in a transaction that is
 * over, or in a session without one; or a transactional task has ended its transaction itself, or met a limit of MongoDB. Wait after the
 * commit; await calls that queue before the transaction's function returns; else do what the message says.
 */
export class TransactionError extends MillraceError {
  readonly code = 'MILLRACE_TRANSACTION';
}

/**
 * A transaction of the memory store met another one that committed first. Run it again, as `async.transaction` and transactional tasks do
 * by themselves; on MongoDB the driver's own error says so, with the same label `TransientTransactionError`.
 */
export class ConflictError extends MillraceError {
  readonly code = 'MILLRACE_CONFLICT';
  /** As MongoDB labels its own. */
  readonly errorLabels: readonly string[] = ['TransientTransactionError'];

  /** @param done - what the other transaction has done */
  constructor(done: string) {
    super(`another transaction has ${done} meanwhile; run this one again`);
  }
}

/**
 * The principal may not do this: it is gone or disabled, lacks a role that the task requires, or would act as somebody else. Also recorded
 * as the error of a job, which is not retried by itself. Grant what the message names, then queue the job again.
 */
export class UnauthorizedError extends MillraceError {
  readonly code = 'MILLRACE_UNAUTHORIZED';
}

// ---- Told to a waiter

/** The job failed; `cause` is the error of the task, `jobId` and `taskName` say whose. Look at the cause. */
export class JobFailedError extends MillraceError {
  readonly code = 'MILLRACE_JOB_FAILED';

  constructor(
    readonly jobId: string,
    readonly taskName: string,
    cause: Error,
  ) {
    super(`job ${jobId} (${taskName}) failed: ${cause.message}`, { cause });
  }
}

/** The reasons that Millrace itself gives for a cancellation, and their texts. */
export const CANCEL_REASONS = Object.freeze({
  'step-failed': 'another job of its batch failed',
  'batch-expired': 'its batch was not started in time',
  'record-damaged': 'its record is damaged',
});

export type CancelReason = keyof typeof CANCEL_REASONS;

function cancelText(reason: string): string {
  return Object.hasOwn(CANCEL_REASONS, reason) ? CANCEL_REASONS[reason as CancelReason] : reason;
}

/**
 * The job was cancelled; `reason` is what `cancel(reason)` was given, or an identifier where Millrace did it. No action is needed: somebody
 * requested it.
 */
export class JobCancelledError extends MillraceError {
  readonly code = 'MILLRACE_JOB_CANCELLED';

  constructor(
    readonly jobId: string,
    readonly taskName: string,
    readonly reason: string | undefined,
  ) {
    super(`job ${jobId} (${taskName}) was cancelled${reason === undefined ? '' : `: ${cancelText(reason)}`}`);
  }
}

/** The waiter's own `timeoutMs` is over; the job goes on. Wait again, or cancel it. */
export class WaitTimeoutError extends MillraceError {
  readonly code = 'MILLRACE_WAIT_TIMEOUT';
}

// ---- Recorded as the error of a job

/** An attempt ran longer than the task's `timeoutMs`. Heed `currentTask().signal`, or raise the limit. */
export class TaskTimeoutError extends MillraceError {
  readonly code = 'MILLRACE_TASK_TIMEOUT';
}

/** The job was not started by its `beginBy`. See whether a dispatcher accepts the task and its quotas have room. */
export class ExpiredError extends MillraceError {
  readonly code = 'MILLRACE_EXPIRED';
}

/**
 * The job was interrupted (its process died or stopped) more often than its policy allows. Find out what ends the process, then queue it
 * again.
 */
export class AbortedError extends MillraceError {
  readonly code = 'MILLRACE_ABORTED';
}

/** Children of a batch with `onFailure: 'fail'` failed; `cause` is the error of the first. Look at the children that failed. */
export class BatchFailedError extends MillraceError {
  readonly code = 'MILLRACE_BATCH_FAILED';
}

/**
 * A task returned a job, or waits for one, that waits, directly or not, for the task's own job. Return another job, or a value; let a
 * callback do the later work.
 */
export class CircularJobError extends MillraceError {
  readonly code = 'MILLRACE_CIRCULAR_JOB';
}

/** The reasons for which a seal is refused, and their meanings. */
export const SEAL_REASONS = Object.freeze({
  missing: 'has no seal: it was queued by a process without secrets, or its seal was taken away',
  altered: 'does not match its seal: its record was altered, or copied from another job',
  expired: 'was not run in time: its seal has expired',
  'unknown-key': 'names a key that is not in `secrets` of this process',
  'no-secrets': 'is sealed, but this process has no `secrets` to check it with',
});

/**
 * A job was not queued as it is by a process that has the keys, or its seal has expired; `reason` says which. None of its code has run, and
 * it is never retried by itself. Find out who wrote to the database, or which process lacks a key (`docs/security.md`), and queue its work
 * again.
 */
export class SealError extends MillraceError {
  readonly code = 'MILLRACE_SEAL';

  constructor(
    readonly reason: keyof typeof SEAL_REASONS,
    message: string,
  ) {
    super(message);
  }
}

/** A document that an argument refers to is gone; `reference` says which. See who removed it, and queue the job with another. */
export class ContextNotFoundError extends MillraceError {
  readonly code = 'MILLRACE_CONTEXT_NOT_FOUND';

  constructor(
    readonly reference: string,
    message: string,
  ) {
    super(message);
  }
}

// ---- Thrown by tasks

/**
 * Thrown by a task that wants to run again later; counts neither as a failure nor as an attempt used up. You throw it: `throw new
 * RetryLater(60_000)`.
 */
export class RetryLater extends MillraceError {
  readonly code = 'MILLRACE_RETRY_LATER';

  /** @param delayMs - milliseconds to wait before the next attempt */
  constructor(readonly delayMs: number) {
    super(`asked to run again in ${delayMs} ms`);
    if (!(typeof delayMs === 'number' && delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
      throw new OptionError(`\`delayMs\` of RetryLater must be a number of milliseconds from 0 to a hundred years, but is ${delayMs}`);
    }
  }
}

// ---- Thrown by the testing kit

/**
 * `waitForAllJobs()` found jobs that nothing will ever end; the message says which. See with `(await job.explain()).text` what they wait
 * for.
 */
export class EndlessJobsError extends MillraceError {
  readonly code = 'MILLRACE_ENDLESS_JOBS';
}
