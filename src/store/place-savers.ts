/** Saves places for jobs that need several at once, and would never find them free while small ones pass by. */

import { type Places, placesInAll, type QuotaLimits, weightOf } from '../job/places.js';

/** A job that needs several places and has waited this long has them saved up for it. */
export const SAVES_AFTER_MS = 1_000;
/** A lane that no claim has looked at for this time has no dispatcher left, and saves no more. */
const FORGOTTEN_AFTER_MS = 45_000;

interface Saver {
  readonly places: Places;
  readonly sinceMs: number;
  seenMs: number;
}

/** The places that can be saved: the quotas in their lock order, and how many of their places are not in use. */
export interface FreePlaces {
  readonly book: QuotaLimits;
  readonly freeOf: (name: string) => number;
  /** Lanes that have got their places meanwhile. */
  readonly served?: ReadonlySet<string>;
}

/** By quota: the places set aside for savers, and those that each saver has already with all its places of earlier quotas. */
export interface SavedPlaces {
  readonly setAside: ReadonlyMap<string, number>;
  readonly secured: ReadonlyMap<string, number>;
}

const NOTHING: SavedPlaces = { setAside: new Map(), secured: new Map() };

export class PlaceSavers {
  /** By lane, for its first job, since all jobs of a lane need the same places; in the order in which they found too little room. */
  readonly #savers = new Map<string, Saver>();

  /** Notes that a job of the lane found too little room. @returns whether it is the first to */
  save(lane: string, places: Places, nowMs: number): boolean {
    if (placesInAll(places) <= 1) return false;
    const saver = this.#savers.get(lane);
    if (saver === undefined) this.#savers.set(lane, { places, sinceMs: nowMs, seenMs: nowMs });
    else saver.seenMs = nowMs;
    return saver === undefined;
  }

  /** Frees the places that are saved for a lane; its next job begins anew. @returns whether there was something */
  stop(lane: string): boolean {
    return this.#savers.delete(lane);
  }

  /** Saves no more for lanes that do not pass. */
  keepOnly(passes: (lane: string, places: Places) => boolean): void {
    for (const [lane, { places }] of this.#savers) if (!passes(lane, places)) this.#savers.delete(lane);
  }

  /** Whether a job of the lane has found too little room. */
  has(lane: string): boolean {
    return this.#savers.has(lane);
  }

  /** Whether a job of the lane has found too little room, but not for long enough yet. */
  isNew(lane: string, nowMs: number): boolean {
    const saver = this.#savers.get(lane);
    return saver !== undefined && nowMs - saver.sinceMs < SAVES_AFTER_MS;
  }

  /** The lanes for which places are saved, in their order. */
  lanes(nowMs: number): readonly string[] {
    return [...this.#savers].filter(([, saver]) => saves(saver, nowMs)).map(([lane]) => lane);
  }

  /**
   * The places that are saved for lanes before this one, or for all. Each saves in the lock order of the quotas, up to the first of which
   * it has too little: so two savers never hold places that the other waits for.
   */
  savedBefore(lane: string | undefined, { book, freeOf, served }: FreePlaces, nowMs: number): SavedPlaces {
    if (this.#savers.size === 0) return NOTHING;
    const saved = { setAside: new Map<string, number>(), secured: new Map<string, number>() };
    const add = (to: Map<string, number>, name: string, n: number): Map<string, number> => to.set(name, (to.get(name) ?? 0) + n);
    for (const [other, saver] of this.#savers) {
      if (served?.has(other)) continue;
      if (other === lane) break;
      if (!saves(saver, nowMs)) continue;
      for (const name of book.keys()) {
        const needed = weightOf(saver.places, name);
        const left = freeOf(name) - (saved.setAside.get(name) ?? 0);
        add(saved.setAside, name, needed);
        if (left < needed) break;
        add(saved.secured, name, needed);
      }
    }
    return saved;
  }
}

function saves({ sinceMs, seenMs }: Saver, nowMs: number): boolean {
  return nowMs - sinceMs >= SAVES_AFTER_MS && nowMs - seenMs < FORGOTTEN_AFTER_MS;
}
