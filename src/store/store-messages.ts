/** The requests to a store, and its answers. */

import type { MillraceError } from '../errors.js';
import type { JobRecord, Progress, QueuedJob } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import type { Status } from '../job/job-status.js';
import type { StoredOutcome } from '../job/outcome.js';
import type { Payload } from '../job/payload.js';
import type { Seal } from '../job/seal.js';
import type { StoredError } from '../job/stored-error.js';

/** The result for a tree: it is there; it is refused for good; or the store failed, for this one or for all. */
export type InsertResult = { readonly record: JobRecord } | { readonly refused: MillraceError } | { readonly failed: unknown };

export interface ClaimRequest {
  readonly dispatcher: string;
  readonly queue: string;
  /** The task versions that it can run. */
  readonly taskVersions: ReadonlySet<string>;
  /** Those of them whose attempts end in transactions: nothing may be written to their jobs meanwhile, with which these would conflict. */
  readonly transactional?: ReadonlySet<string>;
  readonly limit: number;
}

/** One try to run a job; its token fences every later write. */
export interface AttemptInfo {
  readonly token: string;
  /** Which run of the job this is, from 1. */
  readonly number: number;
  /** How many attempts have failed by now. */
  readonly failures: number;
}

export interface ClaimedJob {
  readonly job: QueuedJob;
  readonly attempt: AttemptInfo;
  /** The input that `job.input` names: the outcome of the job it is a callback of, or the steps of its batch. */
  readonly input?: StoredOutcome | readonly JobReference[];
  /** How many bytes of it earlier attempts have reported, by path: `progress`, `annotations.file`; absent for none. */
  readonly reported?: ReadonlyMap<string, number>;
}

/** Names an attempt of a job. */
export interface AttemptKey {
  readonly id: string;
  readonly token: string;
}

export interface AttemptReport extends AttemptKey {
  readonly progress?: Progress;
  readonly annotations?: Readonly<Record<string, Payload>>;
}

export interface Settlement extends AttemptKey {
  /** The outcome, or the job whose outcome will be this one's. */
  readonly outcome: StoredOutcome | FollowOutcome;
  /** The method still runs (it ignored its signal), so its places are kept until they are released. */
  readonly keepsPlaces?: boolean;
}

/** The task returned another job. */
export interface FollowOutcome {
  readonly status: 'follows';
  readonly job: string;
  /** It was queued for this purpose, so it is cancelled with the one that follows it. */
  readonly isOwn?: boolean;
}

export interface RescheduleRequest extends AttemptKey {
  readonly delayMs: number;
  /** Counted as a failure of the attempt; absent where the task itself asked to run later. */
  readonly error?: StoredError;
  /** In place of the one that the job has. */
  readonly seal?: Seal;
}

/** The new attempt, where it is to run at once; `later` where the job waits for one; `refused` where it gets none from this request: the token is stale, or the job has ended instead. */
export type RescheduleResult = AttemptInfo | 'later' | 'refused';

export interface ReleaseRequest extends AttemptKey {
  readonly hasBegun: boolean;
}

export interface RecoveryResult {
  /** When something will be due next, as far as is known: by the clock of this process. */
  readonly nextAt?: Date;
  /**
   * The attempts that the dispatcher runs, as far as the store knows; absent for none. Each was handed out by a claim that
   * has been answered, is being answered, or has failed.
   */
  readonly running?: readonly AttemptKey[];
}

/** Everything given must hold. */
export interface JobQuery {
  readonly ids?: readonly string[] | undefined;
  readonly queue?: string | undefined;
  readonly statuses?: readonly Status[] | undefined;
  readonly taskNames?: readonly string[] | undefined;
  /** Children of these. */
  readonly parents?: readonly string[] | undefined;
  /** Jobs whose work ended then or later, and before. */
  readonly endedSince?: Date | undefined;
  readonly endedBefore?: Date | undefined;
  /** Jobs that have not ended, whatever their stored status, and those whose records were damaged. */
  readonly mayBeUnreadable?: true | undefined;
  /** Whether they were queued again by a retry. */
  readonly isRetried?: boolean | undefined;
  /** Of greater ids than this one, in the order of ids: for going through many. */
  readonly after?: string | undefined;
  /** Those whose work ended last come first. */
  readonly latestFirst?: boolean | undefined;
  readonly limit?: number | undefined;
  /** With those that their outcomes name, and those that these name in turn, such as children of children; behind them, in any order. */
  readonly withNamed?: boolean | undefined;
}
