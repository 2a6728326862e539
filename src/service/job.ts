/** Drafts, jobs and callbacks as an application holds them, and the types of their results. */

import type { Observable } from 'rxjs';
import type { AbortSignalType } from '../abort-signal.js';
import type { FailureLogLevel } from '../job/failure-log-level.js';
import type { Future, result } from '../job/future.js';
import type { OnFailure, Progress } from '../job/job-record.js';
import type { FinalStatus, Status } from '../job/job-status.js';
import type { Metadata } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import type { PrincipalReference } from '../job/principal.js';
import type { Quotas } from '../job/register.js';
import type { StoredRetry } from '../job/retry-policy.js';
import type { StoredError } from '../job/stored-error.js';
import type { UniqueOptions } from '../job/unique-key-options.js';
import type { AnyFunction, ArgsOf, ResultOf, SignatureOf, TaskLike } from '../task/task.js';
import type { Explanation } from './explanation.js';

/** The options of one job. Its task or its batch decides about those that are left out. A step or a callback has no unique key. */
export interface JobOptions extends UniqueOptions {
  /** A name of your own for it, for people who look at the queue. */
  readonly name?: string | undefined;
  /** @default that of its batch or its job, else '' */
  readonly queue?: string | undefined;
  /** The quotas it takes places of; none for `[]`. @default those of its task, else 'default', or none inside a batch */
  readonly quotas?: Quotas | undefined;
  /** An integer; lower goes first. @default that of its batch or its job, else 0 */
  readonly priority?: number | undefined;
  /** Milliseconds to wait, from when it could begin. Not with `beginAfter`. */
  readonly delayMs?: number | undefined;
  /** Not before. Not with `delayMs`. */
  readonly beginAfter?: Date | undefined;
  /** If it has not been started by then, it fails with `ExpiredError`. */
  readonly beginBy?: Date | undefined;
  /** In place of the task's policy; without functions, since it is stored with the job. */
  readonly retry?: StoredRetry | undefined;
  /**
   * How long it is kept after its end, in milliseconds, by a store that keeps jobs by time. A step of a batch, or a
   * callback, is kept as long as the job at the top, whose own time counts. @default that of its task, else the store's own
   */
  readonly keepMs?: number | undefined;
  /**
   * How its failure is logged, in the process that records it; with 'none' its retries are not logged either.
   * @default that of its task, else 'error'
   */
  readonly failureLogLevel?: FailureLogLevel | undefined;
  /**
   * On whose behalf it runs, with everything below it. Code that runs on somebody's behalf itself may name another one only where
   * the Authorizer's `mayActAs` allows it, or the queueing is refused with `UnauthorizedError`.
   * @default who queues it; of a step, a callback or a returned draft that of the job above
   */
  readonly principal?: PrincipalReference | undefined;
  /**
   * A few facts about it, such as its tenant, for the code that runs it and for everybody who looks at it: at most 20 keys and 2 KiB.
   * Without secrets; it is not encrypted. It is added to the metadata that it inherits by `inheritMetadata` of `asyncModule`, and counts
   * before that.
   * @default {}
   */
  readonly metadata?: Metadata | undefined;
}

export interface BatchOptions extends JobOptions {
  /** When a child fails: run the rest, cancel the rest, or run the rest and fail. @default 'continue' */
  readonly onFailure?: OnFailure | undefined;
}

/** A job as it was at one moment. */
export type JobSnapshot<R> = Seen & ({ readonly status: Exclude<Status, FinalStatus> } | Outcome<R>);

