/** A transaction of the embedded store: jobs wait in it, seen by nobody, until it commits. */

import { TransactionError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import type { StoreSession } from '../job-store.js';
import type { Place } from './job-table.js';

/** A tree that is to be inserted, and the place in the order that each of its jobs has got. */
export interface StagedTree {
  readonly tree: JobTree;
  readonly places: readonly [root: Place, ...below: Place[]];
  /** The job that has the tree's unique key, with which it was answered, there or staged: it is to be put off, or at least to have it still. */
  readonly holder?: string;
}

export class MemorySession implements StoreSession {
  readonly #trees: StagedTree[] = [];
  readonly #apply: (trees: readonly StagedTree[]) => void;
  #state: 'open' | 'committed' | 'aborted' = 'open';

  /** @param apply - puts everything in, all at once; throws where that cannot be done */
  constructor(apply: (trees: readonly StagedTree[]) => void) {
    this.#apply = apply;
  }

  /** Whether it may still commit. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Of what was queued in it, the retry of a job. */
  retryOf(id: string): StagedTree | undefined {
    return this.#trees.find(({ tree, holder }) => holder === undefined && tree[0].retryOf === id);
  }

  /** Of what was queued in it, what came last under a unique key. */
  lastUnder(key: string): StagedTree | undefined {
    return this.#trees.findLast(({ tree, holder }) => holder === undefined && tree[0].unique?.key === key);
  }

  /** Of what was queued in it, what was answered with a job that has its key. */
  answeredWith(id: string): readonly StagedTree[] {
    return this.#trees.filter(({ holder }) => holder === id);
  }

  stage(trees: readonly StagedTree[]): void {
    this.checkOpen();
    this.#trees.push(...trees);
  }

  /** Makes everything that was queued in it be there, at once. @throws TransactionError when it is over, or when what it says of unique keys is no longer so; JobNotFoundError for callbacks of jobs that are gone; it is aborted then */
  commit(): void {
    this.checkOpen();
    this.#state = 'aborted';
    this.#apply(this.#trees);
    this.#state = 'committed';
  }

  /** Lets everything that was queued in it vanish. @throws TransactionError when it is over */
  abort(): void {
    this.checkOpen();
    this.#state = 'aborted';
  }

  /** @throws TransactionError when it is over */
  checkOpen(): void {
    if (this.#state !== 'open') throw new TransactionError(`the transaction has been ${this.#state}; begin another one`);
  }
}
