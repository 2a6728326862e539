/** A transaction of the embedded store: jobs, and ends of attempts, wait in it, seen by nobody, until it commits. */

import { TransactionError } from '../../errors.js';
import type { JobTree, QueuedJob } from '../../job/job-record.js';
import type { StoreSession } from '../job-store.js';
import type { Settlement } from '../store-messages.js';
import type { InsertionPoint } from './job-table.js';

/** A tree that is to be inserted, and the place in the order that each of its jobs has got. */
export interface StagedTree {
  readonly tree: JobTree;
  readonly places: readonly [root: InsertionPoint, ...below: InsertionPoint[]];
  /**
   * The job that has the tree's unique key, with which it was answered, there or staged: it is to be put off, or at least to have it still.
   */
  readonly holder?: string;
}

/** Another participant of a transaction, such as documents beside the jobs. */
export interface Participant {
  /** @throws an error that keeps it from committing; the transaction is then aborted */
  check(): void;
  /** Applies the writes; called when nothing can keep the transaction from committing any more. */
  apply(): void;
}

/** The effects of a commit, all of them or none. */
export interface Staged {
  readonly trees: readonly StagedTree[];
  readonly ends: readonly Settlement[];
  readonly participants: Iterable<Participant>;
}

export class MemorySession implements StoreSession {
  readonly #trees: StagedTree[] = [];
  readonly #ends: Settlement[] = [];
  readonly #participants = new Set<Participant>();
  readonly #apply: (staged: Staged) => void;
  #state: 'open' | 'committed' | 'aborted' = 'open';

  /** @param apply - puts everything in, all at once; throws where that cannot be done */
  constructor(apply: (staged: Staged) => void) {
    this.#apply = apply;
  }

  /** Whether it may still commit. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** The retry of a job, if it was queued in this transaction. */
  retryOf(id: string): StagedTree | undefined {
    return this.#trees.find(({ tree, holder }) => holder === undefined && tree[0].retryOf === id);
  }

  /** The last tree under a unique key that was queued in this transaction. */
  lastUnder(key: string): StagedTree | undefined {
    return this.#trees.findLast(({ tree, holder }) => holder === undefined && tree[0].unique?.key === key);
  }

  /** The trees of this transaction that were answered with an existing job of their key. */
  answeredWith(id: string): readonly StagedTree[] {
    return this.#trees.filter(({ holder }) => holder === id);
  }

  /** A job that was queued in it, by its id. */
  jobOf(id: string): QueuedJob | undefined {
    return this.#trees.flatMap(({ tree }) => tree).find((job) => job.id === id);
  }

  stage(trees: readonly StagedTree[]): void {
    this.checkOpen();
    this.#trees.push(...trees);
  }

  /** An attempt ends with its commit. */
  end(end: Settlement): void {
    this.checkOpen();
    this.#ends.push(end);
  }

  /** Lets something else commit with it; once, however often it asks. */
  enlist(participant: Participant): void {
    this.checkOpen();
    this.#participants.add(participant);
  }

  /**
   * Makes everything that is in it be there, at once.
   * @throws TransactionError when it is over, or when a unique key or an attempt that it has read has changed; JobNotFoundError for
   *   callbacks of jobs that are gone; an error of another participant; it is then aborted
   */
  commit(): void {
    this.checkOpen();
    this.#state = 'aborted';
    this.#apply({ trees: this.#trees, ends: this.#ends, participants: this.#participants });
    this.#state = 'committed';
  }

  /** Lets everything that is in it vanish. @throws TransactionError when it is over */
  abort(): void {
    this.checkOpen();
    this.#state = 'aborted';
  }

  /** @throws TransactionError when it is over */
  checkOpen(): void {
    if (this.#state !== 'open') throw new TransactionError(`the transaction has been ${this.#state}; begin another one`);
  }
}
