/** Records ends: all that are asked for at once by one write, in which every job finds its own outcome. */

import { filter, firstValueFrom, last, type Observable, race, repeat, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { GroupCommit } from '../../async/group-commit.js';
import type { AttemptKey, Settlement } from '../../store-messages.js';
import { isRefused } from '../driver/driver-errors.js';
import type { Expression } from '../driver/expression.js';
import { ownValues } from '../driver/own-values.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { problemOfFit, toOutcome } from '../jobs/job-codec.js';
import { type JobCollection, objectIdOf } from '../jobs/job-collection.js';
import { ServerExpression, type Transition, transition } from '../jobs/job-update.js';
import { endEffect, endUpdate, hasFollowUps, writeOutcome } from '../jobs/transition-updates.js';
import type { LocalQueue } from '../local/local-queue.js';
import { attemptKey, type RunningAttempts } from '../local/running-attempts.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument, OutcomeDocument } from '../schema/documents.js';
import type { Completion } from './completion.js';
import { IdempotentCalls } from './idempotent-calls.js';

/** How many ends are recorded by one write at most, and how large their outcomes may be together: a command may have 16 MB. */
const MAX_TOGETHER = 500;
const MAX_BYTES_TOGETHER = 8 * 1024 * 1024;
/** This number of ends is worth a separate write, even if more follow. */
const ENOUGH = 100;
const LINGER_MS = 5;
/** A turn with nothing to do takes a microsecond or two: so ends are recorded soon also while time stands still. */
const LINGER_TURNS = 1_000;

export interface SettlerSources {
  readonly clock: Clock;
  readonly collections: Collections;
  readonly localQueue: LocalQueue;
  readonly jobs: JobCollection;
  readonly running: RunningAttempts;
  readonly placeUsage: PlaceUsage;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly notifier: Notifier;
  readonly process: string;
}

/** An end of work, as against one that waits for another job. */
export interface AttemptEnd extends AttemptKey {
  readonly outcome: StoredOutcome;
  readonly keepsPlaces?: boolean;
}

interface Known {
  readonly end: AttemptEnd;
  readonly job: JobDocument;
  readonly outcome: OutcomeDocument;
}

export function isAttemptEnd(end: Settlement): end is AttemptEnd {
  return end.outcome.status !== 'follows';
}

export class Settler {
  readonly #group: GroupCommit<Known, boolean>;
  readonly #asked = new IdempotentCalls<AttemptEnd, boolean>((end, wasUnanswered) => this.#settle(end, wasUnanswered));

  constructor(private readonly sources: SettlerSources) {
    const linger = (waiting: number, added: Observable<number>): Promise<void> => this.#linger(waiting, added);
    this.#group = new GroupCommit<Known, boolean>((known) => this.#settleTogether(known), {
      maxItems: MAX_TOGETHER,
      maxBytes: MAX_BYTES_TOGETHER,
      bytesOf: ({ outcome }) => outcomeBytes(outcome),
      linger,
    });
  }

  /** @returns of each whether its token was not stale. After an error, a repeated call recognises what was recorded. */
  settle(ends: readonly AttemptEnd[]): Promise<readonly boolean[]> {
    return this.#asked.all(ends, false);
  }

  async #settle(end: AttemptEnd, wasUnanswered: boolean): Promise<boolean> {
    const { running } = this.sources;
    const job = running.get(end);
    if (job !== undefined) this.#workIsOver(end);
    return this.#record(end, { job, wasUnanswered });
  }

  /** Together with others, if the job is as it was when the attempt began; the follow-ups run when the next ends may be recorded. */
  async #record(end: AttemptEnd, { job, wasUnanswered }: { readonly job: JobDocument | undefined; readonly wasUnanswered: boolean }) {
    if (job === undefined || keepsOwn(end, job) || problemOfFit(end.outcome, job) !== undefined)
      return this.#settleAlone(end, wasUnanswered);
    const known: Known = { end, job, outcome: toOutcome(end.outcome) };
    if (!(await this.#group.add(known))) return this.#settleAlone(end, wasUnanswered);
    await this.#after(known);
    return true;
  }

  /** While more claimed jobs follow, ends are gathered, for a few milliseconds at most; no end waits longer than for the jobs that run. */
  async #linger(waiting: number, added: Observable<number>): Promise<void> {
    const { localQueue, clock } = this.sources;
    if (!localQueue.hasSome || waiting >= ENOUGH) return;
    const isEnough = added.pipe(filter((count) => count >= ENOUGH));
    const isQuiet = clock.turn().pipe(repeat(LINGER_TURNS), last());
    await firstValueFrom(race(isEnough, localQueue.drained, isQuiet, timer(LINGER_MS, clock.scheduler)), { defaultValue: undefined });
  }

  /** Its places are free as soon as the work is over, since its remaining writes need none. */
  #workIsOver(end: AttemptEnd): void {
    this.sources.running.remove(end);
    this.sources.localQueue.ends(attemptKey(end));
    if (end.keepsPlaces !== true) this.sources.placeUsage.freeSoon(attemptKey(end));
  }

  /** @returns of each whether it was recorded */
  async #settleTogether(known: readonly Known[]): Promise<readonly boolean[]> {
    const { collections, time, process } = this.sources;
    const writing = collections.jobs.updateMany(...endEach(known, { time, process }), { hint: { _id: 1 } });
    // A refused end keeps the ends after it from being written, so each of them is recorded alone.
    const { modifiedCount } = await writing.catch((error: unknown) => {
      if (!isRefused(error)) throw error;
      return { modifiedCount: undefined };
    });
    const recorded = new Set(modifiedCount === known.length ? known : await this.#recorded(known));
    return known.map((one) => recorded.has(one));
  }

  async #recorded(known: readonly Known[]): Promise<readonly Known[]> {
    const { jobs } = this.sources.collections;
    const ids = known.map(({ job }) => job._id);
    const options = { projection: { _id: 1, settledToken: 1 } };
    const found = await jobs.find<Pick<JobDocument, '_id' | 'settledToken'>>({ _id: { $in: ids } }, options);
    const receipts = new Set(found.map(({ _id, settledToken = '' }) => attemptKey({ id: _id.toHexString(), token: settledToken })));
    return known.filter(({ end }) => receipts.has(attemptKey(end)));
  }

  async #after({ end, job, outcome }: Known): Promise<void> {
    const { time, completion, notifier, process } = this.sources;
    const after = {
      ...job,
      ...withoutUndefined(endUpdate(job, end.outcome, { time, by: process })),
      status: job.hasCallbacks === true ? 'callbacks' : outcome.kind,
      outcome,
      endedAt: time.estimate(),
      owner: hasFollowUps(job) ? process : undefined,
    } as JobDocument;
    if (hasFollowUps(job)) await completion.followUp(after);
    else notifier.outcome(after);
  }

  /** One that is not known here, or has changed since, or was not answered: it is read, and decided about. */
  async #settleAlone(end: AttemptEnd, wasUnanswered: boolean): Promise<boolean> {
    const { jobs, completion, time, process, placeUsage } = this.sources;
    const id = objectIdOf(end.id);
    if (id === undefined) return false;
    const after = await jobs.decide(id, (job) => {
      if (wasUnanswered && job.settledToken === end.token) return Promise.resolve(job);
      if (!mayEnd(job) || job.token !== end.token || job.waitsFor !== undefined) return 'nothing';
      // One that was claimed ahead has begun without its being recorded.
      const begun = job.status === 'assigned' ? { attempts: job.attempts + 1, startedAt: new ServerExpression(time.now) } : {};
      const by = keepsOwn(end, job) ? (job.owner ?? process) : process;
      return writeOutcome(end.outcome, job, (outcome) => {
        const written = { ...endUpdate(job, outcome, { time, by }), ...begun, settledToken: end.token };
        return jobs.move(job, 'end', job.hasCallbacks === true ? 'callbacks' : outcome.status, written);
      });
    });
    if (end.keepsPlaces !== true) await placeUsage.free(attemptKey(end));
    if (after === undefined) return false;
    const { reservation: _, owner: __, ...rest } = after;
    await completion.followUp(keepsOwn(end, after) ? rest : after);
    return true;
  }
}

