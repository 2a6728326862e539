/** What is queued inside a transaction: gathered while its function runs, stored in one go before the commit. */

import { TransactionError } from '../errors.js';
import type { JobTree } from '../job/job-record.js';

export class Stage {
  readonly #trees: JobTree[] = [];
  #state: 'open' | 'stored' | 'committed' | 'aborted' = 'open';

  constructor(readonly session: unknown) {}

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
  }

  /** Its function has ended: nothing more can be queued in it. @returns what was, in the order of the calls */
  close(): readonly JobTree[] {
    this.#state = 'stored';
    return this.#trees;
  }

  /** @param hasCommitted - or that is up to who owns the session */
  end(hasCommitted: boolean): void {
    this.#state = hasCommitted ? 'committed' : 'aborted';
  }

  /** @throws TransactionError while its jobs cannot be there, or can never be */
  check(id: string): void {
    if (this.#state === 'open')
      throw new TransactionError(
        `job ${id} is queued in a transaction that has not committed, so it cannot run yet: ask for it after the commit`,
      );
    if (this.#state === 'aborted')
      throw new TransactionError(`job ${id} was queued in a transaction that was aborted, so it never will be there: queue it again`);
  }
}
