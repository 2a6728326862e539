/** Records ends of attempts through a transaction that is under way; what follows from them is done after the commit. */

import type { ClientSession, ObjectId } from 'mongodb';
import { type MillraceError, TransactionError } from '../../../errors.js';
import type { Unfinished } from '../../async/background-retry.js';
import type { AttemptKey, End } from '../../job-store.js';
import { type Fields, literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { SessionTransactions } from '../driver/session-transactions.js';
import { type Notes, takenIn } from '../jobs/attempt-reports.js';
import { problemOfFit, toOutcome } from '../jobs/job-codec.js';
import { type Jobs, toId } from '../jobs/job-collection.js';
import { endedAsItIs, followedAsItIs } from '../jobs/transition-updates.js';
import type { Ahead } from '../local/local-queue.js';
import { attemptKey, type Running } from '../local/running-attempts.js';
import type { Uses } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Attempts } from './attempt-transitions.js';
import type { Tender } from './completion.js';

export interface SettlementWithinSources {
  readonly ahead: Ahead;
  readonly attempts: Attempts;
  /** Through the client that sessions belong to. */
  readonly inSession: Collections;
  readonly jobs: Jobs;
  readonly notes: Notes;
  readonly running: Running;
  readonly tender: Tender;
  readonly time: ServerTime;
  readonly transactions: SessionTransactions;
  readonly unfinished: Unfinished;
  readonly uses: Uses;
  readonly process: string;
}

export class SettlementsWithin {
  /** By attempt: the transactions of which it is not known whether they have committed. */
  readonly #open = new Map<string, ClientSession>();

  constructor(private readonly sources: SettlementWithinSources) {}

  /** @returns for each end whether it is allowed @throws if a job could never follow the one that it returned, or its result does not fit */
  async settle(ends: readonly End[], session: ClientSession): Promise<readonly boolean[]> {
    const answers: boolean[] = [];
    // A session does one thing at a time.
    for (const end of ends) answers.push(await this.#settle(end, session));
    return answers;
  }

  /**
   * Sees to what follows where ends were recorded after all by a transaction whose commit was not answered. Asked when something
   * else was tried with their tokens: by then they have been recorded, or never will be.
   */
  async confirm(keys: readonly AttemptKey[]): Promise<void> {
    for (const key of keys) {
      const session = this.#open.get(attemptKey(key));
      if (session === undefined) continue;
      const isRecorded = hasEnded(await this.sources.jobs.ofId(key.id), key);
      this.#open.delete(attemptKey(key));
      if (isRecorded) await this.sources.transactions.committed(session);
    }
  }

  async #settle(end: End, session: ClientSession): Promise<boolean> {
    const { inSession, transactions } = this.sources;
    const id = toId(end.id);
    if (id === undefined) return false;
    const problem = await this.#problemOf(end, session);
    if (problem !== undefined) throw problem;
    if (!session.inTransaction()) throw new TransactionError(`the transaction of job ${end.id} is over before its end was recorded in it`);
    const isOwn = { _id: id, token: end.token, status: { $in: ['active' as const, 'assigned' as const] } };
    const after = await inSession.jobs.findOneAndUpdate(
      { ...isOwn, waiting: { $exists: false }, cancel: { $exists: false } },
      [{ $set: await this.#written(end, id) }],
      { session, returnDocument: 'after', hint: { _id: 1 } },
    );
    if (after === null) return false;
    this.#open.set(attemptKey(end), session);
    transactions.afterCommit(session, () => this.#committed(end, after));
    return true;
  }

  async #written(end: End, id: ObjectId): Promise<Fields> {
    const { notes, process, running, time } = this.sources;
    const { outcome } = end;
    const noted = takenIn(await notes.of(id, running.get(end)));
    if (outcome.status === 'follows')
      return { ...followedAsItIs({ inner: toId(outcome.job), isOwn: outcome.isOwn === true }, { time, by: process }), ...noted };
    const own = { outcome: literal(toOutcome(outcome)), kind: outcome.status };
    return { ...endedAsItIs(own, { time, by: process }), ...noted };
  }

  async #problemOf(end: End, session: ClientSession): Promise<MillraceError | undefined> {
    const { attempts, inSession, jobs, running } = this.sources;
    if (end.outcome.status !== 'follows') {
      const known = running.get(end);
      return known === undefined ? undefined : problemOfFit(end.outcome, known);
    }
    const [_id, inner] = [toId(end.id), toId(end.outcome.job)];
    // It may have been queued in this very transaction.
    const other = inner === undefined ? null : await inSession.jobs.findOne({ _id: inner }, { session });
    const job = _id === undefined ? undefined : await jobs.get(_id);
    return job === undefined ? undefined : attempts.problemOfFollowing(job, end.outcome.job, other ?? undefined);
  }

  /** Its places are free, and what follows from its end is done. */
  async #committed(end: End, after: JobDocument): Promise<void> {
    const { ahead, attempts, running, tender, unfinished, uses } = this.sources;
    const before = running.get(end);
    this.#open.delete(attemptKey(end));
    running.remove(end);
    ahead.ends(attemptKey(end));
    uses.freeSoon(attemptKey(end));
    if (after.waiting === 'inner') await unfinished.finish(() => attempts.followed(after, before));
    else await tender.tend(after);
  }
}

/** Whether an attempt has ended as its own process said. */
function hasEnded(job: JobDocument | undefined, { token }: AttemptKey): boolean {
  return job?.receipt === token || (job?.token === token && job.waiting === 'inner');
}
