/** The updates of moves, as the server computes them. */

import type { ObjectId } from 'mongodb';
import { dueTime } from '../../../job/job-record.js';
import { type FinalStatus, isWaiting, WAITING } from '../../../job/job-status.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { isRefused, refusalOf } from '../driver/driver-errors.js';
import { type Expression, literal, numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { JobDocument } from '../schema/documents.js';
import { fittingIn, referenceOf, toJob, toOutcome } from './job-codec.js';
import { either, type JobUpdate, type MoveEffect, ServerExpression, type StatusChoice } from './job-update.js';

/** The fields that an end removes from a job. */
const OVER = {
  pendingSignal: undefined,
  dueAt: undefined,
  pendingBeginBy: undefined,
  waitsFor: undefined,
  followedJob: undefined,
  ownsFollowed: undefined,
} as const satisfies JobUpdate;

const IS_ACTIVE: Expression = { $eq: ['$status', 'active'] };

/** Puts claimed jobs that have not begun back where they stood; each signals its lane. */
export const HAND_BACK = {
  to: 'pending',
  set: {
    owner: undefined,
    token: undefined,
    attempts: new ServerExpression({ $cond: [IS_ACTIVE, { $subtract: [numberIn('$attempts'), 1] }, '$attempts'] }),
    startedAt: new ServerExpression({ $cond: [IS_ACTIVE, '$$REMOVE', '$startedAt'] }),
    pendingSignal: new ServerExpression('$lane'),
  },
} as const satisfies MoveEffect<'pending'>;

/** Whether something follows from the end of a job, for which somebody has to be responsible. */
export function hasFollowUps({ kind, parent, hasCallbacks, hasFollowers, reservation }: JobDocument): boolean {
  return kind !== 'task' || parent !== undefined || hasCallbacks === true || hasFollowers === true || reservation !== undefined;
}

/** Whether a job below one that ends now may not have ended: a callback, or a job below a batch that never began. */
export function hasOpenBelow({ kind, root, status, hasCallbacks }: JobDocument): boolean {
  const isBatch = kind === 'serial' || kind === 'parallel';
  return hasCallbacks === true || (isBatch && root !== undefined && isWaiting(status));
}

/** @param by - who sees to what follows */
export function endUpdate(
  job: JobDocument,
  outcome: StoredOutcome | 'steps',
  { time, by }: { readonly time: ServerTime; readonly by: string },
): JobUpdate {
  return {
    ...OVER,
    outcome: outcome === 'steps' ? { kind: 'completed', steps: true } : toOutcome(outcome),
    endedAt: new ServerExpression(time.now),
    owner: hasFollowUps(job) ? by : undefined,
    ...(hasOpenBelow(job) ? {} : { isOpen: undefined, notifyProcess: job.queuedBy }),
    // Of a tree, the end of its top decides for all.
    ...(job.root === undefined ? { expireAt: new ServerExpression(time.removal) } : {}),
  };
}

/** Writes an outcome as its job can store it: one that does not fit, or is refused, becomes a failure that says so. */
export async function writeOutcome<T>(outcome: StoredOutcome, job: JobDocument, write: (outcome: StoredOutcome) => Promise<T>): Promise<T> {
  try {
    return await write(fittingIn(outcome, job));
  } catch (error) {
    if (!isRefused(error)) throw error;
    return write(refusalOf(referenceOf(job), error));
  }
}

/**
 * An end as the server computes it from the job at that moment, including later additions.
 * @param own - the outcome of the job as an expression, and its kind
 * @param by - who sees to what follows
 */
export function endEffect<S extends FinalStatus>(
  own: { readonly outcome: Expression; readonly kind: S | StatusChoice<S> },
  { time, by }: { readonly time: ServerTime; readonly by: string },
): MoveEffect<S | 'callbacks'> {
  const isBatch: Expression = { $in: ['$kind', ['serial', 'parallel']] };
  const isOpen: Expression = { $or: [HAS_CALLBACKS, { $and: [isBatch, isThere('$root'), { $in: ['$status', [...WAITING]] }] }] };
  // One that was claimed ahead has begun without its being recorded.
  const isAhead: Expression = { $eq: ['$status', 'assigned'] };
  return {
    to: either(isOpen, 'callbacks', own.kind),
    set: {
      pendingSignal: undefined,
      dueAt: undefined,
      pendingBeginBy: undefined,
      endedAt: new ServerExpression(time.now),
      attempts: new ServerExpression({ $add: [numberIn('$attempts'), { $cond: [isAhead, 1, 0] }] }),
      startedAt: new ServerExpression({ $cond: [isAhead, time.now, '$startedAt'] }),
      isOpen: new ServerExpression({ $cond: [isOpen, true, '$$REMOVE'] }),
      notifyProcess: new ServerExpression({ $cond: [isOpen, '$$REMOVE', '$queuedBy'] }),
      outcome: new ServerExpression(own.outcome),
      settledToken: new ServerExpression('$token'),
      expireAt: new ServerExpression({ $cond: [{ $eq: [{ $type: '$root' }, 'missing'] }, time.removal, '$$REMOVE'] }),
      owner: new ServerExpression({ $cond: [{ $or: [HAS_DUTY, isThere('$parent')] }, literal(by), '$$REMOVE'] }),
    },
  };
}

/**
 * The end of a part of a batch that waits, and is cancelled with others: the cancelling process handles the batch.
 * @param signalling - the jobs that signal their lanes
 */
export function cancelEffect(
  reason: string | undefined,
  { time, by, signalling }: { readonly time: ServerTime; readonly by: string; readonly signalling: readonly ObjectId[] },
): MoveEffect<'callbacks' | 'cancelled'> {
  const { to, set } = endEffect({ outcome: literal(toOutcome({ status: 'cancelled', reason })), kind: 'cancelled' }, { time, by });
  return {
    to,
    set: {
      ...set,
      pendingSignal: new ServerExpression({ $cond: [{ $in: ['$_id', literal(signalling)] }, '$lane', '$$REMOVE'] }),
      owner: new ServerExpression({ $cond: [HAS_DUTY, literal(by), '$$REMOVE'] }),
    },
  };
}

/** The end of a cancelled batch below which nothing is open, and whose end concerns only the batch that it is in. */
export function endWithWhatIsBelow(time: ServerTime): MoveEffect<'cancelled'> {
  return {
    to: 'cancelled',
    set: {
      ...OVER,
      owner: undefined,
      isOpen: undefined,
      notifyProcess: new ServerExpression('$queuedBy'),
      outcome: new ServerExpression({ $ifNull: ['$outcome', { kind: 'cancelled', reason: '$cancel.reason' }] }),
      endedAt: new ServerExpression({ $ifNull: ['$endedAt', time.now] }),
    },
  };
}

/** The wish that a running job ends. @param by - the process that cancels the jobs below a batch */
export function requestEndUpdate(reason: string | undefined, by: string): JobUpdate {
  const wish = literal(reason === undefined ? {} : { reason });
  return {
    cancel: new ServerExpression({ $cond: [IS_BATCH, wish, { $mergeObjects: [wish, { owner: '$owner' }] }] }),
    owner: new ServerExpression({ $cond: [IS_BATCH, literal(by), '$owner'] }),
  };
}

const HAS_CALLBACKS = isTrue('$hasCallbacks');
const IS_BATCH: Expression = { $ne: ['$kind', 'task'] };
/** Whether something follows from the end of a job, apart from its parent. */
const HAS_DUTY: Expression = { $or: [HAS_CALLBACKS, IS_BATCH, isTrue('$hasFollowers'), isThere('$reservation')] };

function isThere(field: `$${string}`): Expression {
  return { $ne: [{ $type: field }, 'missing'] };
}

function isTrue(field: `$${string}`): Expression {
  return { $eq: [{ $ifNull: [field, false] }, true] };
}

/** A job waits for another one from now on. @param by - who sees to it that it learns of that one's end */
export function followUpdate(
  followedJob: ObjectId | undefined,
  { isOwn, by }: { readonly isOwn: boolean; readonly by: string },
): JobUpdate {
  return { waitsFor: 'job', owner: by, reservation: undefined, followedJob, ownsFollowed: isOwn ? true : undefined };
}

/** The status, and the fields that go with it, of a job that may run from now on. */
export function unblockUpdate(
  job: JobDocument,
  time: ServerTime,
): { readonly status: 'pending' | 'scheduled'; readonly written: JobUpdate } {
  const dueAt = dueTime(toJob(job), time.estimate());
  if (dueAt === undefined) return { status: 'pending', written: { owner: undefined, pendingSignal: job.lane, dueAt: undefined } };
  const exact = job.delayMs === undefined ? dueAt : new ServerExpression(time.after(job.delayMs));
  return { status: 'scheduled', written: { owner: undefined, dueAt: exact } };
}
