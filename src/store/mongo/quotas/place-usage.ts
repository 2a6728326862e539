/** Which attempts of this process use which places of their dispatcher's share. */

import type { Places } from '../../../job/places.js';
import type { QuotaDocument } from '../schema/documents.js';
import type { LocalPlaces } from './dispatcher-places.js';
import type { PlaceCommands } from './place-commands.js';
import type { PlaceLeases } from './place-leases.js';
import type { PlaceSavings } from './place-savings.js';
import type { LaneNeed } from './places-view.js';
import { isHeld, keepPipeline } from './quota-pipelines.js';

/** The places that an attempt uses, and the quotas whose places now belong to its job. */
interface Use {
  readonly dispatcher: string;
  readonly places: Places;
  readonly kept: Set<string>;
}

export interface PlaceUsageSources {
  readonly localPlaces: LocalPlaces;
  readonly placeCommands: PlaceCommands;
  readonly placeLeases: PlaceLeases;
  readonly placeSavings: PlaceSavings;
  /** Told when places may have become free for others. */
  readonly onFreed: () => void;
  /** Is called with work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class PlaceUsage {
  readonly #uses = new Map<string, Use>();

  constructor(private readonly sources: PlaceUsageSources) {}

  /** Uses places for an attempt, which its dispatcher has by the same turn's look at them. */
  use(attempt: string, dispatcher: string, { lane, places }: LaneNeed): void {
    const { localPlaces, placeSavings } = this.sources;
    for (const [name, weight] of Object.entries(places)) localPlaces.lease(dispatcher, name).inUse += weight;
    placeSavings.stop(lane, dispatcher);
    this.#uses.set(attempt, { dispatcher, places, kept: new Set() });
  }

  /** An attempt that goes on under another name. */
  rename(attempt: string, to: string): void {
    const use = this.#uses.get(attempt);
    this.#uses.delete(attempt);
    if (use !== undefined) this.#uses.set(to, use);
  }

  /** As `free`, but nobody waits for others to be given what they wait for. */
  freeSoon(attempt: string): void {
    this.sources.onBackground(this.free(attempt));
  }

  /** An attempt needs its places no longer: they are for the dispatcher's next job, or for others that wait. */
  async free(attempt: string): Promise<void> {
    const { localPlaces, placeLeases, onFreed } = this.sources;
    const use = this.#uses.get(attempt);
    if (use === undefined) return;
    this.#uses.delete(attempt);
    const names = Object.keys(use.places).filter((name) => !use.kept.has(name));
    for (const name of names) localPlaces.lease(use.dispatcher, name).inUse -= use.places[name] ?? 0;
    if (names.length > 0) onFreed();
    await placeLeases.giveWay(use.dispatcher, names);
  }

  /**
   * Gives the places of an attempt to its job, so that no lease ends them. This comes before the write to the job: a place that is held too
   * long is found and dropped, but a missing place would let another job run beside it. Sent again it goes on.
   * @returns whether it has them all
   */
  async keepFor(job: string, { attempt, key }: { readonly attempt: string; readonly key: string }): Promise<boolean> {
    const { localPlaces, placeCommands } = this.sources;
    const use = this.#uses.get(key);
    if (use === undefined) return false;
    for (const [name, n] of Object.entries(use.places)) {
      if (use.kept.has(name)) continue;
      const held = { job, places: n, attempt };
      let isKept = false;
      const send = async (version: number): Promise<number | undefined> => {
        const quota = await placeCommands.write(use.dispatcher, name, keepPipeline({ dispatcher: use.dispatcher, held, version }));
        isKept = quota?.holders.some((holder) => isHeld(holder) && holder.attempt === attempt) === true;
        return ownIn(quota, use.dispatcher);
      };
      const placeLease = localPlaces.lease(use.dispatcher, name);
      const isDone = await placeLease.change(send, n);
      if (isKept) use.kept.add(name);
      else if (isDone) placeLease.inUse += n;
      if (!isKept) return false;
    }
    this.#uses.delete(key);
    return true;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [attempt, use] of this.#uses) if (use.dispatcher === dispatcher) this.#uses.delete(attempt);
  }
}

/** How many places a quota counts for a dispatcher. */
function ownIn(quota: QuotaDocument | undefined, dispatcher: string): number | undefined {
  if (quota === undefined) return undefined;
  return quota.holders.find((holder) => !isHeld(holder) && holder.dispatcher === dispatcher)?.places ?? 0;
}
