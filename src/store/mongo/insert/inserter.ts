/** Puts trees of jobs in: many of one job by one command, one of several as a transaction. */

import { type ClientSession, MongoServerError, ObjectId, type WriteError } from 'mongodb';
import { JobNotFoundError, UncertainError } from '../../../errors.js';
import type { JobTree } from '../../../job/job-record.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { InsertResult } from '../../store-messages.js';
import { asUncertain, hasNoServer, ignoreDuplicates, isUnanswered, perDocumentErrors } from '../driver/driver-errors.js';
import type { ServerTime } from '../driver/server-time.js';
import type { SessionTransactions } from '../driver/session-transactions.js';
import type { Notifier } from '../feed/notifier.js';
import type { JobCollection } from '../jobs/job-collection.js';
import { countStandalone } from '../jobs/new-documents.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Completion } from '../settle/completion.js';
import { type BuiltTree, type NotInserted, notifyInserted, type TreeBuilder } from './tree-builder.js';
import type { UniqueKeys } from './unique-keys.js';

export interface InserterSources {
  readonly collections: Collections;
  readonly treeBuilder: TreeBuilder;
  readonly jobs: JobCollection;
  readonly notifier: Notifier;
  readonly completion: Completion;
  readonly time: ServerTime;
  /** Of the store's own client. */
  readonly transactions: SessionTransactions;
  readonly uniqueKeys: UniqueKeys;
  readonly backgroundRetry: BackgroundRetry;
}

/** The result of inserting a tree. */
type Put = 'there' | BuiltTree | NotInserted;

export class Inserter {
  constructor(private readonly sources: InserterSources) {}

