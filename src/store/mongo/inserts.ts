/** Puts trees of jobs in: many of one job by one command, one of several as a transaction; or all in a transaction that is under way. */

import { type ClientSession, MongoServerError, ObjectId } from 'mongodb';
import { JobNotFoundError } from '../../errors.js';
import { dueTime, type JobTree } from '../../job/job-record.js';
import type { Inserted } from '../job-store.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { isUnanswered, refuseForeign } from './driver-errors.js';
import { type Jobs, toId } from './jobs.js';
import type { News } from './news.js';
import { toDocument, toRecord } from './records.js';
import type { ServerTime } from './server-time.js';
import { ignoreDuplicates, type Tender } from './tender.js';
import type { SessionTransactions } from './transactions.js';
import type { Unfinished } from './unfinished.js';

export interface InsertSources {
  readonly collections: Collections;
  /** Through the client that sessions of transactions belong to. */
  readonly inSession: Collections;
  readonly jobs: Jobs;
  readonly news: News;
  readonly process: string;
  readonly tender: Tender;
  readonly time: ServerTime;
  readonly transactions: SessionTransactions;
  readonly unfinished: Unfinished;
}

/** What came of putting a tree in. */
type Put = 'there' | 'no parent' | { readonly first: JobDocument; readonly isLate: boolean };

export class Inserts {
  constructor(private readonly sources: InsertSources) {}

  /** Each tree with all its jobs or not at all, in their order. */
  async insert(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    return inOrder(trees, {
      alone: (group) => this.#insertAlone(group),
      tree: (tree) => this.#insertTree(tree),
    });
  }

  /** In a transaction that is under way: what follows from it is done after its commit. */
  async insertWithin(trees: readonly JobTree[], session: ClientSession): Promise<readonly Inserted[]> {
    try {
      return await inOrder(trees, {
        alone: (group) => this.#insertAloneWithin(group, session),
        tree: (tree) => this.#insertTreeWithin(tree, session),
      });
    } catch (error) {
      refuseForeign(error);
      throw error;
    }
  }

  /** A job that was queued here in a session of the application has been committed. */
  async committed(id: ObjectId): Promise<void> {
    const job = await this.sources.jobs.get(id);
    if (job?.status === 'blocked' && job.owner === this.sources.process) await this.sources.tender.releaseLate(job);
  }

