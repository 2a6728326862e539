/** The promises of a store: the port between Millrace and the place where jobs live. */

import type { Observable } from 'rxjs';
import type { AbortSignalType } from '../abort-signal.js';
import type { Clock } from '../clock.js';
import type { JobDetails } from '../job/job-details.js';
import type { JobRecord, JobTree } from '../job/job-record.js';
import type { Debounce } from '../job/job-sealer.js';
import type { Pausable, Paused } from '../job/pauses.js';
import type { QuotaLimits } from '../job/places.js';
import type { RateBook } from '../job/rates.js';
import type { ChangeFilter, StoreChange } from './store-changes.js';
import type { AgentInfo, Insight } from './store-insight.js';
import type {
  AttemptReport,
  ClaimedJob,
  ClaimRequest,
  InsertResult,
  JobQuery,
  RecoveryResult,
  ReleaseRequest,
  RescheduleRequest,
  RescheduleResult,
  Settlement,
} from './store-messages.js';

/**
 * Where jobs live. Each method handles each of its items atomically, and independently of the others: a failed item never affects the rest.
 * Once the promise resolves, the write is durable. Time is the store's own.
 *
 * The follow-up of an end (callbacks and next steps released, parents ended, places given back) is the store's duty: it begins before the
 * ending call resolves, and is done even if a process dies meanwhile.
 */
export interface JobStore {
  /**
   * Opens the store. New quotas are added to its book in their order, behind `default`, which has one place unless it is given. The given
   * rates hold from now on. So do the given sizes, unless the same were given last time: then a size that was set since stays.
   */
  start(setup: StoreSetup): Promise<void>;
  /**
   * Once all who started it have stopped it: completes the streams of `changes`, and releases every connection and timer. It can be
   * started again; until then a stream of `changes` completes at once, without a value.
   */
  stop(): Promise<void>;
  /** Whether its jobs live in this process alone, and end with it. */
  readonly isEmbedded?: boolean;
  /** The quotas' sizes in lock order, as last known. */
  readonly quotas: QuotaLimits;
  readonly transactions: Transactions;
  readonly controls: Controls;
  readonly schedules: Schedules;
  readonly insight: Insight;

  /**
   * Adds trees of jobs, each with all its jobs or not at all, in their order. A tree whose root names a parent joins it: a callback waits
   * for its end, or runs at once if that has come; a step becomes the last of its batch, and is refused if the batch takes no more steps.
   * An existing tree stays as it is. If another job has the unique key of a tree, the answer is that job; if a tree retries a job that was
   * retried before, the answer is the earlier retry.
   * @param session - of a transaction, with which all of it commits or vanishes: nobody sees it before, but it has
   * its place in the order from now on. The trees are new ones; the answers are the jobs that will exist after the commit
   */
  insert(trees: readonly JobTree[], session?: object): Promise<readonly InsertResult[]>;

  /**
   * Hands out up to `limit` jobs to be run at once, in order of priority, then insertion, and with them all their quota places. Never the
   * same job twice, never more places than a quota has; a job whose quota is full delays no other, and one that needs several places has
   * them saved up after a second. Where a quota has a rate, no more jobs are given places of it in any of its periods. Batches that are due
   * are opened on the way; they take places, but count nothing against `limit`.
   */
  claim(request: ClaimRequest): Promise<readonly ClaimedJob[]>;

  /** Records progress and annotations of running attempts, unless their token is stale. */
  report(reports: readonly AttemptReport[]): Promise<void>;

  /**
   * Records how attempts ended. A stale token changes nothing and answers `false`. A job that returned another one waits for that one's end
   * and takes its outcome, with its own places given back; it fails if that end could never come: in a circle, or if the other job needs
   * places that a batch around it holds. One whose cancellation was asked for is cancelled, together with a job that was queued for it. A
   * job whose result does not fit beside its stored data, or is refused by the database, fails with an error that says so.
   * @param session - of a transaction, with which all of it commits or vanishes: nobody sees it before. Then `false` also means that a
   *   cancellation was requested. A job that could never follow the one it returned, or whose result does not fit, is an error; the caller
   *   aborts the transaction.
   * If it is not committed, the attempt goes on. If the commit's result is unknown, the next call with this token reveals it.
   */
  settle(ends: readonly Settlement[], session?: object): Promise<readonly boolean[]>;

  /**
   * Gives jobs another attempt: at once, with a new token and the same places, or after a delay, the
   * places given back. A job that is paused waits in its line instead, its places given back; one whose cancellation
   * was asked for is cancelled, which refuses the attempt.
   */
  reschedule(again: readonly RescheduleRequest[]): Promise<readonly RescheduleResult[]>;

  /**
   * Takes back jobs that a dispatcher cannot go on with. A job that had not begun returns to its place in line as if never claimed; one
   * that had is interrupted, which is counted, and returns in front with its places, later, or not at all, as its limits say. For a job
   * that has ended, the places it kept are released.
   */
  release(holds: readonly ReleaseRequest[]): Promise<void>;

