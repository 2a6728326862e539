/** Saves places of each dispatcher for jobs that need several at once, and would never find them free while small ones pass by. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import type { Places } from '../../../job/places.js';
import { SAVES_AFTER_MS } from '../../place-savers.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Claimant } from './allocation.js';
import type { QuotaSavings } from './demand.js';
import type { LocalPlaces } from './dispatcher-places.js';
import type { PlaceOutlook } from './place-outlook.js';
import type { QuotaCache } from './quota-cache.js';

export interface PlaceSavingsSources {
  readonly clock: Clock;
  readonly localPlaces: LocalPlaces;
  readonly placeOutlook: PlaceOutlook;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
  /** Called when a claim may find more than before. */
  readonly onFreed: () => void;
}

export class PlaceSavings {
  readonly #timers = new Set<Subscription>();

  constructor(private readonly sources: PlaceSavingsSources) {}

  /** Notes that a job of a lane finds too few places: they are saved for it, if that could help. */
  save(dispatcher: string, lane: string, places: Places): void {
    const { localPlaces, placeOutlook } = this.sources;
    if (!placeOutlook.couldEverFit(places)) return;
    const isFirst = localPlaces.of(dispatcher).savers.save(lane, places, this.#nowMs);
    // Until then it is not asked for, and nothing else notifies of the time.
    if (isFirst && Object.keys(places).length > 1) this.#notifyLater();
  }

  /** Chooses lanes whose places others hold: as many as there are workers for. The others are looked at a little later. */
  firstToAsk(asking: readonly Claimant[], workers: number): readonly Claimant[] {
    if (asking.length > workers) this.#notifyLater();
    return asking.slice(0, workers);
  }

  /** Places that were saved for a lane, by one dispatcher or by all, are for everybody again. */
  stop(lane: string, dispatcher?: string): void {
    for (const [name, { savers }] of this.sources.localPlaces.all) if (dispatcher === undefined || dispatcher === name) savers.stop(lane);
  }

  /** Places that were saved for lanes that do not pass are for everybody again. */
  keepOnly(passes: (lane: string, places: Places) => boolean): void {
    for (const [, { savers }] of this.sources.localPlaces.all) savers.keepOnly(passes);
  }

  /** The lanes for which a dispatcher saves, in their order. */
  lanesOf(dispatcher: string): readonly string[] {
    return this.sources.localPlaces.of(dispatcher).savers.lanes(this.#nowMs);
  }

  /** How many places of a quota a dispatcher saves for lanes that come before one, or for all. */
  of(dispatcher: string, quota: string, before: string | undefined): QuotaSavings {
    const places = this.sources.localPlaces.of(dispatcher);
    const free = { book: this.sources.quotas.book, freeOf: (name: string) => places.lease(name).free };
    const { setAside, secured } = places.savers.savedBefore(before, free, this.#nowMs);
    return { setAside: setAside.get(quota) ?? 0, secured: secured.get(quota) ?? 0 };
  }

  close(): void {
    for (const timer of this.#timers) timer.unsubscribe();
    this.#timers.clear();
  }

  #notifyLater(): void {
    const { clock, onFreed } = this.sources;
    const notifies = timer(SAVES_AFTER_MS, clock.scheduler).subscribe(() => {
      this.#timers.delete(notifies);
      onFreed();
    });
    this.#timers.add(notifies);
  }

  get #nowMs(): number {
    return this.sources.time.estimate().getTime();
  }
}
