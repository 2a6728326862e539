/** Transactions in which jobs are queued: the store's own, and those of sessions that the application brings. */

import { ClientSession, type MongoClient, type TransactionOptions } from 'mongodb';
import { NEVER, type Observable, Subject, switchAll } from 'rxjs';
import { OptionError, TransactionError } from '../../errors.js';
import type { Transactions } from '../job-store.js';
import type { Deadline } from './deadline.js';
import { foreign } from './driver-errors.js';

/** Whatever the client's own are. */
const TRANSACTION: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
};

/** What sessions of the driver have, though it does not say so; where one has it not, its errors tell later. */
interface Inside {
  readonly client?: unknown;
  /** Another one for each transaction. */
  readonly transaction?: unknown;
}

export class SessionTransactions implements Transactions {
  /** By session of the store's own: what is to be done once the transaction has committed. */
  readonly #afterCommit = new WeakMap<ClientSession, (() => Promise<void>)[]>();

  constructor(
    private readonly client: MongoClient,
    private readonly deadline: Deadline,
  ) {}

  /**
   * Runs code in a transaction, again after a conflict, and commits. The code takes what time it likes; what the driver does
   * after it, until it has ended the transaction or begins it again, has a deadline. After that the code does not run again.
   *
   * @throws UncertainError when the commit is not answered in time
   */
  run<T>(fn: (session: ClientSession) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const ending = new Subject<Observable<never>>();
      let isAnswered = false;
      const giveUp = (error: unknown): void => {
        isAnswered = true;
        reject(error);
      };
      const watch = ending.pipe(switchAll()).subscribe({ error: giveUp });
      const begin = async (session: ClientSession): Promise<T> => {
        if (isAnswered) throw new TransactionError('nobody waits for the transaction any more, so it is not begun again');
        ending.next(NEVER);
        this.#afterCommit.set(session, []);
        try {
          const done = await fn(session);
          ending.next(this.deadline.unanswered('the commit of a transaction'));
          return done;
        } catch (error) {
          // It is rolled back, heard of or not.
          ending.next(this.deadline.over(() => error));
          throw error;
        }
      };
      const transact = async (session: ClientSession): Promise<T> => {
        const done = await session.withTransaction(begin, TRANSACTION);
        ending.next(NEVER);
        for (const act of this.#afterCommit.get(session) ?? []) await act();
        return done;
      };
      const done = (): void => watch.unsubscribe();
      this.client.withSession(transact).finally(done).then(resolve, reject);
    });
  }

  /** @returns `false` for a session of the application, of whose commit nobody here is told */
  afterCommit(session: ClientSession, act: () => Promise<void>): boolean {
    const acts = this.#afterCommit.get(session);
    acts?.push(act);
    return acts !== undefined;
  }

  join(session: object): () => boolean {
    if (!isSession(session)) throw new OptionError('`withSession` was given no session of MongoDB; begin one with `client.startSession()`');
    const inside: Inside = session as object;
    if (inside.client !== undefined && inside.client !== this.client) throw foreign();
    if (!session.inTransaction())
      throw new TransactionError(
        'the session is in no transaction, with which jobs could commit: call `session.startTransaction()` first, or use `session.withTransaction`',
      );
    const { transaction } = inside;
    return () => inside.transaction === transaction && session.inTransaction();
  }
}

/** Also one of another copy of the driver, which the store's own copy cannot know. */
function isSession(session: object): session is ClientSession {
  return session instanceof ClientSession || typeof (session as Partial<ClientSession>).inTransaction === 'function';
}
