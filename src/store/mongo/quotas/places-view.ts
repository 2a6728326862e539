/** The places that a dispatcher has at one moment, and the rest while some are given to jobs. */

import { type Places, type QuotaLimits, weightOf } from '../../../job/places.js';
import type { PlaceSavers } from '../../place-savers.js';

/** How many places of one quota a dispatcher holds, and how many of these no attempt uses. */
export interface PlaceCount {
  readonly places: number;
  readonly free: number;
}

/** All that decides about places; none of it changes while a decision is made. */
export interface PlacesView {
  /** The quotas in their lock order. */
  readonly book: QuotaLimits;
  readonly savers: PlaceSavers;
  readonly nowMs: number;
  readonly held: (quota: string) => PlaceCount;
  /** The quota has been made smaller than the number of its held places: idle ones are given up, and not used. */
  readonly isOverbooked: (quota: string) => boolean;
  /** Other dispatchers lack places of it. */
  readonly doOthersWait: (quota: string) => boolean;
}

/** The places that each job of a lane needs. */
export interface LaneNeed {
  readonly lane: string;
  readonly places: Places;
}

/** Counts down the rest while places are given to one job after the other. */
export class PlacesLeft {
  readonly #used = new Map<string, number>();
  /** Lanes that got the places saved for them. */
  readonly #served = new Set<string>();

  constructor(private readonly view: PlacesView) {}

  /** Whether a job of the lane can have all its places, beside the places saved for lanes before it. */
  has({ lane, places }: LaneNeed): boolean {
    const { savers, nowMs, book, isOverbooked } = this.view;
    const free = { book, freeOf: (quota: string) => this.#free(quota), served: this.#served };
    const saved = savers.savedBefore(lane, free, nowMs).setAside;
    return Object.entries(places).every(([quota, weight]) => this.#free(quota) - (saved.get(quota) ?? 0) >= weight && !isOverbooked(quota));
  }

  take({ lane, places }: LaneNeed): void {
    for (const [quota, weight] of Object.entries(places)) this.#used.set(quota, (this.#used.get(quota) ?? 0) + weight);
    this.#served.add(lane);
  }

  #free(quota: string): number {
    return this.view.held(quota).free - (this.#used.get(quota) ?? 0);
  }
}

/** Whether a dispatcher holds enough places, used or not, and nobody else lacks any, so that the next to become free is its own. */
export function isNextOwn(places: Places, { held, doOthersWait }: Pick<PlacesView, 'held' | 'doOthersWait'>): boolean {
  const quotas = Object.keys(places);
  return quotas.every((quota) => held(quota).places >= weightOf(places, quota)) && !quotas.some(doOthersWait);
}
