/** Begins the jobs that a claim has chosen: their places are used at once, their starts counted, then they are written as taken. */

import type { ClaimRequest } from '../../store-messages.js';
import type { Notifier } from '../feed/notifier.js';
import { withReports } from '../jobs/attempt-reports.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import type { ClaimSet, ClaimWrites } from '../local/claim-writes.js';
import type { LocalQueue } from '../local/local-queue.js';
import { byPriorityThenOrder } from '../local/order.js';
import { attemptKey, attemptOf, type RunningAttempts } from '../local/running-attempts.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { RateLimiter, StartGrant } from '../quotas/rate-limiter.js';
import type { JobDocument } from '../schema/documents.js';
import type { BatchOpener, Opening } from './batch-opener.js';
import type { Choice } from './choose-jobs.js';

export interface JobStarterSources {
  readonly batchOpener: BatchOpener;
  readonly claimWrites: ClaimWrites;
  readonly localQueue: LocalQueue;
  readonly notifier: Notifier;
  readonly placeSavings: PlaceSavings;
  readonly placeUsage: PlaceUsage;
  readonly rateLimiter: RateLimiter;
  readonly running: RunningAttempts;
}

/** The jobs that a round of a claim has taken. */
export interface RoundResult {
  readonly won: readonly JobDocument[];
  /** Another round may find more: a batch was opened, another process was faster, or a lane had no room after all. */
  readonly mayFindMore: boolean;
}

/** The jobs that are taken under one token. */
interface Taking {
  readonly dispatcher: string;
  readonly token: string;
}

/** A choice whose places are in use, and whose jobs of the local queue have begun. */
export interface Reserved extends Choice<JobDocument> {
  /** Jobs that were claimed ahead, as they are once it is recorded that they have begun. */
  readonly begun: readonly JobDocument[];
}

export class JobStarter {
  constructor(private readonly sources: JobStarterSources) {}

  /** Has the places of a choice used, in the turn in which it was made. */
  reserve(choice: Choice<JobDocument>, { dispatcher, token }: Taking): Reserved {
    const { localQueue, placeSavings, placeUsage } = this.sources;
    for (const job of [...choice.begin, ...(choice.open === undefined ? [] : [choice.open])]) {
      if (job.reservation !== undefined) continue;
      const attempt = job.status === 'assigned' ? attemptOf(job) : attemptKey({ id: job._id.toHexString(), token });
      placeUsage.use(attempt, dispatcher, job);
    }
    for (const { lane, places } of choice.short) placeSavings.save(dispatcher, lane, places);
    const begun = choice.begin.flatMap((job) => (job.status === 'assigned' ? [localQueue.begin(dispatcher, job)] : []));
    return { ...choice, begun };
  }

  /** Begins the jobs of a choice, or opens its batch. @param ahead - how many may be claimed ahead */
  async start(
    request: ClaimRequest,
    { begin, begun, behind, open, endsAtBatch }: Reserved,
    { ahead, token }: { readonly ahead: number; readonly token: string },
  ): Promise<RoundResult> {
    const { dispatcher } = request;
    if (open !== undefined) {
      await this.#open({ dispatcher, batch: open, token });
      return { won: [], mayFindMore: true };
    }
    if (behind.length > 0) this.sources.localQueue.leftBehind(dispatcher);
    const now = begin.filter(({ status }) => status !== 'assigned');
    const taken = await this.#take(request, { now, forLater: behind.slice(0, ahead), token }).catch((error: unknown) => {
      if (begun.length > 0) return [];
      throw error;
    });
    const won = this.#register([...begun, ...taken]);
    return { won, mayFindMore: endsAtBatch || won.length < begin.length };
  }

  async #take(request: ClaimRequest, chosen: ClaimSet): Promise<readonly JobDocument[]> {
    const { rateLimiter, claimWrites } = this.sources;
    const { may, grant } = await this.#countStarts(chosen.now, chosen.token);
    const now = chosen.now.filter((job) => may.has(job));
    const isTransactional = now.filter((job) => request.transactional?.has(taskVersionOfDocument(job)) === true);
    const taken = await claimWrites.write(request.dispatcher, { ...chosen, now, isTransactional });
    const won = taken.filter(({ status }) => status === 'active');
    // If that fails, the jobs that were not won count for a period as well.
    await rateLimiter.giveBack(grant, won).catch(() => undefined);
    return won;
  }

  async #open(opening: Opening): Promise<void> {
    const { batchOpener, rateLimiter } = this.sources;
    const { may, grant } = await this.#countStarts([opening.batch], opening.token);
    if (!may.has(opening.batch)) return;
    const isOpened = await batchOpener.open(opening);
    await rateLimiter.giveBack(grant, isOpened ? [opening.batch] : []).catch(() => undefined);
  }

  /** Has a rate count the jobs that are to begin; the places of those that may not are free again. */
  async #countStarts(jobs: readonly JobDocument[], token: string): Promise<StartGrant> {
    const { rateLimiter, placeUsage } = this.sources;
    const free = (left: readonly JobDocument[]): void => {
      for (const { _id } of left) placeUsage.freeSoon(attemptKey({ id: _id.toHexString(), token }));
    };
    try {
      const granted = await rateLimiter.begin(jobs);
      free(jobs.filter((job) => !granted.may.has(job)));
      return granted;
    } catch (error) {
      free(jobs);
      throw error;
    }
  }

  #register(won: readonly JobDocument[]): readonly JobDocument[] {
    const { notifier, running } = this.sources;
    for (const job of won) {
      running.add(job);
      // Nothing can have been reported of a first attempt yet.
      notifier.changed(job.attempts === 1 ? withReports(job) : job);
    }
    return [...won].sort(byPriorityThenOrder);
  }
}
