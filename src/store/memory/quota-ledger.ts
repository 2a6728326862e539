/** The places of quotas that are held, and the jobs that have begun under a rate. */

import { couldEverFit, NO_PLACES, type Places, placesInAll, takes, weightOf, withDefaultQuota } from '../../job/places.js';
import { NO_RATES, type RateBook } from '../../job/rates.js';
import { type FreePlaces, PlaceSavers } from '../place-savers.js';
import { RateLimiter } from './rate-limiter.js';

/** The attempt for which places are kept after its end. */
interface Keeper {
  readonly token: string | undefined;
  readonly owner: string | undefined;
}

export class QuotaLedger {
  readonly #sizes = new Map<string, number>();
  /** The sizes as they were configured last. */
  readonly #configured = new Map<string, number>();
  readonly #used = new Map<string, number>();
  readonly #held = new Map<string, Places>();
  /** Attempts whose end is recorded, but whose method still runs, by job. */
  readonly #kept = new Map<string, Keeper>();
  readonly #savers = new PlaceSavers();
  readonly rateLimiter = new RateLimiter();
  readonly #free: FreePlaces = { book: this.#sizes, freeOf: (name) => (this.#sizes.get(name) ?? 0) - this.#inUse(name) };

  get sizes(): ReadonlyMap<string, number> {
    return this.#sizes;
  }

  /**
   * Takes over the rates that are given, and the sizes that are not the same as last time; a new quota goes to the end of the lock order,
   * `default` before all others.
   */
  configure(sizes: ReadonlyMap<string, number>, rates: RateBook = NO_RATES): void {
    this.rateLimiter.configure(sizes, rates);
    const isChanged = (name: string, size: number): boolean =>
      sizes.has(name) ? this.#configured.get(name) !== size : !this.#sizes.has(name);
    const changed = new Map([...withDefaultQuota(sizes)].filter(([name, size]) => isChanged(name, size)));
    this.resize(changed);
    for (const [name, size] of changed) this.#configured.set(name, size);
  }

  /** Sets sizes of quotas. */
  resize(sizes: ReadonlyMap<string, number>): void {
    for (const [name, size] of sizes) this.#sizes.set(name, size);
    // A job that has become too large for its quota would otherwise save places without end.
    this.#savers.keepOnly((_lane, places) => couldEverFit(places, this.#sizes));
  }

  /** Takes the places for a job, all or none; one that needs several and gets none begins to save. */
  take(jobId: string, places: Places, lane: string, nowMs: number): boolean {
    if (this.#held.has(jobId)) return true;
    // Jobs that wait for a time keep no places from others.
    if (!this.rateLimiter.mayBegin(places, nowMs)) return false;
    if (!this.#fits(lane, places, nowMs)) {
      if (couldEverFit(places, this.#sizes)) this.#savers.save(lane, places, nowMs);
      return false;
    }
    this.rateLimiter.begin(places, nowMs);
    for (const name in places) this.#used.set(name, this.#inUse(name) + (places[name] ?? 0));
    if (placesInAll(places) > 0) this.#held.set(jobId, places);
    this.#savers.stop(lane);
    return true;
  }

  /** Gives a job's places back. @returns whether it held any */
  drop(jobId: string): boolean {
    const places = this.#held.get(jobId);
    if (places === undefined) return false;
    this.#held.delete(jobId);
    this.#kept.delete(jobId);
    for (const name in places) this.#used.set(name, this.#inUse(name) - (places[name] ?? 0));
    return true;
  }

  /** Keeps the places of a job that has ended for its method, which still runs. */
  keep(jobId: string, keeper: Keeper): void {
    if (this.#held.has(jobId)) this.#kept.set(jobId, keeper);
  }

  /** Gives back the places kept for an attempt. @returns whether anything was */
  dropKept(jobId: string, token: string): boolean {
    return this.#kept.get(jobId)?.token === token && this.drop(jobId);
  }

  /** Gives back the places kept for attempts of these dispatchers. @returns whether anything was */
  dropKeptBy(owners: ReadonlySet<string>): boolean {
    const lost = [...this.#kept].filter(([, { owner }]) => owner !== undefined && owners.has(owner));
    for (const [jobId] of lost) this.drop(jobId);
    return lost.length > 0;
  }

  /** The places that a job holds. */
  heldBy(jobId: string): Places {
    return this.#held.get(jobId) ?? NO_PLACES;
  }

  /** The jobs that hold places of a quota, and how many. */
  holdersOf(name: string): readonly { readonly id: string; readonly places: number }[] {
    return [...this.#held].flatMap(([id, places]) => (takes(places, name) ? [{ id, places: weightOf(places, name) }] : []));
  }

  /** Frees the places that are saved for a lane; its next job begins anew. @returns whether there was something */
  stopSaving(lane: string): boolean {
    return this.#savers.stop(lane);
  }

  /** Frees the places that are saved for lanes that do not pass. */
  saveOnlyFor(passes: (lane: string) => boolean): void {
    this.#savers.keepOnly(passes);
  }

  #fits(lane: string, places: Places, nowMs: number): boolean {
    const saved = this.#savers.savedBefore(lane, this.#free, nowMs).setAside;
    for (const name in places) if ((places[name] ?? 0) > this.#free.freeOf(name) - (saved.get(name) ?? 0)) return false;
    return true;
  }

  #inUse(name: string): number {
    return this.#used.get(name) ?? 0;
  }
}
