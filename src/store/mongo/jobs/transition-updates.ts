/** What moves write, as the server is to compute it. */

import type { ObjectId } from 'mongodb';
import { dueTime } from '../../../job/job-record.js';
import { isWaiting, WAITING } from '../../../job/job-status.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { isRefused, refusalOf } from '../driver/driver-errors.js';
import { type Expression, type Fields, literal, numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { JobDocument } from '../schema/documents.js';
import { fittingIn, toJob, toOutcome } from './job-codec.js';
import { asSetStage, type JobUpdate, ServerExpression } from './job-collection.js';

/** What an end takes off a job. */
const OVER = {
  bell: undefined,
  dueAt: undefined,
  startBy: undefined,
  waiting: undefined,
  inner: undefined,
  ownsInner: undefined,
} as const satisfies JobUpdate;

const IS_ACTIVE: Expression = { $eq: ['$status', 'active'] };

/** Puts claimed jobs that have not begun back where they stood; each rings in its lane. */
export const HAND_BACK = asSetStage({
  status: 'pending',
  owner: undefined,
  token: undefined,
  attempts: new ServerExpression({ $cond: [IS_ACTIVE, { $subtract: [numberIn('$attempts'), 1] }, '$attempts'] }),
  startedAt: new ServerExpression({ $cond: [IS_ACTIVE, '$$REMOVE', '$startedAt'] }),
  bell: new ServerExpression('$lane'),
});

/** Whether something follows from the end of a job, for which somebody has to be responsible. */
export function hasFollowUps({ kind, parent, tail, followed, held }: JobDocument): boolean {
  return kind !== 'task' || parent !== undefined || tail === true || followed === true || held !== undefined;
}

/** Whether something below a job, which ends now, may not have ended: callbacks, or what is below a batch that never began. */
export function hasOpenBelow({ kind, root, status, tail }: JobDocument): boolean {
  const isBatch = kind === 'serial' || kind === 'parallel';
  return tail === true || (isBatch && root !== undefined && isWaiting(status));
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
    ...(hasOpenBelow(job) ? {} : { open: undefined, told: job.origin }),
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
    return write(refusalOf({ id: job._id.toHexString(), taskName: job.task }, error));
  }
}

/**
 * An end as the server computes it from the job as it is then, whatever was added to it meanwhile.
 * @param own - the outcome of the job, and its kind, as expressions
 * @param by - who sees to what follows
 */
export function endPipeline(
  own: { readonly outcome: Expression; readonly kind: Expression },
  { time, by }: { readonly time: ServerTime; readonly by: string },
): Fields {
  const isBatch: Expression = { $in: ['$kind', ['serial', 'parallel']] };
  const isOpen: Expression = { $or: [HAS_TAIL, { $and: [isBatch, isThere('$root'), { $in: ['$status', [...WAITING]] }] }] };
  const hasDuty: Expression = { $or: [HAS_TAIL, IS_BATCH, isThere('$parent'), isTrue('$followed'), isThere('$held')] };
  return {
    ...asSetStage({ bell: undefined, dueAt: undefined, startBy: undefined, endedAt: new ServerExpression(time.now) }),
    ...begunAsItIs(time),
    ...finalUnless(isOpen, own.kind),
    outcome: own.outcome,
    receipt: '$token',
    expireAt: { $cond: [{ $eq: [{ $type: '$root' }, 'missing'] }, time.removal, '$$REMOVE'] },
    owner: { $cond: [hasDuty, literal(by), '$$REMOVE'] },
  };
}

/**
 * The end of a part of a batch that waits, and is cancelled with others: the cancelling process handles the batch.
 * @param ringing - those that ring in their lanes
 */
export function cancelPipeline(
  reason: string | undefined,
  { time, by, ringing }: { readonly time: ServerTime; readonly by: string; readonly ringing: readonly ObjectId[] },
): Fields {
  const hasDuty: Expression = { $or: [HAS_TAIL, IS_BATCH, isTrue('$followed'), isThere('$held')] };
  return {
    ...endPipeline({ outcome: literal(toOutcome({ status: 'cancelled', reason })), kind: 'cancelled' }, { time, by }),
    bell: { $cond: [{ $in: ['$_id', literal(ringing)] }, '$lane', '$$REMOVE'] },
    owner: { $cond: [hasDuty, literal(by), '$$REMOVE'] },
  };
}

/** The end of a cancelled batch below which nothing is open, and whose end concerns only the batch that it is in. */
export function endedWithWhatIsBelow(time: ServerTime): Fields {
  return {
    ...asSetStage({ ...OVER, owner: undefined }),
    ...finalUnless(false, 'cancelled'),
    outcome: { $ifNull: ['$outcome', { kind: 'cancelled', reason: '$cancel.reason' }] },
    endedAt: { $ifNull: ['$endedAt', time.now] },
  };
}

/** The wish that a running job ends. @param by - the process that cancels the jobs below a batch */
export function requestEndPipeline(reason: string | undefined, by: string): Fields {
  const wish = literal(reason === undefined ? {} : { reason });
  return {
    cancel: { $cond: [IS_BATCH, wish, { $mergeObjects: [wish, { owner: '$owner' }] }] },
    owner: { $cond: [IS_BATCH, literal(by), '$owner'] },
  };
}

const HAS_TAIL = isTrue('$tail');
const IS_BATCH: Expression = { $ne: ['$kind', 'task'] };

function finalUnless(isOpenBelow: Expression, kind: Expression): Fields {
  return {
    status: { $cond: [isOpenBelow, 'callbacks', kind] },
    open: { $cond: [isOpenBelow, true, '$$REMOVE'] },
    told: { $cond: [isOpenBelow, '$$REMOVE', '$origin'] },
  };
}

function isThere(field: `$${string}`): Expression {
  return { $ne: [{ $type: field }, 'missing'] };
}

function isTrue(field: `$${string}`): Expression {
  return { $eq: [{ $ifNull: [field, false] }, true] };
}

/** As `endedAsItIs`, of a job that waits for another one from now on. */
export function followPipeline(
  { inner, isOwn }: { readonly inner: ObjectId | undefined; readonly isOwn: boolean },
  { time, by }: { readonly time: ServerTime; readonly by: string },
): Fields {
  return {
    ...asSetStage({ status: 'active', waiting: 'inner', owner: by, held: undefined, inner, ownsInner: isOwn ? true : undefined }),
    ...begunAsItIs(time),
  };
}

/** One that was claimed ahead has begun without its being recorded. */
function begunAsItIs(time: ServerTime): Fields {
  const isAhead: Expression = { $eq: ['$status', 'assigned'] };
  return {
    attempts: { $add: [numberIn('$attempts'), { $cond: [isAhead, 1, 0] }] },
    startedAt: { $cond: [isAhead, time.now, '$startedAt'] },
  };
}

/** When a job that may run from now on has its turn: the status, and what goes with it. */
export function unblockUpdate(
  job: JobDocument,
  time: ServerTime,
): { readonly status: 'pending' | 'scheduled'; readonly written: JobUpdate } {
  const dueAt = dueTime(toJob(job), time.estimate());
  if (dueAt === undefined) return { status: 'pending', written: { owner: undefined, bell: job.lane, dueAt: undefined } };
  const exact = job.delayMs === undefined ? dueAt : new ServerExpression(time.after(job.delayMs));
  return { status: 'scheduled', written: { owner: undefined, dueAt: exact } };
}