  /**
   * Cancels jobs with everything below them: waiting ones end at once, running ones are notified. A batch that has not begun has its
   * outcome at once as well, and is final with the last of the callbacks below it. A job that has ended stays as it is, also while its
   * callbacks run. Once the promise resolves, no job below a batch that has not begun can begin, on any level, by any claim under way.
   */
  cancel(ids: readonly string[], reason: string | undefined): Promise<void>;

  /**
   * Renews a dispatcher's lease, for `leaseMs` from now; `false` when the lease was over and others took its
   * jobs. With 0 ms it gives the lease up, and the jobs that it still holds come back as those of a dead one.
   * @param agents - its agents, for `insight`; kept from the first heartbeat that has them
   */
  heartbeat(dispatcher: string, leaseMs: number, agents?: readonly AgentInfo[]): Promise<boolean>;

  /**
   * Handles everything that has come due: scheduled jobs become pending, late ones expire, jobs and places of dispatchers whose lease is
   * over come back. Safe to be called by any number, at any time.
   * @returns also the attempts that count as the dispatcher's, so that it releases those that it does not run
   */
  recover(dispatcher: string): Promise<RecoveryResult>;

  /**
   * Jobs as they are now, in the order of their insertion (of those that had a due time, in that of the time), or as the query says; in
   * that of `ids`, if given. A call in the same turn in which `changes` emits an end finds the jobs that it names, however short the
   * retention.
   */
  find(query: JobQuery): Promise<readonly JobRecord[]>;

  /** How many jobs there are of a kind. */
  count(query: JobQuery): Promise<number>;

  /** The changes from now on that pass the filter. A hint may come late or twice; an outcome is never lost. */
  changes(interest: ChangeFilter): Observable<StoreChange>;
}

/** The transactions in which jobs can be queued. */
export interface Transactions {
  /**
   * Runs code in a transaction, again where the store asks for it, and commits; an error aborts it.
   * @throws UncertainError when nobody knows whether it has been committed
   */
  run<T>(fn: (session: object) => Promise<T>, options?: TransactionRunOptions): Promise<T>;
  /**
   * The transaction in which a session is now.
   * @returns whether that one may still commit; `false` once it has ended, however it did
   * @throws OptionError for a value that is not a session of this store
   * @throws TransactionError for one that is in no transaction
   */
  attach(session: object): () => boolean;
}

export interface TransactionRunOptions {
  /** After a conflict the code is not run again: the error is thrown, so that `isTransient` holds for it. */
  readonly isRunOnce?: boolean;
  /** Once it is aborted, the code is not run again after a conflict: its reason is thrown. */
  readonly signal?: AbortSignalType;
}

/** The controls of operators for the whole deployment. They hold until they are changed. */
export interface Controls {
  /** The present pauses. */
  paused(): Promise<Paused>;
  /**
   * Pauses or resumes something. No paused job begins, and no places are kept for it; running jobs go on. Resolves when every living
   * dispatcher follows.
   */
  pause(what: Pausable, isPaused: boolean): Promise<void>;
  /** Sets the size of a quota; if more places are in use, the jobs that use them go on to their end. @throws UnknownQuotaError */
  resize(quota: string, size: number): Promise<void>;
}

/** Up to when schedules have fired, for the whole deployment. */
export interface Schedules {
  /** The time of the store, by which they fire. */
  now(): Promise<Date>;
  /**
   * The time up to which a schedule has fired; of one that is new, `since`, which is recorded.
   * @param timetable - by which it fires from now on; if it differs from the last one, the schedule begins again, at `since` if that is
   *   later
   */
  begin(name: string, since: Date, timetable?: string): Promise<Date>;
  /**
   * Inserts the jobs for the times after one moment and up to another, and records that, in one step.
   * @returns `false`, with nothing done, if the schedule has fired up to another time than `after`, or `until` has not come by the store's
   *   time
   */
  fire(name: string, span: { readonly after: Date; readonly until: Date }, trees: readonly JobTree[]): Promise<boolean>;
}

/** A transaction of a store that has its own, such as the memory store. */
export interface StoreSession {
  commit(): void;
  abort(): void;
}

export interface StoreSetup {
  readonly clock: Clock;
  /** The sizes that the configuration names, in its order. */
  readonly quotas: QuotaLimits;
  /** The rates that they name with them; none, where absent. */
  readonly rates?: RateBook;
  /** Is called with the damage of a stored document, and its repair. */
  readonly onDamage?: (message: string, details?: JobDetails) => void;
  /** Is called now and then while the store cannot be opened yet, with the reason. */
  readonly onWaiting?: (message: string) => void;
  /** Aborted when nobody waits for the start any longer: it rejects soon then. */
  readonly signal?: AbortSignal;
  /** How a debounced job is put off by another one; as one that is not sealed, where absent. */
  readonly putOff?: Debounce;
}
