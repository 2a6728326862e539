/** The documents of the collections: jobs, quotas, dispatchers, and the store itself. */

import type { Binary, ObjectId, Timestamp } from 'mongodb';
import type { FailureLogLevel } from '../../../job/failure-log-level.js';
import type { Input, JobKind, OnFailure, Role } from '../../../job/job-record.js';
import type { JobReference } from '../../../job/job-reference.js';
import type { FinalStatus, Status } from '../../../job/job-status.js';
import type { Paused } from '../../../job/pauses.js';
import type { Places } from '../../../job/places.js';
import type { PrincipalReference } from '../../../job/principal.js';
import type { Rate, RecentStarts } from '../../../job/rates.js';
import type { Seal } from '../../../job/seal.js';
import type { Uniqueness } from '../../../job/unique-key-options.js';
import type { AgentInfo } from '../../store-insight.js';

/** A job. Fields that do not apply are missing, never `null`: the indexes are partial. */
export interface JobDocument {
  readonly _id: ObjectId;
  // ---- what was queued
  readonly kind: JobKind;
  readonly taskName: string;
  readonly name?: string;
  readonly queue: string;
  readonly args: Binary;
  /** The places of those arguments that are encrypted. */
  readonly encrypted?: readonly number[];
  readonly seal?: Seal;
  /** Absent for the anonymous one. */
  readonly principal?: PrincipalReference;
  readonly metadata?: Binary;
  readonly version?: number;
  readonly callbackInput: Input;
  readonly places: Places;
  readonly outerQuota?: string;
  readonly replacesChild?: true;
  readonly priority: number;
  readonly retry?: Binary;
  readonly interruptionPolicy: { readonly limit: number; readonly delayMs: number };
  readonly beginAfter?: Date;
  readonly delayMs?: number;
  readonly beginBy?: Date;
  readonly retentionMs?: number;
  readonly failureLogLevel?: FailureLogLevel;
  readonly parent?: ObjectId;
  readonly role?: Role;
  readonly position?: number;
  readonly onFailure?: OnFailure;
  /** Of a batch: how many it has been given. */
  readonly steps?: number;
  /** The two sides of a callback: trees of such documents, packed. Also when it has become one of them. */
  readonly branches?: Binary;
  readonly retryOf?: ObjectId;
  /** The job that was queued in its place when it had failed, or was cancelled. */
  readonly retriedAs?: ObjectId;
  readonly unique?: Uniqueness;
  /** Its unique key, until another job needs it, and it is over. */
  readonly uniqueKey?: string;
  /** How often a transaction was answered with it, as its key was taken: this keeps it from beginning before the commit. */
  readonly keyReads?: number;
  /** The process that queued it. */
  readonly queuedBy: string;
  /** The same, once it is final: it notifies waiting calls in that process. */
  readonly notifyProcess?: string;
  /** It was queued in a session of the application: its process learns of the commit as all others do. */
  readonly isStaged?: true;
  /** The top of its tree; also on the top itself, unless that is alone. */
  readonly root?: ObjectId;
  // ---- what has become of it
  readonly status: Status;
  /** Until it is final. */
  readonly isOpen?: true;
  /** JSON of queue, task and quotas; `!` for the quotas of a job that waits with its places in hand. */
  readonly lane: string;
  readonly order: Timestamp;
  readonly queuedAt: Date;
  readonly dueAt?: Date;
  /** `beginBy`, until it has begun. */
  readonly pendingBeginBy?: Date;
  /** Its lane, on one job of those that become pending together: it notifies the dispatchers that listen. */
  readonly pendingSignal?: string;
  readonly owner?: string;
  readonly token?: string;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly attempts: number;
  readonly failures: number;
  readonly interruptions: number;
  /** The attempt for which it holds places in its own name. */
  readonly reservation?: string;
  readonly waitsFor?: 'steps' | 'job';
  /** The job whose outcome will be its own. */
  readonly followedJob?: ObjectId;
  /** It was queued for this one, and is cancelled with it. */
  readonly ownsFollowed?: true;
  /** Some job waits for its outcome. */
  readonly hasFollowers?: true;
  /** Has callbacks. */
  readonly hasCallbacks?: true;
  /** How often a callback or a follower was added since it was queued. */
  readonly additions?: number;
  readonly cancel?: { readonly reason?: string; readonly owner?: string };
  readonly outcome?: OutcomeDocument;
  /** The attempt whose own process recorded its end; of a job that expired, the write that ended it. */
  readonly settledToken?: string;
  readonly lastError?: Binary;
  /** Of a batch whose result they are: looked up when it is read, never stored. */
  readonly stepsOf?: readonly JobReference[];
  /** When it is removed: set once it and everything in its tree has ended. */
  readonly expireAt?: Date;
  readonly progress?: Binary;
  readonly annotations?: Readonly<Record<string, Binary>>;
  /** Its attempts end in transactions: their reports are in `notes`. */
  readonly isTransactional?: true;
  /** The record as it was when it was found damaged, and the job failed for that reason. */
  readonly damaged?: Binary;
}