function outcomeBytes({ value, error, reason = '' }: OutcomeDocument): number {
  return (value ?? error)?.length() ?? 3 * reason.length;
}

/** One write for all: each job has its own token, and its own outcome. */
function endEach(known: readonly Known[], { time, process }: { readonly time: ServerTime; readonly process: string }): Transition {
  const own = ownValues(known.map(({ job }) => job));
  const outcomes = known.map(({ outcome }) => outcome);
  const kinds = outcomes.map(({ kind }) => kind);
  const isSameToken: Expression = { $eq: ['$token', own(known.map(({ job }) => job.token))] };
  const isSameTree: Expression = { $eq: [{ $ifNull: ['$additions', 0] }, own(known.map(({ job }) => job.additions ?? 0))] };
  return transition('end', {
    ...endEffect({ outcome: own(outcomes), kind: { among: kinds, expression: own(kinds) } }, { time, by: process }),
    where: {
      _id: { $in: known.map(({ job }) => job._id) },
      waitsFor: { $exists: false },
      $expr: { $and: [isSameToken, isSameTree] },
    },
  });
}

/** Its method runs on, with places in the job's own name: who runs it has to see to them still. */
function keepsOwn({ keepsPlaces }: AttemptEnd, { reservation }: JobDocument): boolean {
  return keepsPlaces === true && reservation !== undefined;
}

/** By a dispatcher; one claimed ahead may have begun without its being recorded yet. */
function mayEnd({ status }: JobDocument): boolean {
  return status === 'active' || status === 'assigned';
}

function withoutUndefined(written: object): object {
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, value instanceof ServerExpression ? undefined : value]));
}
