/** The transitions of attempts: ended, tried again, handed back or interrupted; only with the right token. */

import type { MillraceError } from '../../../errors.js';
import { afterFailure, afterInterruption, outcomeOfCancel, type Sequel } from '../../../job/attempt-rule.js';
import { cannotFollow, type FollowProblem } from '../../../job/job-errors.js';
import { laneOf } from '../../../job/lane.js';
import { recordedError } from '../../../job/stored-error.js';
import type {
  AttemptKey,
  AttemptReport,
  FollowOutcome,
  ReleaseRequest,
  RescheduleRequest,
  RescheduleResult,
} from '../../store-messages.js';
import type { PauseControl } from '../control/pause-control.js';
import { isRefused, refusalOf } from '../driver/driver-errors.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { type AttemptReports, fieldsOf, reportsOf } from '../jobs/attempt-reports.js';
import { referenceOf, taskVersionOfDocument, toJob } from '../jobs/job-codec.js';
import { type JobCollection, objectIdOf } from '../jobs/job-collection.js';
import { type JobUpdate, ServerExpression } from '../jobs/job-update.js';
import { followUpdate } from '../jobs/transition-updates.js';
import type { LocalQueue } from '../local/local-queue.js';
import { attemptKey, type RunningAttempts, tokenAfter } from '../local/running-attempts.js';
import type { JobPlaces } from '../quotas/job-places.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { JobDocument } from '../schema/documents.js';
import { encodeObject } from '../schema/payload-codec.js';
import type { Completion } from './completion.js';
import { IdempotentCalls } from './idempotent-calls.js';
import type { OwnerRelease } from './owner-release.js';
import type { WaitGraph } from './wait-graph.js';

export interface AttemptTransitionsSources {
  readonly jobs: JobCollection;
  readonly placeUsage: PlaceUsage;
  readonly jobPlaces: JobPlaces;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly notifier: Notifier;
  readonly notes: AttemptReports;
  readonly pauses: PauseControl;
  readonly graph: WaitGraph;
  readonly running: RunningAttempts;
  readonly localQueue: LocalQueue;
  readonly ownerRelease: OwnerRelease;
  /** The process that notifies a job which waits for another. */
  readonly process: string;
}