  /** Trees of one job that have no parent: what is there already stays as it is. */
  async #insertAlone(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    const documents = this.#alone(trees);
    const isNew = await this.#insertOnce(documents);
    const stored = isNew ? documents : await this.#stored(trees);
    for (const job of stored) this.sources.news.queued(job);
    return this.#answers(trees, stored);
  }

  async #insertAloneWithin(trees: readonly JobTree[], session: ClientSession): Promise<readonly Inserted[]> {
    const { inSession, transactions, news } = this.sources;
    const documents = this.#alone(trees);
    const isOwn = transactions.afterCommit(session, async () => {
      for (const job of documents) news.queued(job);
    });
    await inSession.jobs.insertMany(
      documents.map((job) => staged(job, isOwn)),
      { session },
    );
    return this.#answers(trees, documents);
  }

  /** Not answered, it is sent again with the same ids. @returns `false` where some were there already */
  async #insertOnce(documents: readonly JobDocument[]): Promise<boolean> {
    const { jobs } = this.sources.collections;
    const send = async (): Promise<boolean> => {
      await jobs.insertMany(documents, { ordered: false });
      return true;
    };
    const isDuplicate = (error: unknown): false => {
      ignoreDuplicates(error);
      return false;
    };
    try {
      return await send();
    } catch (error) {
      if (!isUnanswered(error)) return isDuplicate(error);
    }
    return send().catch(isDuplicate);
  }

  async #insertTree(tree: JobTree): Promise<Inserted> {
    const { tender, news, transactions, jobs, unfinished } = this.sources;
    const [root] = tree;
    const put = await transactions
      .run((session) => this.#put(tree, session))
      .catch((error: unknown): Put => {
        ignoreDuplicates(error);
        return 'there';
      });
    if (put === 'no parent') return noParent(root.parent);
    const first = put === 'there' ? await jobs.ofId(root.id) : put.first;
    if (put !== 'there') this.#announce(put.first, tree);
    if (first?.status === 'blocked' && (put === 'there' || put.isLate)) await unfinished.finish(() => tender.releaseLate(first));
    const now = put === 'there' || put.isLate ? await jobs.ofId(root.id) : first;
    if (now === undefined) throw new MongoServerError({ message: `job ${root.id} is not there after it was inserted` });
    return { record: await news.recordOf(now) };
  }

  async #insertTreeWithin(tree: JobTree, session: ClientSession): Promise<Inserted> {
    const { transactions, tender } = this.sources;
    const [root] = tree;
    let put: Put = 'there';
    const isOwn = transactions.afterCommit(session, async () => {
      if (put === 'there' || put === 'no parent') return;
      this.#announce(put.first, tree);
      const { first } = put;
      if (put.isLate) await this.sources.unfinished.finish(() => tender.releaseLate(first));
    });
    put = await this.#put(tree, session, isOwn);
    if (put === 'no parent') return noParent(root.parent);
    return { record: toRecord((put as { readonly first: JobDocument }).first) };
  }

  #announce(first: JobDocument, tree: JobTree): void {
    const { news } = this.sources;
    for (const { beginBy } of tree) if (beginBy !== undefined) news.due(beginBy);
    if (first.status !== 'blocked') news.queued(first);
  }

  /** As a transaction; a callback's parent is noted to have one more, so that its end cannot miss it. */
  async #put(tree: JobTree, session: ClientSession, isOwn = true): Promise<Put> {
    const { process, inSession } = this.sources;
    const [root] = tree;
    const parts = tree.map((job) => toDocument(job, process, new ObjectId(root.id)));
    const documents = parts.map((part, index) => this.#first(withTail(part, parts), index > 0 || root.parent !== undefined));
    const parent = root.parent === undefined ? undefined : await this.#attach(root.parent, session);
    if (parent === null) return 'no parent';
    const above = parent?.open === true ? parent.root : undefined;
    const isLate = parent?.outcome !== undefined;
    const all = documents.map((job, index): JobDocument => {
      const within = above === undefined ? job : { ...job, root: above };
      // The work of its job is over: until it has been released, somebody is responsible.
      return index === 0 && isLate ? { ...within, owner: process, ...(isOwn ? {} : { bell: job.lane }) } : within;
    });
    const [first] = all;
    if (first === undefined) return 'there';
    await inSession.jobs.insertMany(
      all.map((job) => staged(job, isOwn)),
      { session },
    );
    return { first, isLate };
  }

  /** The tree of a job that is alone begins now; one that has ended stays as long as what is added to it will. */
  #attach(id: string, session: ClientSession): Promise<JobDocument | null> {
    const { inSession, time } = this.sources;
    const later = { $cond: [{ $eq: [{ $type: '$expireAt' }, 'missing'] }, '$$REMOVE', { $max: ['$expireAt', time.removal] }] };
    const adds = { $add: [{ $ifNull: ['$adds', 0] }, 1] };
    const attach = [{ $set: { adds, tail: true, root: { $ifNull: ['$root', '$_id'] }, expireAt: later } }];
    const parent = toId(id);
    return parent === undefined
      ? Promise.resolve(null)
      : inSession.jobs.findOneAndUpdate({ _id: parent }, attach, { session, returnDocument: 'after' });
  }

  #alone(trees: readonly JobTree[]): readonly JobDocument[] {
    const documents = trees.map(([job]) => this.#first(toDocument(job, this.sources.process, undefined), false));
    return rungOnce([...new Map(documents.map((document) => [document._id.toHexString(), document])).values()]);
  }

  #first(
    part: Omit<JobDocument, 'status' | 'order' | 'queuedAt' | 'attempts' | 'failures' | 'interruptions'>,
    isBlocked: boolean,
  ): JobDocument {
    const { time } = this.sources;
    const queuedAt = time.estimate();
    const dueAt = isBlocked ? undefined : dueTime(part as never, queuedAt);
    const status = isBlocked ? 'blocked' : dueAt === undefined ? 'pending' : 'scheduled';
    return {
      ...part,
      status,
      open: true,
      order: time.order,
      queuedAt,
      attempts: 0,
      failures: 0,
      interruptions: 0,
      ...(dueAt === undefined ? {} : { dueAt }),
      ...(status === 'pending' ? { bell: part.lane } : {}),
    };
  }

  #stored(trees: readonly JobTree[]): Promise<JobDocument[]> {
    return this.sources.jobs.find({ _id: { $in: trees.map(([root]) => new ObjectId(root.id)) } });
  }

  async #answers(trees: readonly JobTree[], stored: readonly JobDocument[]): Promise<readonly Inserted[]> {
    const byId = new Map(stored.map((job) => [job._id.toHexString(), job]));
    return Promise.all(
      trees.map(async ([root]): Promise<Inserted> => {
        const job = byId.get(root.id);
        if (job === undefined) throw new MongoServerError({ message: `job ${root.id} is not there after it was inserted` });
        return { record: await this.sources.news.recordOf(job) };
      }),
    );
  }
}

function noParent(parent: string | undefined): Inserted {
  return { refused: new JobNotFoundError(`job ${parent} is not there, so it can have no callback: its retention is over`) };
}

/** Of what is queued in a session of the application, this process, too, is told by the change stream. */
function staged(job: JobDocument, isOwn: boolean): JobDocument {
  return isOwn ? job : { ...job, isStaged: true };
}

/** One bell is enough for all that come to a lane together. */
function rungOnce(documents: readonly JobDocument[]): readonly JobDocument[] {
  const lanes = new Set<string>();
  return documents.map((document) => {
    const { bell, ...silent } = document;
    if (bell !== undefined && lanes.has(bell)) return silent;
    if (bell !== undefined) lanes.add(bell);
    return document;
  });
}

interface Putting {
  /** Neighbours of one job each, without a parent. */
  readonly alone: (trees: readonly JobTree[]) => Promise<readonly Inserted[]>;
  readonly tree: (tree: JobTree) => Promise<Inserted>;
}

/** One after the other, neighbours that are alone together. */
async function inOrder(trees: readonly JobTree[], { alone, tree }: Putting): Promise<readonly Inserted[]> {
  const answers: Inserted[] = [];
  for (let next = 0; next < trees.length; ) {
    const count = countAlone(trees, next);
    if (count > 0) answers.push(...(await alone(trees.slice(next, next + count))));
    else answers.push(await tree(trees[next] as JobTree));
    next += Math.max(1, count);
  }
  return answers;
}

/** How many trees from here on are of one job without a parent. */
function countAlone(trees: readonly JobTree[], from: number): number {
  let next = from;
  while (next < trees.length && trees[next]?.length === 1 && trees[next]?.[0].parent === undefined) next++;
  return next - from;
}

/** Marks a job that has callbacks among the others. */
function withTail<P extends { readonly _id: ObjectId }>(
  part: P,
  all: readonly (P & { readonly role?: string; readonly parent?: ObjectId })[],
): P {
  const hasCallbacks = all.some(({ role, parent }) => role === 'callback' && parent?.equals(part._id) === true);
  return hasCallbacks ? { ...part, tail: true } : part;
}
