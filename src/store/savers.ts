/** Who has places saved up: jobs that need several at once, and would never find them free while small ones pass by. */

import { type Places, placesInAll } from '../job/places.js';

/** A job that needs several places and has waited this long has them saved up for it. */
export const SAVES_AFTER_MS = 1_000;
/** A lane that no claim has looked at for so long has nobody left to run its jobs, and saves no more. */
const FORGOTTEN_AFTER_MS = 45_000;

interface Saver {
  readonly places: Places;
  readonly sinceMs: number;
  seenMs: number;
}

export class Savers {
  /** By lane, whose jobs all need the same, so that it is for whoever stands first; in the order in which they found too little room. */
  readonly #savers = new Map<string, Saver>();

  /** Notes that a job of the lane found too little room. */
  save(lane: string, places: Places, nowMs: number): void {
    if (placesInAll(places) <= 1) return;
    const saver = this.#savers.get(lane);
    if (saver === undefined) this.#savers.set(lane, { places, sinceMs: nowMs, seenMs: nowMs });
    else saver.seenMs = nowMs;
  }

  /** What was saved for a lane is for everybody again; its next job begins anew. @returns whether there was something */
  stop(lane: string): boolean {
    return this.#savers.delete(lane);
  }

  /** Saves no more for lanes whose places do not pass. */
  keepOnly(passes: (places: Places) => boolean): void {
    for (const [lane, { places }] of this.#savers) if (!passes(places)) this.#savers.delete(lane);
  }

  /** How many places of a quota are saved for lanes before this one, or for all. */
  savedBefore(lane: string | undefined, quota: string, nowMs: number): number {
    let saved = 0;
    for (const [other, { places, sinceMs, seenMs }] of this.#savers) {
      if (other === lane) break;
      if (nowMs - sinceMs >= SAVES_AFTER_MS && nowMs - seenMs < FORGOTTEN_AFTER_MS) saved += places[quota] ?? 0;
    }
    return saved;
  }
}
