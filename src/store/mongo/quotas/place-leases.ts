/**
 * Quotas as leased places: a dispatcher holds places of a quota for as long as it has jobs for them, and uses them for one
 * job after the other without a command. Which attempt uses which of them, only its process knows.
 *
 * A dispatcher and a quota are in one of these states: without    it holds no place. Jobs that need one make it ask. waiting    it asked
 * and got too few for its first job: the quota notes it, in order, and notifies it of each change. served     it holds enough for its first
 * job. It may ask for more, and then takes only places that others leave idle. idle       it holds places and has no job for them. It keeps
 * them until another dispatcher waits: then it gives way.
 *
 * A `Demand` says what is wanted, a `PlaceLease` what is had; `place-rules.ts` decides between them. A job that needs several quotas gets
 * their places in the lock order of these, so that two dispatchers never hold places that the other waits for.
 */

import type { Need } from './allocation.js';
import { Allocation, type Claimant } from './allocation.js';
import type { LocalPlaces } from './dispatcher-places.js';
import type { PlaceCommands } from './place-commands.js';
import type { PlaceOutlook } from './place-outlook.js';
import { ask, surplus } from './place-rules.js';
import type { PlaceSavings } from './place-savings.js';
import type { QuotaCache } from './quota-cache.js';

export interface PlaceLeasesSources {
  readonly localPlaces: LocalPlaces;
  readonly placeCommands: PlaceCommands;
  readonly placeOutlook: PlaceOutlook;
  readonly placeSavings: PlaceSavings;
  readonly quotas: QuotaCache;
  /** Called when places may have become free for others. */
  readonly onFreed: () => void;
  /** Puts back the jobs that a dispatcher has claimed ahead. */
  readonly beforeGivingWay: (dispatcher: string) => Promise<void>;
  /** Is given work that no call waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

/** A queue of a dispatcher, which asks for places. */
export interface Asker {
  readonly dispatcher: string;
  readonly queue: string;
}

/** Jobs that are given places, and the lane among theirs for which places are saved first. */
interface Line {
  readonly allocation: Allocation;
  readonly before: string | undefined;
}

export class PlaceLeases {
  constructor(private readonly sources: PlaceLeasesSources) {}

  /**
   * Makes sure, as far as there is room, that a dispatcher holds the places that these jobs of a queue need; the first of them counts as
   * waiting.
   * @param isNeeded - whether any job of the queue that is known needs a quota
   */
  async acquire(asker: Asker, wanted: readonly Claimant[], isNeeded: (name: string) => boolean): Promise<void> {
    const { dispatcher } = asker;
    const { placeOutlook, placeSavings, quotas } = this.sources;
    const saving = placeSavings.lanesOf(dispatcher);
    const before = saving.find((lane) => wanted.some((one) => one.lane === lane));
    const allocation = new Allocation(wanted, saving, (one) => placeOutlook.isWorthAsking(dispatcher, one));
    const groups = allocation.groups([...quotas.book.keys()]);
    const needed = new Set(groups.flat());
    await this.#withdraw(asker, (name) => !needed.has(name) && !isNeeded(name));
    // How much is kept of one quota depends on the places held of the quotas before it.
    const isSaving = placeSavings.lanesOf(dispatcher).length > 0;
    for (const group of isSaving ? groups.flatMap((names) => names.map((name) => [name])) : groups)
      await Promise.all(group.map((name) => this.#serve(asker, name, { allocation, before })));
  }

  /** Asks for places and uses them: until that is done, none of them counts as idle. One at a time for each dispatcher. */
  async whileClaiming<T>(dispatcher: string, claim: () => Promise<T>): Promise<T> {
    const places = this.sources.localPlaces.of(dispatcher);
    places.isClaiming = true;
    try {
      return await claim();
    } finally {
      places.isClaiming = false;
      const names = [...places.toGive];
      places.toGive.clear();
      if (names.length > 0) this.sources.onBackground(this.giveWay(dispatcher, names).then(() => undefined));
    }
  }

  /** A queue of a dispatcher needs no places for now, so that others need not wait behind it. */
  async wantNothing(asker: Asker): Promise<void> {
    await this.#withdraw(asker, () => true);
  }

  /** No dispatcher of this process takes jobs of a queue any more. */
  async leave(queue: string): Promise<void> {
    for (const [dispatcher] of [...this.sources.localPlaces.all]) await this.wantNothing({ dispatcher, queue });
  }

  /** Gives up idle places of a dispatcher that others lack, or could use while it has no jobs for them. @returns whether there were any */
  async giveWay(dispatcher: string, names: Iterable<string>): Promise<boolean> {
    const { localPlaces, placeCommands, onFreed, beforeGivingWay } = this.sources;
    const places = localPlaces.of(dispatcher);
    const all = [...names];
    // An event of a waiting dispatcher may come before the answers to our own commands, so these are awaited first.
    await Promise.all(all.map((name) => places.lease(name).answered()));
    if (places.isClaiming) {
      for (const name of all) places.toGive.add(name);
      return false;
    }
    const giving = all.flatMap((name) => {
      const given = this.#surplusOf(dispatcher, name);
      const { free, isInDoubt } = places.lease(name);
      return given > 0 || isInDoubt ? [{ name, given, kept: Math.max(0, free - given) }] : [];
    });
    if (giving.length === 0) return false;
    // Before the place is gone: its next holder must find these jobs where they stood.
    if (giving.some(({ given }) => given > 0)) await beforeGivingWay(dispatcher);
    const done = await Promise.all(giving.map(({ name, kept }) => placeCommands.giveUp(dispatcher, name, kept)));
    if (!done.includes(true)) return false;
    onFreed();
    return true;
  }

  /** Has all dispatchers of this process give way. @param names - only of these quotas. @returns whether there was anything to give */
  async yieldIdle(names?: readonly string[]): Promise<boolean> {
    let gave = false;
    for (const [dispatcher, { leases }] of this.sources.localPlaces.all)
      if (await this.giveWay(dispatcher, names ?? leases.keys())) gave = true;
    return gave;
  }

  /** Asks for the places of one quota that a line needs, and divides the available ones among its jobs. */
  async #serve({ dispatcher, queue }: Asker, name: string, { allocation, before }: Line): Promise<void> {
    const { localPlaces, placeSavings, onFreed } = this.sources;
    const lease = localPlaces.lease(dispatcher, name);
    const need = allocation.needOf(name);
    if (need === undefined) await this.#passOver({ dispatcher, queue }, name);
    else {
      const demand = localPlaces.of(dispatcher).demand(name);
      demand.begin(queue);
      const saved = placeSavings.of(dispatcher, name, before);
      await this.#ask(dispatcher, name, demand.withOthers(need, saved));
      const free = lease.free - saved.secured;
      demand.answered(queue, need, free);
      if (demand.announce(free - need.all)) onFreed();
    }
    allocation.serve(name, lease.free - placeSavings.of(dispatcher, name, before).setAside);
  }

  /**
   * No job of a queue is to ask for a quota, since each lacks places of a quota before it. A dispatcher that has those must not wait behind
   * this one: it would keep the places that this one lacks.
   */
  async #passOver({ dispatcher, queue }: Asker, name: string): Promise<void> {
    const { localPlaces, placeCommands, quotas } = this.sources;
    const demand = localPlaces.of(dispatcher).demand(name);
    demand.begin(queue);
    if (!demand.isLacking && quotas.isNoted(dispatcher, name)) await placeCommands.stopWaiting(dispatcher, name);
  }

