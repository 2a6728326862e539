/** Makes documents of trees that are to be put in, and ties those that have a parent to it. */

import { type ClientSession, ObjectId } from 'mongodb';
import { JobNotFoundError, type MillraceError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { toId } from './jobs.js';
import { firstDocument, rungOnce, withTail } from './new-trees.js';
import type { News } from './news.js';
import { type QueuedPart, toDocument } from './records.js';
import type { ServerTime } from './server-time.js';

/** A tree as it is put in. */
export interface Grown {
  readonly first: JobDocument;
  readonly documents: readonly JobDocument[];
  /** It is a callback of a job whose work is over. */
  readonly isLate: boolean;
}

/** Why a tree is not put in: it can never be, or another job is there in its place. */
export type Ungrown = { readonly refused: MillraceError } | { readonly instead: JobDocument };

/** The transaction in which a tree is put in. */
export interface Within {
  readonly collections: Collections;
  readonly session: ClientSession;
}

export class Grower {
  /** @param process - the one that queues */
  constructor(
    private readonly time: ServerTime,
    private readonly process: string,
  ) {}

  /** A tree as documents. A callback's parent is noted to have one more, so that its end cannot miss it; a job that is retried, by which. */
  async grow(tree: JobTree, within: Within): Promise<Grown | Ungrown> {
    const { process } = this;
    const [root] = tree;
    const isAlone = tree.length === 1 && root.parent === undefined;
    const obstacle = root.retryOf === undefined ? undefined : await this.#noteRetry(root.id, root.retryOf, within);
    if (obstacle !== undefined) return obstacle;
    const parts = tree.map((job) => toDocument(job, process, isAlone ? undefined : new ObjectId(root.id)));
    const documents = parts.map((part, index) => this.#first(withTail(part, parts), index > 0 || root.parent !== undefined));
    const parent = root.parent === undefined ? undefined : await this.#attach(root.parent, within);
    const [top] = documents;
    if (parent === null || top === undefined) return gone(`job ${root.parent} is not there, so it can have no callback`);
    const isLate = parent?.outcome !== undefined;
    const above = parent?.open === true ? parent.root : undefined;
    // The work of its job is over: until it has been released, somebody is responsible.
    const owned = isLate ? [{ ...top, owner: process }, ...documents.slice(1)] : documents;
    const all = above === undefined ? owned : owned.map((job): JobDocument => ({ ...job, root: above }));
    return { first: all[0] ?? top, documents: all, isLate };
  }

  /** @returns why it cannot be retried by this one, if it cannot */
  async #noteRetry(id: string, retried: string, { collections: { jobs }, session }: Within): Promise<Ungrown | undefined> {
    const _id = toId(retried);
    const before = _id === undefined ? null : await jobs.findOne({ _id }, { session });
    if (before === null) return gone(`job ${retried} is not there, so it cannot be retried`);
    const instead = before.retriedAs === undefined ? null : await jobs.findOne({ _id: before.retriedAs }, { session });
    if (instead !== null) return { instead };
    await jobs.updateOne({ _id: before._id }, { $set: { retriedAs: new ObjectId(id) } }, { session });
    return undefined;
  }

  /** The tree of a job that is alone begins now; one that has ended stays as long as what is added to it will. */
  #attach(id: string, { collections: { jobs }, session }: Within): Promise<JobDocument | null> {
    const { time } = this;
    const later = { $cond: [{ $eq: [{ $type: '$expireAt' }, 'missing'] }, '$$REMOVE', { $max: ['$expireAt', time.removal] }] };
    const adds = { $add: [{ $ifNull: ['$adds', 0] }, 1] };
    const attach = [{ $set: { adds, tail: true, root: { $ifNull: ['$root', '$_id'] }, expireAt: later } }];
    const parent = toId(id);
    return parent === undefined
      ? Promise.resolve(null)
      : jobs.findOneAndUpdate({ _id: parent }, attach, { session, returnDocument: 'after' });
  }

  /** Trees of one job that have no parent; of one that is given twice, one. */
  alone(trees: readonly JobTree[]): readonly JobDocument[] {
    const documents = trees.map(([job]) => this.#first(toDocument(job, this.process, undefined), false));
    return rungOnce([...new Map(documents.map((document) => [document._id.toHexString(), document])).values()]);
  }

  #first(part: QueuedPart, isBlocked: boolean): JobDocument {
    const { time } = this;
    return firstDocument(part, { order: time.order, now: time.estimate() }, isBlocked);
  }
}

/** Tells of what has been put in, in this process. */
export function announce({ first, documents }: Grown, news: News): void {
  for (const { beginBy } of documents) if (beginBy !== undefined) news.due(beginBy);
  if (first.status !== 'blocked') news.queued(first);
}

function gone(what: string): Ungrown {
  return { refused: new JobNotFoundError(`${what}: its retention is over`) };
}
