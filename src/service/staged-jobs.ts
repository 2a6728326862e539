/**
 * The jobs that are queued inside a transaction: gathered while its function runs, stored in one go before the commit; those with a unique
 * key at once.
 */

import { TransactionError } from '../errors.js';
import type { JobRecord, JobTree, QueuedJob } from '../job/job-record.js';
import { recordOrThrow } from '../store/insert-result.js';
import type { InsertResult } from '../store/store-messages.js';

export class StagedJobs {
  #trees: JobTree[] = [];
  readonly #jobs = new Map<string, QueuedJob>();
  /** One after the other: a session does one thing at a time. */
  #inserting: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #state: 'open' | 'stored' | 'aborted' = 'open';

  /** @param mayCommit - whether the transaction has not committed yet, so that its jobs are not visible */
  constructor(
    readonly session: object,
    private readonly mayCommit: () => boolean,
  ) {}

  /** Whether its function runs. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @throws TransactionError when its function has ended */
  add(tree: JobTree): void {
    if (this.#state !== 'open')
      throw new TransactionError(
        'the function of the transaction has ended already: await everything that is queued in it before it returns',
      );
    this.#trees.push(tree);
    for (const job of tree) this.#jobs.set(job.id, job);
  }

  /**
   * Stores a tree now, with all that was added before it.
   * @returns the record of each; the last is that of the tree
   * @throws TransactionError when its function has ended
   */
  insertWith(tree: JobTree, insert: (trees: readonly JobTree[]) => Promise<readonly InsertResult[]>): Promise<readonly JobRecord[]> {
    this.add(tree);
    const trees = this.#trees;
    this.#trees = [];
    const inserting = this.#inserting.then(() => insert(trees)).then((answers) => answers.map(recordOrThrow));
    this.#inserting = inserting.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return inserting;
  }

  /** Whether a job was queued in it. */
  has(id: string): boolean {
    return this.#jobs.has(id);
  }

  /** A job that was queued in it. */
  jobOf(id: string): QueuedJob | undefined {
    return this.#jobs.get(id);
  }

  /**
   * Its function has ended: nothing more can be queued in it. @returns the staged jobs, in the order of the calls
   * @throws TransactionError when the function has ended the transaction itself, so that nothing can commit with it; why something could
   *   not be stored
   */
  close(): readonly JobTree[] {
    this.#state = 'stored';
    // Also where the one who asked for it has caught it: others may be lost with it.
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#trees.length > 0 && !this.mayCommit())
      throw new TransactionError(
        'the transaction was ended by the function whose jobs were to commit with it, so none of them is queued: end it after `withSession`',
      );
    return this.#trees;
  }

  /** Nothing of it will ever be there. */
  abort(): void {
    this.#state = 'aborted';
  }

  /** @throws TransactionError while its jobs cannot be there, or can never be */
  check(id: string): void {
    if (this.#state === 'aborted')
      throw new TransactionError(`job ${id} was queued in a transaction that was aborted, so it does not exist: queue it again`);
    if (this.#state === 'open' || this.mayCommit())
      throw new TransactionError(
        `job ${id} is queued in a transaction that has not committed, so it cannot run yet: ask for it after the commit`,
      );
  }

  /** As `check`, for an addition in a transaction of the caller: it is allowed in the same one. */
  checkFor(other: StagedJobs | undefined, id: string): void {
    if (other?.session !== this.session || this.#state === 'aborted') this.check(id);
  }
}
