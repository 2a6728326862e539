/** Puts trees of jobs in: many of one job by one command, one of several as a transaction. */

import { type MongoClient, MongoServerError, ObjectId, type TransactionOptions } from 'mongodb';
import { JobNotFoundError } from '../../errors.js';
import { dueTime, type JobTree } from '../../job/job-record.js';
import type { Inserted } from '../job-store.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import type { Jobs } from './jobs.js';
import type { News } from './news.js';
import { toDocument } from './records.js';
import type { ServerTime } from './server-time.js';
import { ignoreDuplicates, type Tender } from './tender.js';

export interface InsertSources {
  readonly client: MongoClient;
  readonly collections: Collections;
  readonly jobs: Jobs;
  readonly time: ServerTime;
  readonly news: News;
  readonly tender: Tender;
  readonly process: string;
}

/** Whatever the client's own are. */
const TRANSACTION: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
};

/** What came of putting a tree in. */
type Put = 'there' | 'no parent' | { readonly parent: JobDocument | undefined };

export class Inserts {
  constructor(private readonly sources: InsertSources) {}

  /** Each tree with all its jobs or not at all, in their order. */
  async insert(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    const answers: Inserted[] = [];
    for (let next = 0; next < trees.length; ) {
      const alone = countAlone(trees, next);
      if (alone > 0) answers.push(...(await this.#insertAlone(trees.slice(next, next + alone))));
      else answers.push(await this.#insertTree(trees[next] as JobTree));
      next += Math.max(1, alone);
    }
    return answers;
  }

  /** Trees of one job that have no parent: what is there already stays as it is. */
  async #insertAlone(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    const { collections, news } = this.sources;
    const documents = trees.map(([job]) => this.#first(toDocument(job, this.sources.process, undefined), false));
    const once = rungOnce([...new Map(documents.map((document) => [document._id.toHexString(), document])).values()]);
    const isNew = await collections.jobs.insertMany(once, { ordered: false }).then(
      () => true,
      (error: unknown) => {
        ignoreDuplicates(error);
        return false;
      },
    );
    const stored = isNew ? once : await this.#stored(trees);
    for (const job of stored) news.queued(job);
    return this.#answers(trees, stored);
  }

  async #insertTree(tree: JobTree): Promise<Inserted> {
    const { news, tender, process } = this.sources;
    const [root] = tree;
    const top = new ObjectId(root.id);
    const parts = tree.map((job) => toDocument(job, process, top));
    const documents = parts.map((part, index) => this.#first(withTail(part, parts), index > 0 || root.parent !== undefined));
    const put = await this.#put(documents, root.parent === undefined ? undefined : new ObjectId(root.parent));
    if (put === 'no parent') {
      return { refused: new JobNotFoundError(`job ${root.parent} is not there, so it can have no callback: its retention is over`) };
    }
    const [first] = documents;
    if (put === 'there' || first === undefined) return this.#existing(root.id);
    for (const { startBy } of documents) if (startBy !== undefined) news.due(startBy);
    if (put.parent?.outcome !== undefined) {
      await tender.releaseCallback(first, await tender.outcomeOf(put.parent));
      return this.#existing(root.id);
    }
    news.queued(first);
    return { record: await news.recordOf(first) };
  }

  /** As a transaction; a callback's parent is noted to have one more, so that its end cannot miss it. */
  async #put(documents: JobDocument[], parentId: ObjectId | undefined): Promise<Put> {
    const { collections, client } = this.sources;
    // The tree of a job that is alone begins now; one that has ended stays as long as what is added to it will.
    const later = { $cond: [{ $eq: [{ $type: '$expireAt' }, 'missing'] }, '$$REMOVE', { $max: ['$expireAt', this.sources.time.removal] }] };
    const attach = [
      { $set: { adds: { $add: [{ $ifNull: ['$adds', 0] }, 1] }, tail: true, root: { $ifNull: ['$root', '$_id'] }, expireAt: later } },
    ];
    try {
      return await client.withSession((session) =>
        session.withTransaction(async (): Promise<Put> => {
          const options = { session, returnDocument: 'after' } as const;
          const parent = parentId === undefined ? undefined : await collections.jobs.findOneAndUpdate({ _id: parentId }, attach, options);
          if (parent === null) return 'no parent';
          const root = parent?.open === true ? parent.root : undefined;
          await collections.jobs.insertMany(root === undefined ? documents : documents.map((job) => ({ ...job, root })), { session });
          return { parent };
        }, TRANSACTION),
      );
    } catch (error) {
      ignoreDuplicates(error);
      return 'there';
    }
  }

  /** One that is there already. */
  async #existing(id: string): Promise<Inserted> {
    const job = await this.sources.jobs.ofId(id);
    if (job === undefined) throw new MongoServerError({ message: `job ${id} is not there after it was inserted` });
    return { record: await this.sources.news.recordOf(job) };
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

/** One bell is enough for all that come to a lane together. */
function rungOnce(documents: readonly JobDocument[]): readonly JobDocument[] {
  const lanes = new Set<string>();
  return documents.map((document) => {
    const { bell, ...silent } = document;
    if (bell === undefined || !lanes.has(bell)) return lanes.add(document.lane) && document;
    return silent;
  });
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
