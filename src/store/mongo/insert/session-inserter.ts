/** Inserts trees through a transaction that is under way: by one command, with the follow-ups after the commit. */

import type { ClientSession, ObjectId } from 'mongodb';
import { notBelow } from '../../../job/batch-rule.js';
import type { JobTree, QueuedJob } from '../../../job/job-record.js';
import type { Debounce } from '../../../job/job-sealer.js';
import { isDebouncedBy } from '../../../job/unique-key-rule.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { InsertResult } from '../../store-messages.js';
import { refuseForeign } from '../driver/driver-errors.js';
import type { ServerTime } from '../driver/server-time.js';
import type { SessionTransactions } from '../driver/session-transactions.js';
import type { Notifier } from '../feed/notifier.js';
import { toRecord } from '../jobs/job-codec.js';
import type { JobCollection } from '../jobs/job-collection.js';
import { joinTrees, markStaged, signalOncePerLane } from '../jobs/new-documents.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Completion } from '../settle/completion.js';
import { type BuiltTree, type NotInserted, notifyInserted, type TransactionScope, type TreeBuilder } from './tree-builder.js';
import type { UniqueKeys } from './unique-keys.js';

export interface SessionInserterSources {
  readonly treeBuilder: TreeBuilder;
  /** Through the client that sessions of the application belong to. */
  readonly inSession: Collections;
  readonly jobs: JobCollection;
  /** Begins to listen to commits. */
  readonly listen: () => void;
  readonly notifier: Notifier;
  /** Combines a debounced job with the one that puts it off. */
  readonly putOff: Debounce;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly transactions: SessionTransactions;
  readonly uniqueKeys: UniqueKeys;
  readonly backgroundRetry: BackgroundRetry;
}

export class SessionInserter {
  constructor(private readonly sources: SessionInserterSources) {}

  async insert(trees: readonly JobTree[], session: ClientSession): Promise<readonly InsertResult[]> {
    const { treeBuilder, inSession, listen, time, transactions } = this.sources;
    const within: TransactionScope = { collections: inSession, session };
    const grown: BuiltTree[] = [];
    const ungrown = refusedAmong(trees);
    let rivals: Rivals = { firsts: [], insteadOf: new Map() };
    const isOwn = transactions.afterCommit(session, () => this.#committedAll(grown));
    try {
      await time.sure();
      for (const [id, instead] of await this.#there(trees, within)) ungrown.set(id, { instead });
      rivals = withoutRivals(
        trees.filter(([{ id }]) => !ungrown.has(id)),
        this.sources.putOff,
      );
      for (const tree of joinTrees(rivals.firsts)) {
        const one = await treeBuilder.grow(tree, within);
        if ('documents' in one) grown.push(one);
        else ungrown.set(tree[0].id, one);
      }
      const documents = signalOncePerLane(grown.flatMap((one) => one.documents)).map((job) => markStaged(job, isOwn));
      if (documents.length > 0) await inSession.jobs.insertMany(documents, { session });
    } catch (error) {
      refuseForeign(error);
      throw error;
    }
    // Nothing else reports the commit.
    if (!isOwn && grown.some(({ first }) => first.owner !== undefined)) listen();
    const byId = new Map(grown.flatMap(({ documents }) => documents.map((job) => [job._id.toHexString(), job])));
    return trees.map(([root]) => {
      const id = rivals.insteadOf.get(root.id) ?? root.id;
      const not = ungrown.get(id);
      if (not !== undefined && 'refused' in not) return not;
      const job = not?.instead ?? byId.get(id);
      if (job === undefined) throw new Error(`the tree of job ${root.id} was not inserted`);
      return { record: toRecord(job) };
    });
  }

  /**
   * The existing job in place of a tree, by the id of the tree's root: an earlier retry of the same job, or else the job that has its key.
   */
  async #there(trees: readonly JobTree[], within: TransactionScope): Promise<ReadonlyMap<string, JobDocument>> {
    const { treeBuilder, uniqueKeys } = this.sources;
    const there = new Map<string, JobDocument>();
    const keyed = trees.flatMap(([root]) => (root.unique === undefined ? [] : [root]));
    for (const { id, retryOf } of keyed) {
      const retry = retryOf === undefined ? undefined : await treeBuilder.retryOf(retryOf, within);
      if (retry !== undefined) there.set(id, retry);
    }
    const holders = await uniqueKeys.holders(
      keyed.filter(({ id }) => !there.has(id)),
      within,
    );
    for (const { id, unique } of keyed) {
      const holder = holders.get(unique?.key ?? '');
      if (holder !== undefined && !there.has(id)) there.set(id, holder);
    }
    return there;
  }

  async #committedAll(grown: readonly BuiltTree[]): Promise<void> {
    const { notifier, completion, backgroundRetry } = this.sources;
    for (const one of grown) notifyInserted(one, notifier);
    const late = grown.flatMap(({ first, isLate }) => (isLate ? [first] : []));
    // Of the steps of one batch, one is enough.
    const each = new Map(late.map((job) => [job.role === 'step' ? job.parent?.toHexString() : job._id.toHexString(), job]));
    for (const job of each.values()) await backgroundRetry.run(() => completion.childAdded(job));
  }

  /** A job that was queued here in a session of the application has been committed. */
  async committed(id: ObjectId): Promise<void> {
    const job = await this.sources.jobs.get(id);
    if (job !== undefined) await this.sources.completion.childAdded(job);
  }
}

/** By id, why some of those that go in together can never be. */
function refusedAmong(trees: readonly JobTree[]): Map<string, NotInserted> {
  const jobs = new Map(trees.flatMap((tree) => tree.map((job) => [job.id, job] as const)));
  return new Map(
    trees.flatMap(([root]) => {
      const above = jobs.get(root.parent ?? '');
      const refused = above === undefined ? undefined : notBelow(root, above);
      return refused === undefined ? [] : [[root.id, { refused }] as const];
    }),
  );
}

/** Of trees that go in together, those that are put in, and by the ids of the other roots that of the one that stands in for each. */
interface Rivals {
  readonly firsts: readonly JobTree[];
  readonly insteadOf: ReadonlyMap<string, string>;
}

/** Of trees for one retry, or with one key, the first; a debounced one with the arguments and the due time of the last. */
function withoutRivals(trees: readonly JobTree[], putOff: Debounce): Rivals {
  const firsts = new Map<string, JobTree>();
  const insteadOf = new Map<string, string>();
  const idOf = new Map<string, string>();
  for (const tree of trees) {
    const [root] = tree;
    const names = [root.retryOf, root.unique?.key].filter((name) => name !== undefined);
    const first = firsts.get(names.map((name) => idOf.get(name)).find((id) => id !== undefined) ?? '');
    if (first === undefined) {
      firsts.set(root.id, tree);
      for (const name of names) idOf.set(name, root.id);
    } else {
      const [job, ...below] = first;
      insteadOf.set(root.id, job.id);
      if (isDebouncedBy(root, job)) firsts.set(job.id, [{ ...putOff(job, root), ...delayOf(root) }, ...below]);
    }
  }
  return { firsts: [...firsts.values()], insteadOf };
}

function delayOf({ delayMs }: QueuedJob): Pick<QueuedJob, 'delayMs'> {
  return delayMs === undefined ? {} : { delayMs };
}
