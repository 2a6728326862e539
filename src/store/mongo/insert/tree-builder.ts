/** Makes documents of trees that are to be put in, and ties those that have a parent to it. */

import { type ClientSession, ObjectId } from 'mongodb';
import type { MillraceError } from '../../../errors.js';
import { notExtended, takesSteps } from '../../../job/batch-rule.js';
import { jobGone } from '../../../job/job-errors.js';
import type { JobTree, QueuedJob } from '../../../job/job-record.js';
import type { Status } from '../../../job/job-status.js';
import { type Expression, numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { type QueuedPart, toDocument, toDocuments, toRecord } from '../jobs/job-codec.js';
import { objectIdOf } from '../jobs/job-collection.js';
import { ServerExpression, updateOf } from '../jobs/job-update.js';
import { firstDocument, signalOncePerLane } from '../jobs/new-documents.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

/** A tree as it is put in. */
export interface BuiltTree {
  readonly first: JobDocument;
  readonly documents: readonly JobDocument[];
  /** Something is to be done for it after the commit: it is a callback of a job whose work is over, or a step of a batch under way. */
  readonly isLate: boolean;
}

/** Why a tree is not put in: it can never be, or another job is there in its place. */
export type NotInserted = { readonly refused: MillraceError } | { readonly instead: JobDocument };

type Refused = Extract<NotInserted, { readonly refused: unknown }>;

/**
 * A parent as it is then; whether something is to be done after the commit, and by somebody who is responsible; of a step, its number, and
 * whether it may begin at once.
 */
interface Joined {
  readonly parent?: JobDocument;
  readonly isLate?: boolean;
  readonly isOwned?: boolean;
  readonly index?: number;
  readonly isItsTurn?: boolean;
}

const ONE_MORE = new ServerExpression({ $add: [numberIn('$additions'), 1] });
const OWN_TREE = new ServerExpression({ $ifNull: ['$root', '$_id'] });

/** The transaction in which a tree is put in. */
export interface TransactionScope {
  readonly collections: Collections;
  readonly session: ClientSession;
}

export class TreeBuilder {
  /** @param process - the one that queues */
  constructor(
    private readonly time: ServerTime,
    private readonly process: string,
  ) {}

  /**
   * A tree as documents. Its parent is noted to have one more below it, so that its end cannot miss it; a job that is retried, by which.
   */
  async grow(tree: JobTree, within: TransactionScope): Promise<BuiltTree | NotInserted> {
    const { process } = this;
    const [root] = tree;
    const isAlone = tree.length === 1 && root.parent === undefined;
    const obstacle = root.retryOf === undefined ? undefined : await this.#noteRetry(root.id, root.retryOf, within);
    if (obstacle !== undefined) return obstacle;
    const joined = root.parent === undefined ? {} : await this.#join(root, root.parent, within);
    if ('refused' in joined) return joined;
    const { parent, index, isLate = false, isOwned = false, isItsTurn = root.parent === undefined } = joined;
    const parts = toDocuments(tree, process, isAlone ? undefined : new ObjectId(root.id));
    const [top, ...below] = parts.map((part, place) => this.#first(part, place > 0 || !isItsTurn));
    if (top === undefined) throw new Error('a tree has a root');
    // Until that has been done, somebody is responsible.
    const first: JobDocument = { ...top, ...(index === undefined ? {} : { position: index }), ...(isOwned ? { owner: process } : {}) };
    const above = parent?.isOpen === true ? parent.root : undefined;
    const all = [first, ...below].map((job): JobDocument => (above === undefined ? job : { ...job, root: above }));
    return { first: all[0] ?? first, documents: all, isLate };
  }

  /** The job that was queued in place of one that is to be retried. */
  async retryOf(id: string, { collections: { jobs }, session }: TransactionScope): Promise<JobDocument | undefined> {
    const _id = objectIdOf(id);
    const retried = _id === undefined ? null : await jobs.findOne({ _id }, { session });
    return retried?.retriedAs === undefined ? undefined : ((await jobs.findOne({ _id: retried.retriedAs }, { session })) ?? undefined);
  }

  /** @returns why it cannot be retried by this one, if it cannot */
  async #noteRetry(id: string, retried: string, { collections: { jobs }, session }: TransactionScope): Promise<NotInserted | undefined> {
    const _id = objectIdOf(retried);
    const before = _id === undefined ? null : await jobs.findOne({ _id }, { session });
    if (before === null) return { refused: jobGone(retried, 'it cannot be retried') };
    const instead = before.retriedAs === undefined ? null : await jobs.findOne({ _id: before.retriedAs }, { session });
    if (instead !== null) return { instead };
    await jobs.updateOne({ _id: before._id }, { $set: { retriedAs: new ObjectId(id) } }, { session });
    return undefined;
  }

  /** Notes on a parent that something is added to it. */
  async #join({ role }: QueuedJob, parentId: string, within: TransactionScope): Promise<Joined | Refused> {
    const id = objectIdOf(parentId);
    const parent = id === undefined ? null : role === 'step' ? await this.#lengthen(id, within) : await this.#attach(id, within);
    if (parent !== null) return role === 'step' ? this.#asStep(parent, within) : joinedLate(parent);
    const other = id === undefined ? null : await within.collections.jobs.findOne({ _id: id }, { session: within.session });
    if (other !== null) return { refused: notExtended(toRecord(other)) };
    return { refused: jobGone(parentId, 'nothing can be added to it') };
  }

  /** Of a batch that stops since a step of it has failed, the one more is not to begin: it is cancelled after the commit. */
  async #asStep(parent: JobDocument, within: TransactionScope): Promise<Joined | Refused> {
    const postprocess = await this.#hold(parent, within);
    if (!takesSteps(toRecord(parent), postprocess)) return { refused: notExtended(toRecord(parent)) };
    const { kind, status, onFailure, steps = 1 } = parent;
    const isUnderWay = status === 'active';
    const mayStop = isUnderWay && onFailure === 'stop';
    const isItsTurn = isUnderWay && kind === 'parallel' && !(mayStop && (await this.#hasFailed(parent, within)));
    return { parent, isLate: isUnderWay, isOwned: mayStop, index: steps - 1, isItsTurn };
  }

  async #hasFailed({ _id }: JobDocument, { collections: { jobs }, session }: TransactionScope): Promise<boolean> {
    return (await jobs.findOne({ parent: _id, role: 'step', status: 'failed' }, { session, projection: { _id: 1 } })) !== null;
  }

  /** A single job becomes the top of a tree; one that has ended stays as long as the jobs that are added to it. */
  #attach(id: ObjectId, { collections: { jobs }, session }: TransactionScope): Promise<JobDocument | null> {
    const { time } = this;
    const later: Expression = { $cond: [{ $eq: [{ $type: '$expireAt' }, 'missing'] }, '$$REMOVE', { $max: ['$expireAt', time.removal] }] };
    const attach = updateOf({ additions: ONE_MORE, hasCallbacks: true, root: OWN_TREE, expireAt: new ServerExpression(later) });
    return jobs.findOneAndUpdate({ _id: id }, attach, { session, returnDocument: 'after' });
  }

  /** Counts the steps of a batch; its end, decided before, is decided again. */
  #lengthen(id: ObjectId, { collections: { jobs }, session }: TransactionScope): Promise<JobDocument | null> {
    const steps = new ServerExpression({ $add: [numberIn('$steps'), 1] });
    const longer = updateOf({ additions: ONE_MORE, steps, root: OWN_TREE });
    return jobs.findOneAndUpdate({ _id: id, kind: { $in: ['serial', 'parallel'] } }, longer, { session, returnDocument: 'after' });
  }

  /** Keeps the postprocess of a batch from beginning meanwhile. @returns its status, if there is one */
  async #hold({ _id }: JobDocument, { collections: { jobs }, session }: TransactionScope): Promise<Status | undefined> {
    const options = { session, returnDocument: 'after' } as const;
    return (await jobs.findOneAndUpdate({ parent: _id, role: 'postprocess' }, updateOf({ additions: ONE_MORE }), options))?.status;
  }

  /** Trees of one job that have no parent; of one that is given twice, one. */
  alone(trees: readonly JobTree[]): readonly JobDocument[] {
    const documents = trees.map(([job]) => this.#first(toDocument(job, this.process, undefined), false));
    return signalOncePerLane([...new Map(documents.map((document) => [document._id.toHexString(), document])).values()]);
  }

  #first(part: QueuedPart, isBlocked: boolean): JobDocument {
    const { time } = this;
    return firstDocument(part, { order: time.order, now: time.estimate() }, isBlocked);
  }
}

/** Notifies this process of the inserted jobs. */
export function notifyInserted({ first, documents }: BuiltTree, notifier: Notifier): void {
  for (const { beginBy } of documents) if (beginBy !== undefined) notifier.due(beginBy);
  if (first.status !== 'blocked') notifier.queued(first);
}

/** A callback of a job whose work is over has to be released. */
function joinedLate(parent: JobDocument): Joined {
  const isLate = parent.outcome !== undefined;
  return { parent, isLate, isOwned: isLate };
}
