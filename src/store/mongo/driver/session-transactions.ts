/** Transactions in which jobs are queued: the store's own, and those of sessions that the application brings. */

import { ClientSession, type Document, type MongoClient, type TransactionOptions } from 'mongodb';
import { firstValueFrom, NEVER, type Observable, Subject, switchAll } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { OptionError, TransactionError } from '../../../errors.js';
import type { TransactionRunOptions, Transactions } from '../../job-store.js';
import { Causality } from './causality.js';
import type { CommandDeadline } from './command-deadline.js';
import { retryConflicts } from './conflict-retry.js';
import { foreignSession, isUnanswered, mayBeTooOld, withTransactionLimitExplained } from './driver-errors.js';

/** The client's own options do not count. */
const TRANSACTION: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
};

/** A member of sessions that the driver does not declare. If a session lacks it, its errors say so later. */
interface Inside {
  readonly client?: unknown;
  /** Another one for each transaction. */
  readonly transaction?: unknown;
}

export class SessionTransactions implements Transactions {
  /** By session of the store's own: the follow-ups of the transaction's commit. */
  readonly #afterCommit = new WeakMap<ClientSession, (() => Promise<void>)[]>();
  #causality = new Causality();

  constructor(
    private readonly client: MongoClient,
    private readonly deadline: CommandDeadline,
    private readonly clock: Clock,
  ) {}

  /** The commits of the sessions that were given to `join`. */
  get causality(): Causality {
    return this.#causality;
  }

  /** Transactions of another client, which also see the commits through this one. */
  through(client: MongoClient): SessionTransactions {
    const others = new SessionTransactions(client, this.deadline, this.clock);
    others.#causality = this.#causality;
    return others;
  }

  /**
   * Runs code in a transaction, again after a conflict, and commits. The code has no deadline; the commit, or the abort after a failure,
   * has one. After that the code does not run again, nor where the transaction took longer than the server allows.
   *
   * By hand, since `withTransaction` pauses between two tries by its own time, and the deadline goes by that of the store.
   *
   * @throws UncertainError when the commit is not answered in time
   */
  run<T>(fn: (session: ClientSession) => Promise<T>, { isRunOnce = false, signal }: TransactionRunOptions = {}): Promise<T> {
    return isRunOnce ? this.#runOnce(fn) : this.#runAgain(fn, signal);
  }

  #runAgain<T>(fn: (session: ClientSession) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const ending = new Subject<Observable<never>>();
      let isAnswered = false;
      const giveUp = (error: unknown): void => {
        isAnswered = true;
        reject(error);
      };
      const watch = ending.pipe(switchAll()).subscribe({ error: giveUp });
      const once = async (session: ClientSession): Promise<T> => {
        if (isAnswered) throw new TransactionError('nobody waits for the transaction any more, so it is not begun again');
        const begunAt = this.clock.now();
        this.#begin(session);
        try {
          const done = await fn(session);
          ending.next(this.deadline.unanswered('the commit of a transaction'));
          // The code may have ended the transaction itself.
          if (session.inTransaction()) await this.#untilCommitted(session, () => isAnswered);
          return done;
        } catch (error) {
          // It is rolled back, whether or not there was an answer.
          ending.next(this.deadline.over(() => error));
          if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
          throw await this.#explained(error, begunAt);
        } finally {
          ending.next(NEVER);
        }
      };
      const transact = async (session: ClientSession): Promise<T> => {
        const done = await retryConflicts(this.clock, () => once(session), signal);
        await this.committed(session);
        return done;
      };
      const done = (): void => watch.unsubscribe();
      this.client.withSession(transact).finally(done).then(resolve, reject);
    });
  }

  async #runOnce<T>(fn: (session: ClientSession) => Promise<T>): Promise<T> {
    const session = this.client.startSession();
    const begunAt = this.clock.now();
    this.#begin(session);
    try {
      const done = await fn(session);
      await this.#commit(session);
      await this.committed(session);
      return done;
    } catch (error) {
      // Also where a commit is under way: whichever of the two comes first counts, and nobody has to wait for the transaction any longer.
      if (session.inTransaction()) await this.deadline.of(() => session.abortTransaction(), 'an abort').catch(() => undefined);
      throw await this.#explained(error, begunAt);
    } finally {
      session.endSession().catch(() => undefined);
    }
  }

  /** The error of a transaction, or one that names the limit of MongoDB behind it. */
  async #explained(error: unknown, begunAt: number): Promise<unknown> {
    const openMs = this.clock.now() - begunAt;
    return withTransactionLimitExplained(error, { openMs, limitMs: mayBeTooOld(error) ? await this.#lifetimeLimitMs() : undefined });
  }

  /** As the server has it now; `undefined` where it does not say, such as to a user without the right to ask. */
  async #lifetimeLimitMs(): Promise<number | undefined> {
    const ask = (): Promise<Document> => this.client.db('admin').command({ getParameter: 1, transactionLifetimeLimitSeconds: 1 });
    const answer = await this.deadline.of(ask, '`getParameter`').catch((): Document => ({}));
    const seconds: unknown = answer['transactionLifetimeLimitSeconds'];
    return typeof seconds === 'number' ? seconds * 1_000 : undefined;
  }

  #begin(session: ClientSession): void {
    this.#afterCommit.set(session, []);
    this.causality.pass(session);
    session.startTransaction(TRANSACTION);
  }

  /** @throws UncertainError when it is not answered in time */
  async #commit(session: ClientSession): Promise<void> {
    let isGivenUp = false;
    const commit = (): Promise<void> => this.#untilCommitted(session, () => isGivenUp);
    try {
      await this.deadline.of(commit, 'the commit of a transaction');
    } finally {
      isGivenUp = true;
    }
  }

  /** Asks again until it is answered, or nobody waits for it any more. */
  async #untilCommitted(session: ClientSession, isGivenUp: () => boolean): Promise<void> {
    for (;;) {
      try {
        return await session.commitTransaction();
      } catch (error) {
        if (!isUnanswered(error) || isGivenUp()) throw error;
        await firstValueFrom(this.clock.turn());
      }
    }
  }

  /** Runs, once, the follow-ups of the commit. */
  async committed(session: ClientSession): Promise<void> {
    const acts = this.#afterCommit.get(session) ?? [];
    this.#afterCommit.delete(session);
    for (const act of acts) await act();
  }

  /** @returns `false` for a session of the application, since this process is not notified of its commit */
  afterCommit(session: ClientSession, act: () => Promise<void>): boolean {
    const acts = this.#afterCommit.get(session);
    acts?.push(act);
    return acts !== undefined;
  }

  attach(session: object): () => boolean {
    if (!isSession(session)) throw new OptionError('`withSession` was given no session of MongoDB; begin one with `client.startSession()`');
    const inside: Inside = session as object;
    if (inside.client !== undefined && inside.client !== this.client) throw foreignSession();
    if (!session.inTransaction())
      throw new TransactionError(
        'the session is in no transaction, with which jobs could commit: call `session.startTransaction()` first, or use `session.withTransaction`',
      );
    // The store's own commits are made with a majority.
    if (!this.#afterCommit.has(session)) this.causality.follow(session);
    const { transaction } = inside;
    return () => inside.transaction === transaction && session.inTransaction();
  }
}

/** Also one of another copy of the driver, which the store's own copy cannot know. */
function isSession(session: object): session is ClientSession {
  return session instanceof ClientSession || typeof (session as Partial<ClientSession>).inTransaction === 'function';
}
