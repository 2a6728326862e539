/** Puts trees in through a transaction that is under way: by one command, and what follows is done after the commit. */

import type { ClientSession, ObjectId } from 'mongodb';
import type { JobTree } from '../../job/job-record.js';
import { putOffBy } from '../../job/unique-key-rule.js';
import type { Inserted } from '../job-store.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { refuseForeign } from './driver-errors.js';
import { announce, type Grower, type Grown, type Ungrown } from './grower.js';
import type { Jobs } from './jobs.js';
import { grafted, rungOnce, staged } from './new-trees.js';
import type { News } from './news.js';
import { toRecord } from './records.js';
import type { Tender } from './tender.js';
import type { SessionTransactions } from './transactions.js';
import type { Unfinished } from './unfinished.js';
import type { UniqueKeys } from './unique-keys.js';

export interface InsertWithinSources {
  readonly grower: Grower;
  /** Through the client that sessions of the application belong to. */
  readonly inSession: Collections;
  readonly jobs: Jobs;
  /** Begins to hear of commits. */
  readonly listen: () => void;
  readonly news: News;
  readonly process: string;
  readonly tender: Tender;
  readonly transactions: SessionTransactions;
  readonly uniqueKeys: UniqueKeys;
  readonly unfinished: Unfinished;
}

export class InsertsWithin {
  constructor(private readonly sources: InsertWithinSources) {}

  async insert(trees: readonly JobTree[], session: ClientSession): Promise<readonly Inserted[]> {
    const { grower, inSession, listen, transactions, uniqueKeys } = this.sources;
    const grown: Grown[] = [];
    const ungrown = new Map<string, Ungrown>();
    let holders: ReadonlyMap<string, JobDocument> = new Map();
    const isOwn = transactions.afterCommit(session, () => this.#committedAll(grown));
    try {
      holders = await uniqueKeys.holders(
        trees.map(([root]) => root),
        { collections: inSession, session },
      );
      for (const tree of grafted(withoutRivals(trees, holders))) {
        const one = await grower.grow(tree, { collections: inSession, session });
        if ('documents' in one) grown.push(one);
        else ungrown.set(tree[0].id, one);
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
    const keyed = grown.flatMap(({ first }) => (first.keyHeld === undefined ? [] : [[first.keyHeld, first] as const]));
    const byKey = new Map<string, JobDocument>([...holders, ...keyed]);
    return trees.map(([root]) => {
      const not = ungrown.get(root.id);
      if (not !== undefined && 'refused' in not) return not;
      const job = not?.instead ?? byId.get(root.id) ?? byKey.get(root.unique?.key ?? '');
      if (job === undefined) throw new Error(`the tree of job ${root.id} was not put in`);
      return { record: toRecord(job) };
    });
  }

  async #committedAll(grown: readonly Grown[]): Promise<void> {
    const { news, tender, unfinished } = this.sources;
    for (const one of grown) announce(one, news);
    for (const { first, isLate } of grown) if (isLate) await unfinished.finish(() => tender.releaseLate(first));
  }

  /** A job that was queued here in a session of the application has been committed. */
  async committed(id: ObjectId): Promise<void> {
    const job = await this.sources.jobs.get(id);
    if (job?.status === 'blocked' && job.owner === this.sources.process) await this.sources.tender.releaseLate(job);
  }
}

/** Of trees that go in together, those whose key nobody has, and of one key the first; a debounced one with the arguments of the last. */
function withoutRivals(trees: readonly JobTree[], holders: ReadonlyMap<string, unknown>): readonly JobTree[] {
  const last = new Map(trees.map(([root]) => [root.unique?.key, root]));
  const keys = new Set<string>(holders.keys());
  return trees.flatMap(([root, ...below]): readonly JobTree[] => {
    const { unique } = root;
    if (unique === undefined) return [[root, ...below]];
    if (keys.has(unique.key)) return [];
    keys.add(unique.key);
    return [[unique.debounce === undefined ? root : putOffBy(root, last.get(unique.key) ?? root), ...below]];
  });
}
