/** Answers a claim: looks for jobs, and again as long as another look may find more, then hands out those that were won. */

import type { ClaimedJob, ClaimRequest } from '../../store-messages.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { ClaimWrites } from '../local/claim-writes.js';
import type { Handoff } from '../local/handoff.js';
import type { PlaceLeases } from '../quotas/place-leases.js';
import type { JobDocument } from '../schema/documents.js';
import type { ClaimRound } from './claim-round.js';
import type { ClaimedJobs } from './claimed-jobs.js';
import type { RoundResult } from './job-starter.js';

export interface ClaimerSources {
  readonly claimedJobs: ClaimedJobs;
  readonly claimRound: ClaimRound;
  readonly claimWrites: ClaimWrites;
  readonly handoff: Handoff;
  readonly leases: DispatcherLeases;
  readonly placeLeases: PlaceLeases;
}

/** How many rounds may take nothing, since another process was faster or the lease is over by the server's time. */
const MAX_FRUITLESS = 20;

export class Claimer {
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(private readonly sources: ClaimerSources) {}

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    const claiming = this.#claim(request);
    this.#underWay.add(claiming);
    return claiming.finally(() => this.#underWay.delete(claiming));
  }

  /** Resolves when the claims under way have been answered: no job that is paused now is handed out after that. */
  async holdBackPaused(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.sources.claimWrites.undone();
  }

  async #claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    const { leases, placeLeases, handoff, claimedJobs } = this.sources;
    if (!leases.isAlive(request.dispatcher)) return [];
    await placeLeases.yieldIdle();
    const won = await this.#win(request);
    const spare = request.limit - won.length;
    handoff.noteSpare(request, spare);
    // A dispatcher that is busy with other work leaves the places to those who could use them.
    if (spare <= 0) await placeLeases.wantNothing(request).catch(() => undefined);
    return claimedJobs.handOut(won);
  }

  /** Takes jobs up to the limit. */
  async #win(request: ClaimRequest): Promise<readonly JobDocument[]> {
    const won: JobDocument[] = [];
    let fruitless = 0;
    /** Lanes of which no job could begin, though they seemed to have room. */
    const stuck = new Set<string>();
    for (let mayFindMore = true; mayFindMore && won.length < request.limit && this.sources.leases.isAlive(request.dispatcher); ) {
      const round = await this.#round(request, won, stuck);
      won.push(...round.won);
      if (round.won.length === 0 && ++fruitless > MAX_FRUITLESS) break;
      mayFindMore = round.mayFindMore;
    }
    return won;
  }

  /** After an error, the jobs won before it are handed out; the error comes again, if it lasts. */
  async #round(request: ClaimRequest, won: readonly JobDocument[], stuck: Set<string>): Promise<RoundResult> {
    try {
      return await this.sources.claimRound.run({ ...request, limit: request.limit - won.length }, stuck);
    } catch (error) {
      if (won.length > 0) return { won: [], mayFindMore: false };
      throw error;
    }
  }
}