  /** Each tree with all its jobs or not at all, in their order; a failure of one does not affect the others. */
  async insert(trees: readonly JobTree[]): Promise<readonly InsertResult[]> {
    const answers: InsertResult[] = [];
    while (answers.length < trees.length) {
      const alone = countStandalone(trees, answers.length);
      const group = trees.slice(answers.length, answers.length + Math.max(1, alone));
      try {
        answers.push(...(await this.#insertGroup(group, alone > 0)));
      } catch (error) {
        const failed = asUncertain(error, 'whether a job was queued');
        answers.push(...group.map(() => ({ failed })));
        // The others would wait as long for nothing, so they are not sent.
        if (hasNoServer(error) || error instanceof UncertainError)
          answers.push(...trees.slice(answers.length).map(() => ({ failed: error })));
      }
    }
    return answers;
  }

  async #insertGroup(group: readonly JobTree[], areAlone: boolean): Promise<readonly InsertResult[]> {
    // An insert computes nothing: due times are reckoned here.
    await this.sources.time.sure();
    return areAlone ? this.#insertAlone(group) : Promise.all(group.map((tree) => this.#insertTree(tree)));
  }

  /** Trees of one job without a parent: jobs that exist already stay as they are. */
  async #insertAlone(trees: readonly JobTree[]): Promise<readonly InsertResult[]> {
    const { treeBuilder, notifier } = this.sources;
    const documents = treeBuilder.alone(trees);
    const refused = await this.#insertOnce(documents);
    const stored = refused === undefined ? documents : await this.#stored(trees).catch(orUncertain);
    for (const job of stored) notifier.queued(job);
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
      // Without a server, another try would take the same time again.
      if (!isUnanswered(error) || hasNoServer(error)) throw error;
      return send();
    });
  }

  async #insertTree(tree: JobTree): Promise<InsertResult> {
    const { completion, notifier, transactions, jobs, backgroundRetry } = this.sources;
    const [root] = tree;
    const put = await transactions
      .run((session) => this.#put(tree, session))
      .catch((error: unknown): Put => {
        ignoreDuplicates(error);
        return 'there';
      });
    if (put !== 'there' && 'refused' in put) return put;
    if (put !== 'there' && 'instead' in put) return { record: await notifier.recordOf(put.instead).catch(orUncertain) };
    const first = put === 'there' ? await jobs.ofId(root.id).catch(orUncertain) : put.first;
    if (first === undefined && root.unique !== undefined) return this.#underKey(tree);
    if (put !== 'there') notifyInserted(put, notifier);
    if (first !== undefined && (put === 'there' || put.isLate)) await backgroundRetry.run(() => completion.childAdded(first));
    const now = put === 'there' || put.first.owner !== undefined ? await jobs.ofId(root.id).catch(orUncertain) : first;
    if (now === undefined) throw notThere(root.id);
    return { record: await notifier.recordOf(now).catch(orUncertain) };
  }

  /** Trees that could not be put in because their keys were taken: the jobs that have these, or the trees, once their keys are free. */
  async #underKeys(trees: readonly JobTree[]): Promise<readonly InsertResult[]> {
    const { collections, notifier, uniqueKeys } = this.sources;
    const roots = trees.map(([root]) => root);
    const holders = await uniqueKeys.holders(roots, { collections }).catch(orUncertain);
    const holderOf = ([{ unique }]: JobTree): JobDocument | undefined => holders.get(unique?.key ?? '');
    const free = trees.filter((tree) => holderOf(tree) === undefined);
    const again = new Map((free.length === 0 ? [] : await this.insert(free)).map((answer, index) => [free[index], answer]));
    const answer = async (tree: JobTree): Promise<InsertResult> => {
      const holder = holderOf(tree);
      if (holder !== undefined) return { record: await notifier.recordOf(holder).catch(orUncertain) };
      return again.get(tree) ?? { failed: notThere(tree[0].id) };
    };
    return Promise.all(trees.map(answer));
  }

  async #underKey(tree: JobTree): Promise<InsertResult> {
    const [answer = { failed: notThere(tree[0].id) }] = await this.#underKeys([tree]);
    return answer;
  }

  async #put(tree: JobTree, session: ClientSession): Promise<Put> {
    const { collections, treeBuilder } = this.sources;
    const grown = await treeBuilder.grow(tree, { collections, session });
    if ('documents' in grown) await collections.jobs.insertMany([...grown.documents], { session });
    return grown;
  }

  #stored(trees: readonly JobTree[]): Promise<JobDocument[]> {
    return this.sources.jobs.find({ _id: { $in: trees.map(([root]) => new ObjectId(root.id)) } });
  }

  async #answers(
    trees: readonly JobTree[],
    stored: readonly JobDocument[],
    refused: ReadonlyMap<string, unknown> = new Map(),
  ): Promise<readonly InsertResult[]> {
    const byId = new Map(stored.map((job) => [job._id.toHexString(), job]));
    const rivals = trees.filter(([{ id, unique }]) => unique !== undefined && !byId.has(id) && !refused.has(id));
    const answered = rivals.length === 0 ? [] : await this.#underKeys(rivals);
    const underKeys = new Map(rivals.map((tree, index) => [tree, answered[index]]));
    return Promise.all(
      trees.map(async (tree): Promise<InsertResult> => {
        const [root] = tree;
        const job = byId.get(root.id);
        const underKey = underKeys.get(tree);
        if (underKey !== undefined) return underKey;
        if (job !== undefined) return { record: await this.sources.notifier.recordOf(job).catch(orUncertain) };
        return { failed: refused.get(root.id) ?? notThere(root.id) };
      }),
    );
  }
}

/** By id, why the server has refused some for themselves; the others are there. @throws what refuses all of them */
function refusedOf(documents: readonly JobDocument[], error: unknown): ReadonlyMap<string, unknown> {
  const asError = ({ errmsg: message = 'the job was refused', code }: Partial<WriteError>) => new MongoServerError({ message, code });
  return new Map(perDocumentErrors(error).map((one) => [documents[one.index ?? 0]?._id.toHexString() ?? '', asError(one)]));
}

function notThere(id: string): JobNotFoundError {
  return new JobNotFoundError(`job ${id} is gone after it was inserted: somebody has removed it, or its retention was over at once`);
}

/** It has been written, so a repeated call would queue it twice. */
function orUncertain(cause: Error): never {
  throw new UncertainError(`MongoDB has not answered whether a job was queued: ${cause.message}`, { cause });
}
