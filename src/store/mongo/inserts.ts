/** Puts trees of jobs in: many of one job by one command, one of several as a transaction; or all in a transaction that is under way. */

import { type ClientSession, MongoServerError, ObjectId, type WriteError } from 'mongodb';
import { JobNotFoundError, UncertainError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import type { Inserted } from '../job-store.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { asUncertain, hasNoServer, ignoreDuplicates, isUnanswered, refusedSingly, refuseForeign } from './driver-errors.js';
import { type Jobs, toId } from './jobs.js';
import { countAlone, firstDocument, grafted, rungOnce, staged, withTail } from './new-trees.js';
import type { News } from './news.js';
import { type QueuedPart, toDocument, toRecord } from './records.js';
import type { ServerTime } from './server-time.js';
import type { Tender } from './tender.js';
import type { SessionTransactions } from './transactions.js';
import type { Unfinished } from './unfinished.js';

export interface InsertSources {
  readonly collections: Collections;
  /** Through the client that sessions of transactions belong to. */
  readonly inSession: Collections;
  readonly jobs: Jobs;
  /** Begins to hear of commits. */
  readonly listen: () => void;
  readonly news: News;
  readonly process: string;
  readonly tender: Tender;
  readonly time: ServerTime;
  /** Of the store's own client, and of the one that sessions of the application belong to. */
  readonly ownTransactions: SessionTransactions;
  readonly transactions: SessionTransactions;
  readonly unfinished: Unfinished;
}

/** A tree as it is put in. */
interface Grown {
  readonly first: JobDocument;
  readonly documents: readonly JobDocument[];
  /** It is a callback of a job whose work is over. */
  readonly isLate: boolean;
}

/** What came of putting a tree in. */
type Put = 'there' | 'no parent' | Grown;

export class Inserts {
  constructor(private readonly sources: InsertSources) {}

  /** Each tree with all its jobs or not at all, in their order; what befalls one does not befall the others. */
  async insert(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    const answers: Inserted[] = [];
    while (answers.length < trees.length) {
      const alone = countAlone(trees, answers.length);
      const group = trees.slice(answers.length, answers.length + Math.max(1, alone));
      try {
        answers.push(...(await this.#insertGroup(group, alone > 0)));
      } catch (error) {
        const failed = asUncertain(error, 'whether a job was queued');
        answers.push(...group.map(() => ({ failed })));
        // The others would wait as long in vain, and are not sent.
        if (hasNoServer(error) || error instanceof UncertainError)
          answers.push(...trees.slice(answers.length).map(() => ({ failed: error })));
      }
    }
    return answers;
  }

  async #insertGroup(group: readonly JobTree[], areAlone: boolean): Promise<readonly Inserted[]> {
    return areAlone ? this.#insertAlone(group) : Promise.all(group.map((tree) => this.#insertTree(tree)));
  }

  /** In a transaction that is under way, by one command; what follows from it is done after its commit. */
  async insertWithin(trees: readonly JobTree[], session: ClientSession): Promise<readonly Inserted[]> {
    const { inSession, listen, transactions } = this.sources;
    const grown: Grown[] = [];
    const isOwn = transactions.afterCommit(session, () => this.#committedAll(grown));
    try {
      for (const tree of grafted(trees)) {
        const one = await this.#grow(tree, session, inSession);
        if (one !== undefined) grown.push(one);
      }
      const documents = rungOnce(grown.flatMap((one) => one.documents)).map((job) => staged(job, isOwn));
      if (documents.length > 0) await inSession.jobs.insertMany(documents, { session });
    } catch (error) {
      refuseForeign(error);
      throw error;
    }
    // Nobody else tells of the commit.
    if (!isOwn && grown.some(({ isLate }) => isLate)) listen();
    const byId = new Map(grown.flatMap(({ documents }) => documents.map((job) => [job._id.toHexString(), job])));
    return trees.map(([root]) => {
      const job = byId.get(root.id);
      return job === undefined ? noParent(root.parent) : { record: toRecord(job) };
    });
  }

  async #committedAll(grown: readonly Grown[]): Promise<void> {
    const { tender, unfinished } = this.sources;
    for (const one of grown) this.#announce(one);
    for (const { first, isLate } of grown) if (isLate) await unfinished.finish(() => tender.releaseLate(first));
  }

  /** A job that was queued here in a session of the application has been committed. */
  async committed(id: ObjectId): Promise<void> {
    const job = await this.sources.jobs.get(id);
    if (job?.status === 'blocked' && job.owner === this.sources.process) await this.sources.tender.releaseLate(job);
  }

  /** Trees of one job that have no parent: what is there already stays as it is. */
  async #insertAlone(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    const documents = this.#alone(trees);
    const refused = await this.#insertOnce(documents);
    const stored = refused === undefined ? documents : await this.#stored(trees).catch(orUncertain);
    for (const job of stored) this.sources.news.queued(job);
    return this.#answers(trees, stored, refused);
  }

  /** Not answered, it is sent again with the same ids. @returns by id why some were refused, or `undefined` where all are new */
  async #insertOnce(documents: readonly JobDocument[]): Promise<ReadonlyMap<string, unknown> | undefined> {
    const { jobs } = this.sources.collections;
    const send = async (): Promise<ReadonlyMap<string, unknown> | undefined> => {
      try {
        await jobs.insertMany(documents, { ordered: false });
        return undefined;
      } catch (error) {
        return refusedOf(documents, error);
      }
    };
    return send().catch((error: unknown) => {
      // Where there is no server, another try would take as long again.
      if (!isUnanswered(error) || hasNoServer(error)) throw error;
      return send();
    });
  }

  async #insertTree(tree: JobTree): Promise<Inserted> {
    const { tender, news, ownTransactions, jobs, unfinished } = this.sources;
    const [root] = tree;
    const put = await ownTransactions
      .run((session) => this.#put(tree, session))
      .catch((error: unknown): Put => {
        ignoreDuplicates(error);
        return 'there';
      });
    if (put === 'no parent') return noParent(root.parent);
    const first = put === 'there' ? await jobs.ofId(root.id).catch(orUncertain) : put.first;
    if (put !== 'there') this.#announce(put);
    if (first?.status === 'blocked' && (put === 'there' || put.isLate)) await unfinished.finish(() => tender.releaseLate(first));
    const now = put === 'there' || put.isLate ? await jobs.ofId(root.id).catch(orUncertain) : first;
    if (now === undefined) throw new MongoServerError({ message: `job ${root.id} is not there after it was inserted` });
    return { record: await news.recordOf(now).catch(orUncertain) };
  }

  #announce({ first, documents }: Grown): void {
    const { news } = this.sources;
    for (const { beginBy } of documents) if (beginBy !== undefined) news.due(beginBy);
    if (first.status !== 'blocked') news.queued(first);
  }

  async #put(tree: JobTree, session: ClientSession): Promise<Put> {
    const { collections } = this.sources;
    const grown = await this.#grow(tree, session, collections);
    if (grown === undefined) return 'no parent';
    await collections.jobs.insertMany([...grown.documents], { session });
    return grown;
  }

  /** A tree as documents. A callback's parent is noted to have one more, so that its end cannot miss it; `undefined` where it has gone. */
  async #grow(tree: JobTree, session: ClientSession, collections: Collections): Promise<Grown | undefined> {
    const { process } = this.sources;
    const [root] = tree;
    const isAlone = tree.length === 1 && root.parent === undefined;
    const parts = tree.map((job) => toDocument(job, process, isAlone ? undefined : new ObjectId(root.id)));
    const documents = parts.map((part, index) => this.#first(withTail(part, parts), index > 0 || root.parent !== undefined));
    const parent = root.parent === undefined ? undefined : await this.#attach(root.parent, session, collections);
    const [top] = documents;
    if (parent === null || top === undefined) return undefined;
    const isLate = parent?.outcome !== undefined;
    const above = parent?.open === true ? parent.root : undefined;
    // The work of its job is over: until it has been released, somebody is responsible.
    const owned = isLate ? [{ ...top, owner: process }, ...documents.slice(1)] : documents;
    const all = above === undefined ? owned : owned.map((job): JobDocument => ({ ...job, root: above }));
    return { first: all[0] ?? top, documents: all, isLate };
  }

  /** The tree of a job that is alone begins now; one that has ended stays as long as what is added to it will. */
  #attach(id: string, session: ClientSession, { jobs }: Collections): Promise<JobDocument | null> {
    const { time } = this.sources;
    const later = { $cond: [{ $eq: [{ $type: '$expireAt' }, 'missing'] }, '$$REMOVE', { $max: ['$expireAt', time.removal] }] };
    const adds = { $add: [{ $ifNull: ['$adds', 0] }, 1] };
    const attach = [{ $set: { adds, tail: true, root: { $ifNull: ['$root', '$_id'] }, expireAt: later } }];
    const parent = toId(id);
    return parent === undefined
      ? Promise.resolve(null)
      : jobs.findOneAndUpdate({ _id: parent }, attach, { session, returnDocument: 'after' });
  }

  #alone(trees: readonly JobTree[]): readonly JobDocument[] {
    const documents = trees.map(([job]) => this.#first(toDocument(job, this.sources.process, undefined), false));
    return rungOnce([...new Map(documents.map((document) => [document._id.toHexString(), document])).values()]);
  }

  #first(part: QueuedPart, isBlocked: boolean): JobDocument {
    const { time } = this.sources;
    return firstDocument(part, { order: time.order, now: time.estimate() }, isBlocked);
  }

  #stored(trees: readonly JobTree[]): Promise<JobDocument[]> {
    return this.sources.jobs.find({ _id: { $in: trees.map(([root]) => new ObjectId(root.id)) } });
  }

  async #answers(
    trees: readonly JobTree[],
    stored: readonly JobDocument[],
    refused: ReadonlyMap<string, unknown> = new Map(),
  ): Promise<readonly Inserted[]> {
    const byId = new Map(stored.map((job) => [job._id.toHexString(), job]));
    return Promise.all(
      trees.map(async ([root]): Promise<Inserted> => {
        const job = byId.get(root.id);
        if (job !== undefined) return { record: await this.sources.news.recordOf(job).catch(orUncertain) };
        const isGone = new MongoServerError({ message: `job ${root.id} is not there after it was inserted` });
        return { failed: refused.get(root.id) ?? isGone };
      }),
    );
  }
}

/** By id, why the server has refused some for themselves; the others are there. @throws what refuses all of them */
function refusedOf(documents: readonly JobDocument[], error: unknown): ReadonlyMap<string, unknown> {
  const asError = ({ errmsg: message = 'the job was refused', code }: Partial<WriteError>) => new MongoServerError({ message, code });
  return new Map(refusedSingly(error).map((one) => [documents[one.index ?? 0]?._id.toHexString() ?? '', asError(one)]));
}

/** It has been written, so that whoever asks again would have it twice. */
function orUncertain(cause: Error): never {
  throw new UncertainError(`MongoDB has not answered what became of a job that was queued: ${cause.message}`, { cause });
}

function noParent(parent: string | undefined): Inserted {
  return { refused: new JobNotFoundError(`job ${parent} is not there, so it can have no callback: its retention is over`) };
}
