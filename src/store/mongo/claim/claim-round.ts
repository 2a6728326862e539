/** One round of a claim: finds jobs that wait, gets places for them, chooses among them, and begins those that were chosen. */

import { ObjectId } from 'mongodb';
import type { ClaimRequest } from '../../store-messages.js';
import { mayBeClaimedAhead } from '../local/known-lanes.js';
import type { LaneHeads } from '../local/lane-heads.js';
import type { LocalQueue } from '../local/local-queue.js';
import type { PlaceLeases } from '../quotas/place-leases.js';
import type { PlaceOutlook } from '../quotas/place-outlook.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { RateLimiter } from '../quotas/rate-limiter.js';
import type { JobDocument } from '../schema/documents.js';
import type { CancelledBatches } from '../settle/cancelled-batches.js';
import { type Choice, chooseJobs } from './choose-jobs.js';
import type { JobStarter, Reserved, RoundResult } from './job-starter.js';
import type { WaitingJobs } from './waiting-jobs.js';

export interface ClaimRoundSources {
  readonly cancelled: CancelledBatches;
  readonly jobStarter: JobStarter;
  readonly localQueue: LocalQueue;
  readonly placeLeases: PlaceLeases;
  readonly placeOutlook: PlaceOutlook;
  readonly placeSavings: PlaceSavings;
  readonly rateLimiter: RateLimiter;
  readonly waitingJobs: WaitingJobs;
}

export class ClaimRound {
  /** By dispatcher: the last round that gets places and uses them. Its queues do so one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(private readonly sources: ClaimRoundSources) {}

  /** @param stuck - lanes that are left out, since no job of theirs could begin in an earlier round of the claim; added to */
  async run(request: ClaimRequest, stuck: Set<string>): Promise<RoundResult> {
    const { placeLeases, placeOutlook, placeSavings, waitingJobs, jobStarter } = this.sources;
    const { dispatcher } = request;
    const found = await waitingJobs.find(request, stuck);
    if (found === undefined) {
      await placeLeases.wantNothing(request);
      return { won: [], mayFindMore: false };
    }
    const token = new ObjectId().toHexString();
    const choose = async (): Promise<Reserved> => {
      await placeLeases.acquire(request, found.wanted, found.isNeeded);
      for (const { lane, places } of found.asking)
        if (!placeOutlook.mightFit(dispatcher, places)) placeSavings.save(dispatcher, lane, places);
      return jobStarter.reserve(this.#choose(request, found.jobs), { dispatcher, token });
    };
    const choice = await this.#inTurn(dispatcher, () => placeLeases.whileClaiming(dispatcher, choose));
    const round = await jobStarter.start(request, choice, { ahead: found.ahead, token });
    waitingJobs.note(request, found, round);
    const wasMistaken = this.#noteStuck(stuck, choice, found.heads);
    const hasGained = found.asking.some(({ places }) => placeOutlook.mightFit(dispatcher, places));
    return wasMistaken || hasGained ? { ...round, mayFindMore: true } : round;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    this.#turns.delete(dispatcher);
    this.sources.waitingJobs.forget(dispatcher);
  }

  #choose(request: ClaimRequest, waiting: readonly JobDocument[]): Choice<JobDocument> {
    const { cancelled, localQueue, placeOutlook, rateLimiter } = this.sources;
    const { dispatcher, limit } = request;
    return chooseJobs(waiting, {
      limit,
      places: placeOutlook.view(dispatcher),
      startsLeft: (quota) => rateLimiter.startsLeft(quota),
      isCancelled: (job) => cancelled.isAbove(job),
      isQueued: (job) => localQueue.isQueued(dispatcher, job),
      mayBeClaimedAhead: (job) => mayBeClaimedAhead(job, request),
    });
  }

  /**
   * Adds the lanes that are stuck, or whose jobs were cancelled.
   * @returns whether other lanes, which were not read for them, may have room
   */
  #noteStuck(stuck: Set<string>, choice: Choice<JobDocument>, heads: LaneHeads): boolean {
    const passedBy = heads.jobs.filter((job) => this.sources.cancelled.isAbove(job));
    const lanes = [...choice.stuck.keys(), ...passedBy.map(({ lane }) => lane)];
    const isNew = lanes.some((lane) => !stuck.has(lane));
    for (const lane of lanes) stuck.add(lane);
    return isNew && choice.begin.filter(({ status }) => status === 'pending').length < heads.count;
  }

  #inTurn<T>(dispatcher: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(dispatcher) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.#turns.set(
      dispatcher,
      turn.catch(() => undefined),
    );
    return turn;
  }
}