interface Seen extends Described {
  readonly id: string;
  readonly attempts: number;
  readonly progress: Progress | undefined;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** The queued job, the time, and its dispatcher. */
export interface Described {
  readonly taskName: string;
  /** The name that the caller gave it. */
  readonly name: string | undefined;
  readonly queue: string;
  /** Lower goes first. */
  readonly priority: number;
  /** On whose behalf it runs. */
  readonly principal: PrincipalReference;
  /** Its own metadata, and the inherited one. */
  readonly metadata: Metadata;
  /** The id of the batch that it is part of, or of the job that it is a callback of. */
  readonly parent: string | undefined;
  readonly queuedAt: Date;
  /** When it may begin, while it is scheduled. */
  readonly dueAt: Date | undefined;
  /** When its latest run began. */
  readonly startedAt: Date | undefined;
  /** When its work ended, before its callbacks. */
  readonly endedAt: Date | undefined;
  /** The dispatcher that runs it, or ran it last. */
  readonly dispatcher: string | undefined;
}

declare const input: unique symbol;

/** Runs after a job, with its value as the first argument; what `callback(task, …rest)` gives. */
export interface Callback<in V, out R> {
  readonly [input]: (value: V) => void;
  readonly [result]: R;
  with(options: JobOptions): Callback<V, R>;
}

/** A callback that takes a `V`: a task that takes it, `callback(task, …rest)`, or a draft, which runs as it is. */
export type CallbackFor<V> = TaskLike<(value: V) => unknown> | Callback<V, unknown> | Draft<unknown>;

/** Callbacks for the two sides of an outcome; where one is missing, the outcome is passed through. */
export interface Callbacks<R> {
  readonly success?: CallbackFor<R>;
  readonly failure?: CallbackFor<StoredError>;
}

/** A job that is not queued yet. It never changes: everything that begins with `with` gives a new one. */
export interface Draft<out R> extends Future<R> {
  /** @throws OptionError */
  with(options: JobOptions): Draft<R>;
  /** Runs `callback` with the outcome, however the job ends. */
  withCallback(callback: CallbackFor<Outcome<R>>): Draft<R>;
  /** Runs one of the two: with the result, or with the stored error. A cancelled job runs neither. */
  withCallbacks(callbacks: Callbacks<R>): Draft<R>;
}

/** A batch that is not queued yet. */
export interface BatchDraft<out J extends readonly Job<unknown>[]> extends Draft<J> {
  /** @throws OptionError */
  with(options: BatchOptions): BatchDraft<J>;
  withCallback(callback: CallbackFor<Outcome<J>>): BatchDraft<J>;
  withCallbacks(callbacks: Callbacks<J>): BatchDraft<J>;
  /** The batch's result is then the value that a task, or `callback(task, …rest)`, makes of the child jobs. @throws NotATaskError */
  postprocess<const T extends TaskLike<(jobs: J) => unknown> | Callback<J, unknown>>(task: T): Draft<CallbackResult<T>>;
}

/** A queued job as last seen: `refresh`, waiting for it, and a subscription to `changes` bring it up to date. */
export interface Job<out R> extends Future<R> {
  readonly id: string;
  readonly taskName: string;
  /**
   * It was there already when it was to be queued, since its unique key was taken: nothing was queued, and arguments, options
   * and callbacks that were given are not this job's.
   */
  readonly isExisting: boolean;
  readonly status: Status;
  /** The facts of its draft, and the inherited ones; frozen. */
  readonly metadata: Metadata;
  /** How often a run of it began. */
  readonly attempts: number;
  readonly progress: Progress | undefined;
  readonly annotations: Readonly<Record<string, unknown>>;
  /** The id of the job that was queued in its place by a retry. */
  readonly retriedAs: string | undefined;
  /** Set once the job has completed. */
  readonly result: R | undefined;
  /** Set once the job has failed. */
  readonly error: StoredError | undefined;
  /** Set once the job has ended, its callbacks included. */
  readonly outcome: Outcome<R> | undefined;
  /** All of it as last seen. */
  readonly snapshot: JobSnapshot<R>;
  /**
   * As it is now, then after each change; completes with the job's end; fails with the task that subscribed, when that is aborted. A
   * handler that throws changes nothing.
   */
  readonly changes: Observable<JobSnapshot<R>>;
  /**
   * Why it is not running now: which quota, who has its places and since when, which jobs come before it, when it is due, whether any
   * dispatcher accepts it. Only reads, from the store.
   * @throws JobNotFoundError when its retention is over
   */
  explain(): Promise<Explanation>;
  /** The same now, and again whenever it reads otherwise, looked at each second, until the job has ended. */
  readonly explanations: Observable<Explanation>;
  /** @throws JobNotFoundError when its retention is over */
  refresh(): Promise<JobSnapshot<R>>;
  /**
   * The result, once the job and its callbacks have ended.
   * @throws JobFailedError with the task's error as `cause`
   * @throws JobCancelledError
   * @throws WaitTimeoutError after `timeoutMs`; the job goes on
   * @throws the reason of `signal` when that is aborted, or of the signal of the task that waits; the job goes on
   * @throws QuotaError, CircularJobError in a task that the job could not end before: return the job instead
   */
  waitForResult(options?: WaitOptions): Promise<R>;
  /** The outcome, once the job and its callbacks have ended. @throws as `waitForResult` does, except for the job's own failure */
  waitForOutcome(options?: WaitOptions): Promise<Outcome<R>>;
  /** Adds a callback for every outcome, at any time; on a job that has ended it runs at once. */
  addCallback<C extends CallbackFor<Outcome<R>>>(callback: C): Promise<Job<CallbackResult<C>>>;
  /** Adds callbacks for the two sides; the job returned has the result of the side that ran. */
  addCallbacks<const C extends Callbacks<R>>(callbacks: C): Promise<Job<CallbacksResult<R, C>>>;
  /** Cancels it at once if it waits, aborts its signal if it runs; a batch cancels its children. No effect on a job that has ended. */
  cancel(reason?: string): Promise<void>;
  /**
   * Queues it again, with everything below it, when it has failed or was cancelled: as a new job, to begin at once, with its callbacks and
   * its unique key. The ended job stays as it is; its `retriedAs` names the new job, which further calls return again. A step leaves its
   * batch, which went on without it.
   * @throws JobStateError for a job that has not ended, or has completed; JobNotFoundError; whatever `queueJob` throws
   */
  retry(): Promise<Job<R>>;
}

export interface WaitOptions {
  /** @default no limit */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalType | undefined;
}

export type CallbackResult<C> =
  C extends Callback<never, infer R> ? R : C extends Draft<infer R> ? R : C extends TaskLike ? ResultOf<SignatureOf<C>> : never;

/** One side missing passes the value through. */
export type CallbacksResult<R, C> =
  | (C extends { success: infer S } ? CallbackResult<S> : R)
  | (C extends { failure: infer F } ? CallbackResult<F> : never);

/** The jobs that drafts become. */
export type JobsOf<D extends readonly Draft<unknown>[]> = { [I in keyof D]: D[I] extends Draft<infer R> ? Job<R> : never };

/** A task with its arguments, or a draft. */
export type Queueable = TaskLike | Draft<unknown>;
export type QueueResult<W> = W extends Draft<infer R> ? R : ResultOf<SignatureOf<W>>;

type Plain<F> = F extends AnyFunction ? F : never;
type Rest<A> = A extends readonly [unknown?, ...infer R] ? R : never;
type First<A> = A extends readonly [(infer F)?, ...unknown[]] ? F : never;

/** The result and the arguments of `callback(task, …rest)`. */
export type CallbackOf<T> = Callback<First<Parameters<Plain<SignatureOf<T>>>>, ResultOf<SignatureOf<T>>>;
export type RestOf<T> = Rest<ArgsOf<SignatureOf<T>>>;
