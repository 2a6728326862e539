/** Runs an attempt in a transaction of the store: the writes and jobs of its code and its end become visible together, or never. */

import { TransactionError, UncertainError } from '../errors.js';
import { asTransient } from '../job/conflict-rule.js';
import type { JobTree } from '../job/job-record.js';
import type { JobStore } from '../store/job-store.js';
import type { AttemptKey, Settlement } from '../store/store-messages.js';
import type { Attempt, Ending } from './attempt.js';
import { type AttemptContext, type Conflict, following, isConflict, judge, retryPlanOf, type Verdict } from './verdict.js';

export interface TransactionalSources {
  readonly store: Pick<JobStore, 'insert' | 'settle' | 'transactions'>;
  /** Runs code whose jobs are queued in the transaction of a session. */
  readonly queueIn: <T>(session: object, code: () => Promise<T>) => Promise<T>;
}

/** The attempt that is to be run. */
export interface TransactionalRun {
  readonly key: AttemptKey;
  readonly attempt: Attempt;
  readonly context: AttemptContext;
  readonly code: () => unknown;
  /** The jobs of the draft that it returned. */
  readonly planted: (plan: NonNullable<ReturnType<typeof retryPlanOf>>) => Promise<JobTree>;
  /** Resolves when everything that it has reported is written. */
  readonly reported: () => Promise<void>;
}

/** Thrown through the transaction, which is aborted by it. */
class NotCommitted extends Error {
  constructor(readonly verdict: Verdict) {
    super('not committed');
  }
}

/** The next command with the token shows whether another process has the job, or whether its cancellation was asked for. */
const TRY_TOKEN: Verdict = { type: 'again', delayMs: 0, because: 'conflict' };

export class TransactionalAttempt {
  /** When the code has ended; whether anything comes of it is not known by then. */
  readonly returned: Promise<Ending>;
  /** When the transaction is over: the end to record outside of it, or nothing if its commit has recorded the end. */
  readonly verdict: Promise<Verdict | Conflict | undefined>;
  #return: (ending: Ending) => void = () => {};

  constructor(
    private readonly sources: TransactionalSources,
    private readonly run: TransactionalRun,
  ) {
    this.returned = new Promise((resolve) => {
      this.#return = resolve;
    });
    this.verdict = this.#transact();
  }

  async #transact(): Promise<Verdict | Conflict | undefined> {
    const { attempt, context } = this.run;
    try {
      await this.sources.store.transactions.run((session) => this.#runIn(session), { isRunOnce: true });
      return undefined;
    } catch (error) {
      this.#return({ thrown: error });
      if (error instanceof NotCommitted) return error.verdict;
      const thrown = error instanceof UncertainError ? undone(error, this.run) : error;
      if (attempt.aborted === undefined && isConflict(thrown, context)) return { type: 'conflict', thrown };
      return judge({ thrown }, attempt.aborted, context);
    }
  }

  async #runIn(session: object): Promise<void> {
    const { attempt, code, reported, key } = this.run;
    const { store, queueIn } = this.sources;
    const mayCommit = store.transactions.attach(session);
    const ending = await attempt.runIn(session, () => queueIn(session, () => attempt.resultOf(code)));
    this.#return(ending);
    if ('thrown' in ending) throw ending.thrown;
    this.#checkNotAborted();
    if (!mayCommit()) throw new TransactionError(`the task of job ${key.id} has ended its transaction itself; leave that to Millrace`);
    const outcome = await this.#outcomeOf(ending, session);
    await reported();
    const [isRecorded] = await store.settle([{ ...key, outcome }], session);
    this.#checkNotAborted();
    if (isRecorded !== true) throw new NotCommitted(TRY_TOKEN);
  }

  /** Nothing that was done is of account when it is to end for another reason. */
  #checkNotAborted(): void {
    const { attempt, context } = this.run;
    if (attempt.aborted !== undefined) throw new NotCommitted(judge({ thrown: attempt.aborted.reason }, attempt.aborted, context));
  }

  /**
   * The end that is to be recorded; the jobs of a returned draft are queued in the transaction.
   * @throws NotCommitted for a result that cannot be stored
   */
  async #outcomeOf(ending: Ending & { readonly value: unknown }, session: object): Promise<Settlement['outcome']> {
    const plan = retryPlanOf(ending.value);
    if (plan !== undefined) return this.#queued(await this.run.planted(plan), session);
    const verdict = judge(ending, undefined, this.run.context);
    if (verdict.type === 'end' && verdict.outcome.status !== 'failed') return verdict.outcome;
    throw new NotCommitted(verdict);
  }

  async #queued(tree: JobTree, session: object): Promise<Settlement['outcome']> {
    const [inserted] = await this.sources.store.insert([tree], session);
    if (inserted === undefined) throw new Error(`the store has not answered for job ${tree[0].id}`);
    return following(tree, inserted);
  }
}

/**
 * Once another write has been recorded with its token, the transaction has certainly not been committed and never will be: so another try
 * is right.
 */
function undone(cause: unknown, { key: { id }, context: { job } }: TransactionalRun): UncertainError {
  const message = `the store has not answered the transaction of job ${id} (${job.taskName}), and nothing of it was committed`;
  return asTransient(new UncertainError(message, { cause }));
}