export class AttemptTransitions {
  readonly #asked = new IdempotentCalls<RescheduleRequest, RescheduleResult>((again, wasUnanswered) =>
    this.#reschedule(again, wasUnanswered),
  );

  constructor(private readonly sources: AttemptTransitionsSources) {}

  /** By one command for all jobs, and one for those whose attempts are transactions. */
  async report(reports: readonly AttemptReport[]): Promise<void> {
    const { localQueue, jobs, notifier, notes, running } = this.sources;
    const all = reports.map((report) => ({ report, id: objectIdOf(report.id), job: running.get(report), noted: reportsOf(report) }));
    for (const { report } of all) await localQueue.ensureBegun(attemptKey(report));
    await Promise.all([
      notes.report(all.flatMap(({ job, noted }) => (job?.isTransactional === true ? { job, noted } : []))),
      jobs.noteEach(
        all.flatMap(({ report: { token }, id: _id, job, noted }) =>
          _id === undefined || job?.isTransactional === true ? [] : { filter: { ...RUNNING, _id, token }, written: fieldsOf(noted) },
        ),
      ),
    ]);
    for (const { report, id, noted } of all) {
      running.reported(report, noted);
      const known = running.get(report);
      // Its watchers are notified without a read.
      if (id !== undefined) notifier.changed(known?.status === 'active' ? known : { _id: id });
    }
  }

  /** After an error, a repeated call recognises what was recorded. */
  reschedule(again: readonly RescheduleRequest[]): Promise<readonly RescheduleResult[]> {
    return this.#asked.all(again, 'refused');
  }

  async #reschedule({ delayMs, error, seal, ...key }: RescheduleRequest, wasUnanswered: boolean): Promise<RescheduleResult> {
    const { jobs, placeUsage, jobPlaces, time, notifier, pauses, running, completion } = this.sources;
    const use = attemptKey(key);
    const token = tokenAfter(key.token);
    let before = running.get(key);
    const after = await this.#decide(
      key,
      (job) => {
        before = job;
        const counted = {
          failures: job.failures + (error === undefined ? 0 : 1),
          ...(error === undefined ? {} : { lastError: encodeObject(error) }),
          ...(seal === undefined ? {} : { seal }),
        };
        const sequel = afterFailure(job, { delayMs, isPaused: pauses.isPaused(job.queue, taskVersionOfDocument(job)) });
        const again = { ...counted, token, attempts: job.attempts + 1, startedAt: new ServerExpression(time.now) };
        const moving =
          sequel.next === 'at-once' ? jobs.move(job, 'rerun', 'active', again) : this.#goOn(job, 'retryLater', sequel, counted);
        return moving.catch((cause: unknown) => {
          if (!isRefused(cause)) throw cause;
          return completion.end(job, 'end', refusalOf(referenceOf(job), cause));
        });
      },
      (job) => wasUnanswered && ((job.status === 'active' && job.token === token) || isPutOff(job, before, error !== undefined)),
    );
    running.remove(key);
    if (after?.status === 'active') {
      running.add(after);
      placeUsage.rename(use, attemptKey({ id: key.id, token }));
      return { token, number: after.attempts, failures: after.failures };
    }
    await placeUsage.free(use);
    if (after?.status !== 'scheduled' && after?.status !== 'pending') return 'refused';
    if (before !== undefined) await jobPlaces.drop(before);
    notifier.waits(after);
    return 'later';
  }

  async release({ hasBegun, ...key }: ReleaseRequest): Promise<void> {
    const { placeUsage, notifier, localQueue, running } = this.sources;
    const use = attemptKey(key);
    await localQueue.ensureBegun(use);
    running.remove(key);
    const after = await (hasBegun ? this.interrupt(key) : this.#unclaim(key));
    await placeUsage.free(use);
    if (after?.status === 'pending') notifier.waits(after);
    // A job that has not begun holds nothing, and another process may be handling its end.
    if (after === undefined && hasBegun) await this.#dropKept(key);
  }

  /** A job that was claimed, now or ahead, and has not begun. @returns it after that, unless somebody was faster */
  putBack(job: JobDocument): Promise<JobDocument | undefined> {
    const outcome = outcomeOfCancel(job);
    if (outcome !== undefined) return this.sources.completion.end(job, 'end', outcome);
    const uncounted = job.status === 'active' ? { startedAt: undefined, attempts: job.attempts - 1 } : {};
    return this.sources.jobs.move(job, 'handBack', 'pending', { ...BACK, ...uncounted, pendingSignal: job.lane });
  }

  async #unclaim({ id, token }: AttemptKey): Promise<JobDocument | undefined> {
    const jobId = objectIdOf(id);
    if (jobId === undefined) return undefined;
    return this.sources.jobs.decide(jobId, (job) => {
      const isClaimed = (job.status === 'active' || job.status === 'assigned') && job.waitsFor === undefined;
      return isClaimed && job.token === token ? this.putBack(job) : 'nothing';
    });
  }

  /** An attempt whose end nobody will record. @returns the job after it */
  async interrupt(key: AttemptKey): Promise<JobDocument | undefined> {
    const { jobs, jobPlaces, notifier } = this.sources;
    let before: JobDocument | undefined;
    const after = await this.#decide(key, async (job) => {
      before = job;
      const sequel = afterInterruption(referenceOf(job), job.interruptionPolicy, job);
      const counted = { interruptions: job.interruptions + 1 };
      if (sequel.next !== 'at-once') return this.#goOn(job, 'interrupt', sequel, counted);
      const reservation = await this.#keptPlaces(job, key);
      const lane = laneOf(toJob(job), reservation !== undefined);
      return jobs.move(job, 'interrupt', 'pending', { ...BACK, ...counted, pendingSignal: lane, lane, reservation });
    });
    if (after?.status === 'scheduled' && before !== undefined) await jobPlaces.drop(before);
    if (after?.status === 'pending' || after?.status === 'scheduled') notifier.waits(after);
    return after;
  }

  #goOn(
    job: JobDocument,
    move: 'retryLater' | 'interrupt',
    sequel: Exclude<Sequel, { readonly next: 'at-once' }>,
    counted: JobUpdate,
  ): Promise<JobDocument | undefined> {
    const { completion, jobs, time } = this.sources;
    if (sequel.next === 'end') return completion.end(job, 'end', sequel.outcome);
    const lane = laneOf(toJob(job), false);
    const freed = { ...counted, ...BACK, reservation: undefined, lane };
    if (sequel.next === 'in-line') return jobs.move(job, move, 'pending', { ...freed, pendingSignal: lane });
    const dueAt = new ServerExpression(time.after(sequel.delayMs));
    return jobs.move(job, move, 'scheduled', { ...freed, pendingSignal: undefined, dueAt });
  }

  /** The attempt under which an interrupted job holds its places from now on; `undefined` where they are not to be had. */
  async #keptPlaces(job: JobDocument, { id, token }: AttemptKey): Promise<string | undefined> {
    const { jobPlaces, placeUsage } = this.sources;
    if (job.reservation !== undefined) return job.reservation;
    const isKept =
      jobPlaces.has({ id: job._id, attempt: token, places: job.places }) ||
      (await placeUsage.keepFor(id, { attempt: token, key: attemptKey({ id, token }) }));
    return isKept ? token : undefined;
  }

  /** Of a job that has ended, while its method ran on: the places that it held in its own name. */
  async #dropKept({ id, token }: AttemptKey): Promise<void> {
    const { jobs, jobPlaces, ownerRelease } = this.sources;
    const job = await jobs.ofId(id);
    if (job?.token !== token || job.outcome === undefined) return;
    await jobPlaces.drop(job);
    ownerRelease.add(job);
  }

  /** A job whose task returned another one waits for that. @returns whether the token was not stale */
  async follow(key: AttemptKey, { job: innerId, isOwn = false }: FollowOutcome): Promise<boolean> {
    const { jobs, placeUsage, completion, localQueue, running } = this.sources;
    const followedJob = objectIdOf(innerId);
    await localQueue.ensureBegun(attemptKey(key));
    running.remove(key);
    let before: JobDocument | undefined;
    const after = await this.#decide(
      key,
      async (job) => {
        before = job;
        const outcome = outcomeOfCancel(job);
        if (outcome !== undefined) {
          if (isOwn && followedJob !== undefined) await completion.cancel(followedJob, job.cancel?.reason);
          return completion.end(job, 'end', outcome);
        }
        const problem = await this.problemOfFollowing(job, innerId, await jobs.ofId(innerId));
        if (problem !== undefined) return completion.end(job, 'end', { status: 'failed', error: recordedError(problem) });
        return jobs.move(job, 'follow', 'active', followUpdate(followedJob, { isOwn, by: this.sources.process }));
      },
      (job) => job.token === key.token && followedJob !== undefined && job.followedJob?.equals(followedJob) === true,
    );
    await placeUsage.free(attemptKey(key));
    if (after === undefined) return false;
    await this.followed(after, before);
    return true;
  }

  /** Does the follow-ups when a job waits for another one. @param before - as it was when it ran, if that is known */
  async followed(after: JobDocument, before: JobDocument | undefined): Promise<void> {
    const { jobPlaces, ownerRelease, completion } = this.sources;
    if (before !== undefined) await jobPlaces.drop(before);
    if (after.followedJob === undefined) return;
    await completion.follow(after, after.followedJob);
    ownerRelease.add(after);
  }

  /** Why a job could never follow another one. @param followed - that one, if it is there */
  async problemOfFollowing(job: JobDocument, other: string, followed: JobDocument | undefined): Promise<MillraceError | undefined> {
    const problem = followed === undefined ? 'gone' : await this.#obstacle(job, followed);
    return problem === undefined ? undefined : cannotFollow(job._id.toHexString(), other, problem);
  }

  async #obstacle(job: JobDocument, followed: JobDocument): Promise<FollowProblem | undefined> {
    const { graph } = this.sources;
    const isOwnCallback = followed.role === 'callback' && followed.parent?.equals(job._id) === true;
    if (isOwnCallback || (await graph.waitsFor(followed._id, job, [followed, job]))) return 'circular';
    const quota = await graph.quotaHeldAround(job, followed);
    return quota === undefined ? undefined : { quota };
  }

  /** Decides about the job of a running attempt, if the token is not stale. @param isDone - whether it was done before, and not answered */
  async #decide(
    { id, token }: AttemptKey,
    decide: (job: JobDocument) => Promise<JobDocument | undefined>,
    isDone: (job: JobDocument) => boolean = () => false,
  ): Promise<JobDocument | undefined> {
    const jobId = objectIdOf(id);
    if (jobId === undefined) return undefined;
    await this.sources.localQueue.ensureBegun(attemptKey({ id, token }));
    return this.sources.jobs.decide(jobId, (job) => {
      if (job.status === 'active' && job.token === token && job.waitsFor === undefined) return decide(job);
      return isDone(job) ? Promise.resolve(job) : 'nothing';
    });
  }
}

/** An attempt whose end has not been recorded. */
const RUNNING = { status: 'active', waitsFor: { $exists: false } } as const;

/** The fields that a job loses when it does not run any more. */
const BACK = { owner: undefined, token: undefined } as const satisfies JobUpdate;

/** Whether a job waits because its attempt was rescheduled: an interruption is counted, and a claim that is handed back does not count as an attempt. */
function isPutOff(job: JobDocument, before: JobDocument | undefined, hasFailed: boolean): boolean {
  if (before === undefined || (job.status !== 'scheduled' && job.status !== 'pending')) return false;
  const failures = before.failures + (hasFailed ? 1 : 0);
  return job.attempts === before.attempts && job.failures === failures && job.interruptions === before.interruptions;
}