/** The reports of transactional attempts of a job. */
export interface NoteDocument {
  /** The job's. */
  readonly _id: ObjectId;
  /** The last attempt that reported something. */
  readonly attempt: number;
  readonly progress?: Binary;
  readonly annotations?: Readonly<Record<string, Binary>>;
  readonly expireAt: Date;
}

export interface OutcomeDocument {
  readonly kind: FinalStatus;
  readonly value?: Binary;
  readonly error?: Binary;
  readonly reason?: string;
  /** The result is the steps of the batch. */
  readonly steps?: true;
}

/** A quota: who holds how many of its places. */
export interface QuotaDocument {
  readonly _id: string;
  readonly size: number;
  /** The size in the configuration that set it last. */
  readonly configured: number;
  readonly holders: readonly Holder[];
  readonly waiting: readonly WaitingDispatcher[];
  readonly rate?: Rate;
  /** Under its rate: the jobs that have begun and still count. */
  readonly recentStarts?: readonly RecentStarts[];
  /** The starts that the last command which asked for some was given. */
  readonly granted?: RecentStarts;
  readonly revision?: number;
}

/** A dispatcher's share of a quota, or the places that a job holds in its own name. */
export type Holder = ShareDocument | Reservation;

/** Places that a job holds in its own name; the attempt keeps a late command off places taken anew. */
export interface Reservation {
  readonly job: string;
  readonly places: number;
  readonly attempt: string;
}

export interface ShareDocument {
  readonly dispatcher: string;
  readonly places: number;
  /** Rises with each command, so that one that comes late changes nothing. */
  readonly version: number;
}

/** A dispatcher that got fewer places than it needs for one job. */
export interface WaitingDispatcher {
  readonly dispatcher: string;
  /** How many it lacks; none, if its own suffice and it waits only for places that others leave idle. */
  readonly places: number;
  readonly since: Date;
  /** Counts no longer: it must have asked again, or be gone. */
  readonly until: Date;
}

/** One life of a dispatcher. */
export interface DispatcherDocument {
  readonly _id: string;
  readonly state: 'alive' | 'dead';
  readonly leaseMs: number;
  readonly leaseUntil: Date;
  /** Since when it was renewed without a gap. */
  readonly since: Date;
  /** Its agents, as its first heartbeat named them. */
  readonly agents?: readonly AgentInfo[];
  /** The last change of pauses that it follows. */
  readonly pauseRevision?: number;
  /** When it is forgotten: of one that is dead, and of which everything has been taken back. */
  readonly expireAt?: Date;
}

/** A schedule: up to when it has fired. */
export interface ScheduleDocument {
  readonly _id: string;
  readonly firedUntil: Date;
  /** The one that was begun with last. */
  readonly timetable?: string;
}

/** A document about the store as a whole. */
export interface ControlDocument {
  readonly _id: 'store' | 'quotas' | 'paused';
  readonly version?: number;
  readonly storeId?: string;
  /** The quotas in their lock order. */
  readonly names?: readonly string[];
  readonly paused?: PausedDocument;
}

/** The pauses; the number rises with each change. */
export interface PausedDocument extends Paused {
  readonly revision: number;
}
