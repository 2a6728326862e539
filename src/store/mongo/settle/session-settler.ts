/** Records ends of attempts through a transaction that is under way; their follow-ups come after the commit. */

import type { ClientSession, ObjectId } from 'mongodb';
import { type MillraceError, TransactionError } from '../../../errors.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { AttemptKey, Settlement } from '../../store-messages.js';
import { literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { SessionTransactions } from '../driver/session-transactions.js';
import { type AttemptReports, reportsTakenOver } from '../jobs/attempt-reports.js';
import { problemOfFit, toOutcome } from '../jobs/job-codec.js';
import { type JobCollection, objectIdOf } from '../jobs/job-collection.js';
import { type Transition, transition } from '../jobs/job-update.js';
import { endEffect, followUpdate } from '../jobs/transition-updates.js';
import type { LocalQueue } from '../local/local-queue.js';
import { attemptKey, type RunningAttempts } from '../local/running-attempts.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { AttemptTransitions } from './attempt-transitions.js';
import type { Completion } from './completion.js';

export interface SessionSettlerSources {
  readonly localQueue: LocalQueue;
  readonly transitions: AttemptTransitions;
  /** Through the client that sessions belong to. */
  readonly inSession: Collections;
  readonly jobs: JobCollection;
  readonly notes: AttemptReports;
  readonly running: RunningAttempts;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly transactions: SessionTransactions;
  readonly backgroundRetry: BackgroundRetry;
  readonly placeUsage: PlaceUsage;
  readonly process: string;
}

export class SessionSettler {
  /** By attempt: the transactions of which it is not known whether they have committed. */
  readonly #open = new Map<string, ClientSession>();

  constructor(private readonly sources: SessionSettlerSources) {}

  /**
   * @returns for each end whether it is allowed
   * @throws if a job could never follow the one that it returned, or its result does not fit
   */
  async settle(ends: readonly Settlement[], session: ClientSession): Promise<readonly boolean[]> {
    const answers: boolean[] = [];
    // A session does one thing at a time.
    for (const end of ends) answers.push(await this.#settle(end, session));
    return answers;
  }

  /**
   * Does the follow-ups of ends that were recorded after all by a transaction whose commit was not answered. Asked when something else was
   * tried with their tokens: by then they have been recorded, or never will be.
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

  async #settle(end: Settlement, session: ClientSession): Promise<boolean> {
    const { inSession, transactions } = this.sources;
    const id = objectIdOf(end.id);
    if (id === undefined) return false;
    const problem = await this.#problemOf(end, session);
    if (problem !== undefined) throw problem;
    if (!session.inTransaction()) throw new TransactionError(`the transaction of job ${end.id} is over before its end was recorded in it`);
    const ending = await this.#ending(end, id);
    const after = await inSession.jobs.findOneAndUpdate(...ending, { session, returnDocument: 'after', hint: { _id: 1 } });
    if (after === null) return false;
    this.#open.set(attemptKey(end), session);
    transactions.afterCommit(session, () => this.#committed(end, after));
    return true;
  }

  /** From `active` alone: jobs whose attempts end in transactions are never claimed ahead. */
  async #ending(end: Settlement, _id: ObjectId): Promise<Transition> {
    const { notes, process: by, running, time } = this.sources;
    const { outcome, token } = end;
    const where = { _id, token, waitsFor: { $exists: false }, cancel: { $exists: false } };
    const noted = reportsTakenOver(await notes.of(_id, running.get(end)));
    if (outcome.status === 'follows') {
      const follow = followUpdate(objectIdOf(outcome.job), { isOwn: outcome.isOwn === true, by });
      return transition('follow', { where, to: 'active', set: { ...follow, ...noted } });
    }
    const { to, set } = endEffect({ outcome: literal(toOutcome(outcome)), kind: outcome.status }, { time, by });
    return transition('end', { where, from: ['active'], to, set: { ...set, ...noted } });
  }

  async #problemOf(end: Settlement, session: ClientSession): Promise<MillraceError | undefined> {
    const { transitions, inSession, jobs, running } = this.sources;
    if (end.outcome.status !== 'follows') {
      const known = running.get(end);
      return known === undefined ? undefined : problemOfFit(end.outcome, known);
    }
    const [_id, followedJob] = [objectIdOf(end.id), objectIdOf(end.outcome.job)];
    // It may have been queued in this very transaction.
    const other = followedJob === undefined ? null : await inSession.jobs.findOne({ _id: followedJob }, { session });
    const job = _id === undefined ? undefined : await jobs.get(_id);
    return job === undefined ? undefined : transitions.problemOfFollowing(job, end.outcome.job, other ?? undefined);
  }

  /** Its places are free, and the follow-ups of its end are done. */
  async #committed(end: Settlement, after: JobDocument): Promise<void> {
    const { localQueue, transitions, running, completion, backgroundRetry, placeUsage } = this.sources;
    const before = running.get(end);
    this.#open.delete(attemptKey(end));
    running.remove(end);
    localQueue.ends(attemptKey(end));
    placeUsage.freeSoon(attemptKey(end));
    if (after.waitsFor === 'job') await backgroundRetry.run(() => transitions.followed(after, before));
    else await completion.followUp(after);
  }
}

/** Whether an attempt has ended as its own process said. */
function hasEnded(job: JobDocument | undefined, { token }: AttemptKey): boolean {
  return job?.settledToken === token || (job?.token === token && job.waitsFor === 'job');
}
