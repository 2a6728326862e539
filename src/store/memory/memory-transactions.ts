/** The transactions of the embedded store: each commits at once, or not at all where it meets another one. */

import { ConflictError, OptionError } from '../../errors.js';
import type { TransactionRunOptions, Transactions } from '../job-store.js';
import { MemorySession, type Staged } from './memory-session.js';

export class MemoryTransactions implements Transactions {
  /** Those that were begun here: another store's would commit there. */
  readonly #begun = new WeakSet<MemorySession>();

  /** @param apply - puts everything in, all at once */
  constructor(private readonly apply: (staged: Staged) => void) {}

  begin(): MemorySession {
    const session = new MemorySession(this.apply);
    this.#begun.add(session);
    return session;
  }

  async run<T>(fn: (session: object) => Promise<T>, { isRunOnce = false, signal }: TransactionRunOptions = {}): Promise<T> {
    for (;;) {
      const session = this.begin();
      try {
        const done = await fn(session);
        session.commit();
        return done;
      } catch (error) {
        if (isRunOnce || !(error instanceof ConflictError)) throw error;
        signal?.throwIfAborted();
      } finally {
        // Jobs that are queued in it later must not count as queued.
        if (session.isOpen) session.abort();
      }
    }
  }

  attach(session: object): () => boolean {
    const own = this.own(session);
    own.checkOpen();
    return () => own.isOpen;
  }

  /** @throws OptionError for a value that is not a session of this store */
  own(session: object): MemorySession {
    if (session instanceof MemorySession && this.#begun.has(session)) return session;
    throw new OptionError(
      '`withSession` was given no session of this memory store; begin one with `startSession()` of its `memoryStore()`',
    );
  }
}
