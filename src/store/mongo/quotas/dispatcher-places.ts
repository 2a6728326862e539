/** The places that the dispatchers of this process have and want: by dispatcher, then by quota. */

import { PlaceSavers } from '../../place-savers.js';
import { Demand } from './demand.js';
import { PlaceLease } from './place-lease.js';

export class DispatcherPlaces {
  readonly leases = new Map<string, PlaceLease>();
  readonly demands = new Map<string, Demand>();
  readonly savers = new PlaceSavers();
  /** It asks for places and is about to use them: none of them counts as idle. */
  isClaiming = false;
  /** Quotas of which it was to give places up meanwhile. */
  readonly toGive = new Set<string>();

  lease(quota: string): PlaceLease {
    const lease = this.leases.get(quota) ?? new PlaceLease();
    this.leases.set(quota, lease);
    return lease;
  }

  demand(quota: string): Demand {
    const demand = this.demands.get(quota) ?? new Demand();
    this.demands.set(quota, demand);
    return demand;
  }
}

export class LocalPlaces {
  readonly #byDispatcher = new Map<string, DispatcherPlaces>();

  of(dispatcher: string): DispatcherPlaces {
    const places = this.#byDispatcher.get(dispatcher) ?? new DispatcherPlaces();
    this.#byDispatcher.set(dispatcher, places);
    return places;
  }

  lease(dispatcher: string, quota: string): PlaceLease {
    return this.of(dispatcher).lease(quota);
  }

  get all(): Iterable<readonly [dispatcher: string, places: DispatcherPlaces]> {
    return this.#byDispatcher;
  }

  /** The life of a dispatcher is over: others take back its places. */
  forget(dispatcher: string): void {
    this.#byDispatcher.delete(dispatcher);
  }
}
