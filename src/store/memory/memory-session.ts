/** A transaction of the embedded store: jobs wait in it, seen by nobody, until it commits. */

import { TransactionError } from '../../errors.js';
import type { JobTree } from '../../job/job-record.js';
import type { StoreSession } from '../job-store.js';

export class MemorySession implements StoreSession {
  readonly #trees: JobTree[] = [];
  #state: 'open' | 'committed' | 'aborted' = 'open';

  /** @param apply - puts everything in, all at once; throws where that cannot be done */
  constructor(private readonly apply: (trees: readonly JobTree[]) => void) {}

  stage(trees: readonly JobTree[]): void {
    this.#checkOpen();
    this.#trees.push(...trees);
  }

  /** Makes everything that was queued in it be there, at once. @throws TransactionError when it is over, JobNotFoundError for callbacks of jobs that are gone; it is aborted then */
  commit(): void {
    this.#checkOpen();
    this.#state = 'aborted';
    this.apply(this.#trees);
    this.#state = 'committed';
  }

  /** Lets everything that was queued in it vanish. @throws TransactionError when it is over */
  abort(): void {
    this.#checkOpen();
    this.#state = 'aborted';
  }

  #checkOpen(): void {
    if (this.#state !== 'open') throw new TransactionError(`the transaction has been ${this.#state}; begin another one`);
  }
}
