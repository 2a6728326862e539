/** Transactions in which jobs are queued: the store's own, and those of sessions that the application brings. */

import type { ClientSession, MongoClient, TransactionOptions } from 'mongodb';

/** Whatever the client's own are. */
const TRANSACTION: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
};

export class Transactions {
  /** By session of the store's own: what is to be done once the transaction has committed. */
  readonly #afterCommit = new WeakMap<ClientSession, (() => Promise<void>)[]>();

  constructor(private readonly client: MongoClient) {}

  /** Runs code in a transaction, again after a conflict, and commits. */
  run<T>(fn: (session: ClientSession) => Promise<T>): Promise<T> {
    return this.client.withSession(async (session) => {
      const done = await session.withTransaction(() => {
        this.#afterCommit.set(session, []);
        return fn(session);
      }, TRANSACTION);
      for (const act of this.#afterCommit.get(session) ?? []) await act();
      return done;
    });
  }

  /** @returns `false` for a session of the application, of whose commit nobody here is told */
  afterCommit(session: ClientSession, act: () => Promise<void>): boolean {
    const acts = this.#afterCommit.get(session);
    acts?.push(act);
    return acts !== undefined;
  }
}