  async #ask(dispatcher: string, name: string, need: Need): Promise<void> {
    const { localPlaces, placeCommands, placeOutlook, quotas } = this.sources;
    const had = localPlaces.lease(dispatcher, name);
    const wait = ask({
      need,
      had,
      room: placeOutlook.room(dispatcher, name),
      doOthersHold: quotas.doOthersHold(dispatcher, name),
      isWaiting: (kind) => quotas.isWaiting(dispatcher, name, kind),
    });
    if (wait === undefined) return;
    await placeCommands.ask(dispatcher, name, { need, wait });
    if (had.free >= need.first) return;
    // Another dispatcher of this process can give its idle places up at once.
    await this.yieldIdle();
    if (placeOutlook.reach(dispatcher, name) >= need.least) await placeCommands.ask(dispatcher, name, { need, wait });
  }

  /** Notes that a queue of a dispatcher needs no places of the quotas that pass. */
  async #withdraw({ dispatcher, queue }: Asker, passes: (name: string) => boolean): Promise<void> {
    const { localPlaces, placeCommands, quotas } = this.sources;
    const { demands } = localPlaces.of(dispatcher);
    const left = [...demands].flatMap(([name, demand]) => (passes(name) && demand.withdraw(queue) && demand.isEmpty ? [name] : []));
    if (left.length === 0) return;
    for (const name of left) demands.delete(name);
    const noted = left.filter((name) => quotas.isNoted(dispatcher, name));
    await Promise.all(noted.map((name) => placeCommands.stopWaiting(dispatcher, name)));
    await this.giveWay(dispatcher, left);
  }

  #surplusOf(dispatcher: string, name: string): number {
    const { localPlaces, placeSavings, quotas } = this.sources;
    const places = localPlaces.of(dispatcher);
    return surplus({
      free: places.lease(name).free,
      excess: quotas.excessOf(name),
      isWanted: places.demands.has(name),
      doOthersLack: quotas.doOthersWait(dispatcher, name),
      couldOthersUse: quotas.couldOthersUse(dispatcher, name),
      // Places that are saved without all of the quotas before are given up: the place in the queue is enough.
      secured: placeSavings.of(dispatcher, name, undefined).secured,
    });
  }
}
