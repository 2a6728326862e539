/** A job: the part that was queued never changes, and only moves change its state. */

import type { FailureLogLevel } from './failure-log-level.js';
import { checkMove, type MoveName, type Status } from './job-status.js';
import type { Metadata } from './metadata.js';
import type { StoredOutcome } from './outcome.js';
import type { Payload } from './payload.js';
import type { Places } from './places.js';
import type { PrincipalReference } from './principal.js';
import type { StoredRetry } from './retry-policy.js';
import type { Seal } from './seal.js';
import type { StoredError } from './stored-error.js';
import type { Uniqueness } from './unique-key-options.js';

/** A task's job, a batch, or a callback that is one of two drafts, chosen when its job ends. */
export type JobKind = 'task' | 'serial' | 'parallel' | 'choice';

/** How far a job is. */
export type Progress = number | { readonly done: number; readonly total?: number; readonly note?: string };

/** The part that a job plays for its parent. */
export type Role = 'step' | 'postprocess' | 'callback';

/** The first argument of a run, before the stored ones: it comes from the parent, once that has ended. */
export type Input = 'none' | 'result' | 'error' | 'outcome' | 'jobs';

/** The reaction of a batch to a failed child: run the rest, cancel the rest, or run the rest and fail itself. */
export type OnFailure = 'continue' | 'stop' | 'fail';

/** A job with everything below it: the root first, each parent before its children. */
export type JobTree = readonly [root: QueuedJob, ...descendants: QueuedJob[]];

/**
 * A queued job, which does not change. There are two exceptions: a debounced job gets other arguments, principal and metadata before it is
 * due, and a seal may be renewed.
 */
export interface QueuedJob {
  /** 24 hexadecimal digits, rising within the process that queued it. */
  readonly id: string;
  readonly kind: JobKind;
  /** For a batch `serial` or `parallel`, for an undecided callback `choice`. */
  readonly taskName: string;
  /** A name that the caller chose. */
  readonly name?: string;
  readonly queue: string;
  readonly args: Payload;
  /** The places of those arguments that are encrypted. */
  readonly encrypted?: readonly number[];
  readonly seal?: Seal;
  /** On whose behalf it runs; absent for the anonymous one. */
  readonly principal?: PrincipalReference;
  /** Absent where it has none. */
  readonly metadata?: Metadata;
  /** Of the task's arguments, as it was when the job was queued; absent for the first. */
  readonly version?: number;
  readonly callbackInput: Input;
  readonly places: Places;
  /** The last quota, in their order, that the batches around it hold while it runs. */
  readonly outerQuota?: string;
  /** It replaces a step or a callback: a job that it returns takes no quota either, unless that names one. */
  readonly replacesChild?: true;
  /** Lower goes first. */
  readonly priority: number;
  readonly retry?: StoredRetry;
  /** The limit of interruptions, and the delay after one; numbers, since the process that recovers a job may not have its code. */
  readonly interruptionPolicy: { readonly limit: number; readonly delayMs: number };
  /** Not before this time. */
  readonly beginAfter?: Date;
  readonly delayMs?: number;
  readonly beginBy?: Date;
  /** How long it is kept after its end, with everything below it, by a store that keeps jobs by time. */
  readonly retentionMs?: number;
  /** The level at which its failure is logged. */
  readonly failureLogLevel?: FailureLogLevel;
  readonly parent?: string;
  readonly role?: Role;
  /** Its place among the steps of its batch. */
  readonly position?: number;
  readonly onFailure?: OnFailure;
  /** Of a callback that was one of two drafts; also when it has become one of them. */
  readonly branches?: Choice;
  /** The job that it is a retry of. */
  readonly retryOf?: string;
  /** Keeps it from being queued twice. */
  readonly unique?: Uniqueness;
}

/** The two sides of a callback; each tree's root has the id of the callback itself. */
export interface Choice {
  readonly success?: JobTree;
  readonly failure?: JobTree;
}

/** The state of a job. */
export interface JobState {
  readonly status: Status;
  /** The store's order of insertion. */
  readonly order: number;
  readonly queuedAt: Date;
  readonly dueAt?: Date;
  /** Names the attempt: new for each, and every later write must name it. Stays after the end, as the receipt. */
  readonly token?: string;
  /** The dispatcher that runs it. */
  readonly owner?: string;
  readonly startedAt?: Date;
  /** When the work ended, before its callbacks. */
  readonly endedAt?: Date;
  /** How often a run began. */
  readonly attempts: number;
  /** How many of them ended in an error that was retried. */
  readonly failures: number;
  readonly interruptions: number;
  /** Interrupted, to run again at once: it waits with its places in hand. */
  readonly hasPlaces?: true;
  /** Active without running: a batch waits for its steps, a job that returned a job for that one. */
  readonly waitsFor?: 'steps' | { readonly job: string /** It was queued for this one, and ends with it. */; readonly isOwn?: true };
  readonly cancel?: { readonly reason: string | undefined };
  /** The job that was queued in its place when it had failed, or was cancelled. */
  readonly retriedAs?: string;
  readonly outcome?: StoredOutcome;
  /** Of the last attempt that did not end the job. */
  readonly lastError?: StoredError;
  readonly progress?: Progress;
  readonly annotations?: Readonly<Record<string, Payload>>;
  /** Its record was damaged, and it has failed for that reason. */
  readonly isDamaged?: true;
}

/** A job as it is at one moment; immutable. */
export interface JobRecord {
  readonly job: QueuedJob;
  readonly state: JobState;
}

/** The fields that a move writes; `undefined` removes one. */
export type Changes = { readonly [K in Exclude<keyof JobState, 'status'>]?: JobState[K] | undefined };

/** Makes a move of the table. @throws Error for any other: a defect of the store that asks */
export function moved(state: JobState, name: MoveName, status: Status, changes: Changes = {}): JobState {
  checkMove([name], state.status, status);
  return { ...state, ...changes, status } as JobState;
}

/** The times before which a job may not begin. */
type Timed = Pick<QueuedJob, 'delayMs' | 'beginAfter'>;

/** The job's first state; its place in the order is for the store to say. */
export function firstState<O>(job: Timed, { order, now }: { readonly order: O; readonly now: Date }, isBlocked: boolean) {
  const dueAt = isBlocked ? undefined : dueTime(job, now);
  const status: Status = isBlocked ? 'blocked' : dueAt === undefined ? 'pending' : 'scheduled';
  const state = { status, order, queuedAt: now, attempts: 0, failures: 0, interruptions: 0 };
  return dueAt === undefined ? state : { ...state, dueAt };
}

/** When a job that may run from `now` on is due, or `undefined` for at once. */
export function dueTime(job: Timed, now: Date): Date | undefined {
  const dueAt = job.delayMs === undefined ? job.beginAfter : new Date(now.getTime() + job.delayMs);
  return dueAt !== undefined && dueAt > now ? dueAt : undefined;
}
