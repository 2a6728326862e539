/// <reference lib="esnext.disposable" preserve="true" />
/** `IAsyncService`: how an application talks to Millrace; an interface, and the symbol it is injected by. */

import type { Observable } from 'rxjs';
import type { Paused } from '../job/pauses.js';
import type { Principal, PrincipalReference } from '../job/principal.js';
import type { QuotaName, Session } from '../job/register.js';
import type { DispatcherEvent } from '../store/dispatcher-event.js';
import type { StoreSession } from '../store/job-store.js';
import type { ArgsOf, ResultOf, SignatureOf, TaskLike } from '../task/task.js';
import type { DeadLetter } from './dead-letters.js';
import type { Events, JobEvent } from './events.js';
import type { Draft, Job, JobsOf as Jobs, Queueable, QueueResult } from './job.js';
import type { JobFilter } from './job-filter.js';
import type { Pausable } from './pause-options.js';
import type { Queues } from './queues.js';
import type { StopOptions, StopReport } from './stop-options.js';
import type { UnreadableJob } from './unreadable-jobs.js';

type QueueArgs<W> = W extends Draft<unknown> ? [] : ArgsOf<SignatureOf<W>>;

/** A read-only view of the dispatcher of this process. */
export interface DispatcherView {
  /** Its name: a label, which other dispatchers may have as well. */
  readonly name: string;
  /** The latest first, then each that follows; completes with its stop. A handler that throws is logged and changes nothing. */
  readonly events: Observable<DispatcherEvent>;
  /** The jobs that it has in hand, and which run of each this is. */
  readonly running: readonly RunningJob[];
  /** How many jobs it has claimed since its start. */
  readonly claimed: number;
  /** Whether no claim and no record is under way. */
  readonly isSettled: boolean;
}

export interface RunningJob {
  readonly id: string;
  readonly taskName: string;
  readonly attempt: number;
}

export interface IAsyncService {
  /**
   * Queues a call of a task, or a draft. Once the promise has resolved, the job is stored for good.
   * @throws UnstorableError, TooLargeError, UnknownQuotaError, QuotaError, NotATaskError, NotRunningError; nothing is queued then
   * @example
   * const job = await async.queueJob(addNumbers, 40, 2);
   * await job.waitForResult(); // 42
   */
  queueJob<W extends Queueable>(work: W, ...args: QueueArgs<W>): Promise<Job<QueueResult<W>>>;
  /** Queues a batch whose jobs run one after another. @throws as `queueJob` does */
  queueSerialJobs<D extends Draft<unknown>[]>(...drafts: D): Promise<Job<Jobs<D>>>;
  /** Queues a batch whose jobs run side by side. @throws as `queueJob` does */
  queueParallelJobs<D extends Draft<unknown>[]>(...drafts: D): Promise<Job<Jobs<D>>>;
  /**
   * Queues many drafts at once, in their order; each is a job of its own.
   * @throws as `queueJob` does; nothing is queued where one is bad
   */
  queueJobs<D extends Draft<unknown>[]>(drafts: readonly [...D]): Promise<Jobs<D>>;
  /**
   * Adds jobs to the end of a batch: of a serial one they run when those before them have ended, of a parallel one at once.
   * All of them, or none. The batch's result has them as well. A step finds its own batch in `currentTask().batch`.
   * @param batch - the batch, or its id
   * @throws JobStateError when the jobs of the batch have ended, or it is being cancelled; JobNotFoundError; as `queueJob` does
   */
  extendBatch<D extends Draft<unknown>[]>(batch: Job<unknown> | string, ...drafts: D): Promise<Jobs<D>>;
  /** Any job, from any process; typed by `task`. @throws JobTypeError when it is another task's */
  getJob<T extends TaskLike = never>(
    id: string,
    task?: T,
  ): Promise<Job<[T] extends [never] ? unknown : ResultOf<SignatureOf<T>>> | undefined>;
  /** Jobs of any queue, in the order of their insertion. @throws OptionError */
  getJobs(filter?: JobFilter): Promise<readonly Job<unknown>[]>;
  /**
   * Cancels all jobs that pass and whose work is not over, as `job.cancel(reason)` does with each: many calls, not one step.
   * @returns how many were asked to end
   * @throws OptionError, also for a filter that says nothing, and so would mean every job
   */
  cancelJobs(filter: JobFilter, reason?: string): Promise<number>;
  /**
   * The dead letters: jobs that failed and were not retried, the latest first. In place of jobs of a batch that failed as well,
   * the topmost such batch, also where only these pass the filter. @throws OptionError
   */
  getDeadLetters(filter?: Omit<JobFilter, 'statuses'>): Promise<readonly DeadLetter[]>;
  /**
   * Retries all jobs that pass and can be retried, as `job.retry()` does with each: failed jobs, unless the filter says otherwise, that
   * were not retried before. In place of jobs of a batch that failed as well, or ended as the filter says, the topmost such batch.
   * @returns the jobs that were queued; none for a job that is gone, whose unique key another one has, or that another call retried
   * @throws OptionError, also for a filter that says nothing, and so would mean every job
   */
  retryJobs(filter: JobFilter): Promise<readonly Job<unknown>[]>;
  /**
   * Jobs that wait, and that the tasks of this process could not run: of no task of it, or with arguments that are too old,
   * or too new, for the task's `upcast`; and those that have failed because their records were damaged. Looks at every job that has
   * not ended. @throws OptionError
   */
  getUnreadableJobs(filter?: Omit<JobFilter, 'statuses'>): Promise<readonly UnreadableJob[]>;
  /**
   * Runs code in a transaction of the store: jobs that are queued inside, and callbacks added to jobs, become visible with its commit, or
   * never. `session` is for the application's own writes. After a conflict the code runs again, with nothing queued yet. Inside another
   * transaction it joins that. Calls that queue must be awaited inside; a job can be waited for, watched and cancelled after the commit.
   * @throws the code's error, which aborts the transaction; TransactionError for a job that is queued too late
   * @example
   * const job = await async.transaction(async (session) => {
   *   await orders.insertOne(order, { session });
   *   return async.queueJob(mails.confirm, order.id);
   * });
   */
  transaction<T>(fn: (session: Session) => Promise<T>): Promise<T>;
  /**
   * Runs code as a principal: its jobs are queued, and run, as this principal. Called once, by the middleware of a web framework, it
   * follows the code through promises, timers and streams. With `roles`, the principal is checked already at queueing. Inside another
   * `runAs`, and in a task, only the same principal and `anonymous` are allowed, unless the Authorizer's `mayActAs` allows more; `system`
   * may act as everybody.
   * @returns what the code returns
   * @throws UnauthorizedError, before the code runs; OptionError; what the code throws
   * @example app.use((request, response, next) => async.runAs({ realm: 'staff', id: request.user.name }, next));
   */
  runAs<T>(principal: PrincipalReference | Principal, fn: () => T): T;
  /**
   * As `transaction`, in one that the application has begun and commits itself: everything that `fn` queues is
   * stored through the session when `fn` has ended. Nothing else may use the session at that moment.
   * @throws OptionError if this is not a session of the store; TransactionError if the session is not in a transaction
   * @throws whatever the code and the store throw, with the driver's labels; the application aborts then, or runs it again
   * @example
   * await client.withSession((session) => session.withTransaction(async () => {
   *   await orders.insertOne(order, { session });
   *   await async.withSession(session, () => async.queueJob(mails.confirm, order.id));
   * }));
   */
  withSession<T>(session: Session | StoreSession, fn: () => Promise<T>): Promise<T>;
  /**
   * Pauses everything, a queue or a task, in the whole deployment and until it is resumed: no job of it begins, no batch of a paused queue
   * is opened; running jobs go on. Jobs can be queued, and expire. Resolves when every living dispatcher follows.
   * @throws OptionError, NotATaskError
   */
  pause(what: Pausable): Promise<void>;
  /**
   * Resumes what was paused with the same argument; a queue or task that was paused on its own stays paused when everything is resumed.
   * @throws as `pause` does
   */
  resume(what: Pausable): Promise<void>;
  /** The queues and tasks that are paused now; tasks by the names under which jobs are stored. */
  getPaused(): Promise<Paused>;
  /**
   * Sets the size of a quota for the whole deployment, until the configuration names another size than it does now. Made smaller, it lets
   * running jobs end first. @throws UnknownQuotaError, OptionError
   */
  resizeQuota(quota: QuotaName, size: number): Promise<void>;
  getQueues(): Queues;
  readonly events: Events;
  /**
   * As `events.all`, but whichever process the jobs ended in: each once, from about when one subscribes. Everybody who subscribes in a
   * process shares one change stream. Outcomes during a time for which a database has lost its history are missing.
   */
  outcomes(): Observable<JobEvent<unknown>>;
  /** `undefined` in a process that only queues. */
  readonly dispatcher: DispatcherView | undefined;
  /** Takes no more jobs to run; those that run go on, and jobs can still be queued. */
  quiet(): Promise<void>;
  /**
   * Queues no more, waits for running jobs as long as `stopMs` says, then aborts them. With `drain` it finishes jobs first: in memory all
   * that can still run, also those that are queued meanwhile; in a database those that this process has in hand.
   * @returns with options, how many jobs it has left
   * @throws OptionError
   * @example const { left } = await async.stop({ drain: true, timeoutMs: 20_000 });
   */
  stop(): Promise<void>;
  stop(options: StopOptions): Promise<StopReport>;
  /**
   * `stop()`, at the end of a block that has begun with `await using`.
   * @example await using async = await start(container);
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The injection symbol, which carries its type: `container.get(IAsyncService)` is an `IAsyncService`. */
export const IAsyncService = Symbol.for('millrace.IAsyncService') as symbol & (abstract new () => IAsyncService);
