/** Quotas as leased places: how many each dispatcher of this process holds, asks for, and gives up for others. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { couldEverFit, type Places, weightOf } from '../../../job/places.js';
import { PlaceSavers, SAVES_AFTER_MS, type SavedPlaces } from '../../place-savers.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { Pipeline } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { QuotaDocument } from '../schema/documents.js';
import { Allocation, type Claimant, type Need } from './allocation.js';
import { PlaceLease } from './place-lease.js';
import { isNextOwn, type PlacesView } from './places-view.js';
import type { QuotaCache } from './quota-cache.js';
import { isHeld, requestPlaces } from './quota-pipelines.js';

export interface PlaceLeasesSources {
  readonly clock: Clock;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
  readonly leases: DispatcherLeases;
  /** Told when places may have become free for others. */
  readonly onFreed: () => void;
  /** Puts what a dispatcher has claimed ahead back. */
  readonly beforeGivingWay: (dispatcher: string) => Promise<void>;
  /** Told of work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

/** Who asks for places, and for which queue. */
export interface Asker {
  readonly dispatcher: string;
  readonly queue: string;
}

/** How many more places are wanted than are in use, for whom, and whether who asks waits only for what others leave idle. */
interface Asked {
  readonly more: number;
  readonly need?: Need | 'none' | 'as-before';
  readonly isModest?: boolean;
}

/** The chances of jobs of a lane to get the places that they need. */
export interface Prospect {
  /** The places seem to be there. */
  readonly isOpen: boolean;
  /** The dispatcher holds them, and they are in use: its jobs follow one another. */
  readonly isNext: boolean;
  /** Other dispatchers have them, and have not been asked yet. */
  readonly mayAsk: boolean;
}

/** How many places of a quota are saved, and how many of these are there already. */
interface QuotaSavings {
  readonly setAside: number;
  readonly secured: number;
}

/** What one dispatcher holds and wants. */
interface Holding {
  readonly shares: Map<string, PlaceLease>;
  readonly savers: PlaceSavers;
  /** By quota, the queues that have jobs which need it, as far as was seen; and how many places the first of each has been waiting for. */
  readonly wanting: Map<string, Map<string, number>>;
  /** The quotas of which it was told that one of its queues could have what it waits for. */
  readonly told: Set<string>;
  /** Whether it is about to use what it asks for. */
  isTaking: boolean;
  /** Quotas of which it was to give places up meanwhile. */
  readonly toGive: Set<string>;
}

export class PlaceLeases {
  readonly #holdings = new Map<string, Holding>();
  readonly #timers = new Set<Subscription>();

  constructor(private readonly sources: PlaceLeasesSources) {}

  /** What a dispatcher holds of a quota. */
  of(dispatcher: string, name: string): PlaceLease {
    const { shares } = this.#holding(dispatcher);
    const placeLease = shares.get(name) ?? new PlaceLease();
    shares.set(name, placeLease);
    return placeLease;
  }

  /**
   * Makes sure, as far as there is room, that a dispatcher holds what these jobs of a queue need; the first of them counts as waiting.
   * @param isNeeded - whether any job of the queue that is known needs a quota
   */
  async acquire(asker: Asker, wanted: readonly Claimant[], isNeeded: (name: string) => boolean): Promise<void> {
    const { dispatcher } = asker;
    const line = this.#line(dispatcher, wanted);
    const before = this.#firstToSave(dispatcher, wanted);
    const groups = line.groups([...this.sources.quotas.book.keys()]);
    const needed = new Set(groups.flat());
    await this.#wantNone(asker, (name) => !needed.has(name) && !isNeeded(name));
    // How much is kept of one quota depends on the places held of the quotas before it.
    const isSaving = this.#holding(dispatcher).savers.lanes(this.#nowMs).length > 0;
    for (const group of isSaving ? groups.flatMap((names) => names.map((name) => [name])) : groups)
      await Promise.all(group.map((name) => this.#serve(asker, name, { line, before })));
  }

  /** Asks for places and uses them: until that is done, none of them counts as idle. One at a time for each dispatcher. */
  async whileTaking<T>(dispatcher: string, take: () => Promise<T>): Promise<T> {
    const holding = this.#holding(dispatcher);
    holding.isTaking = true;
    try {
      return await take();
    } finally {
      holding.isTaking = false;
      const names = [...holding.toGive];
      holding.toGive.clear();
      if (names.length > 0) this.sources.onBackground(this.giveWay(dispatcher, names).then(() => undefined));
    }
  }

  /** A queue of a dispatcher needs no places for now: whoever waits behind it need not wait for it. */
  async wantNothing(asker: Asker): Promise<void> {
    await this.#wantNone(asker, () => true);
  }

  /** No dispatcher of this process takes jobs of a queue any more. */
  async leave(queue: string): Promise<void> {
    for (const dispatcher of [...this.#holdings.keys()]) await this.wantNothing({ dispatcher, queue });
  }

  /** What a dispatcher has now. */
  view(dispatcher: string): PlacesView {
    const { quotas } = this.sources;
    return {
      book: quotas.book,
      savers: this.#holding(dispatcher).savers,
      nowMs: this.#nowMs,
      held: (name) => this.of(dispatcher, name),
      isOverbooked: (name) => quotas.excessOf(name) > 0,
      doOthersWait: (name) => quotas.doOthersWait(dispatcher, name),
    };
  }

  /** Notes that a job of a lane finds too few places: they are saved for it, if that could help. */
  save(dispatcher: string, lane: string, places: Places): void {
    if (!this.couldEverFit(places)) return;
    const isFirst = this.#holding(dispatcher).savers.save(lane, places, this.#nowMs);
    // Until then it was not asked for; nobody else will say when it is time.
    if (isFirst && Object.keys(places).length > 1) this.#ringLater();
  }

  /** Chooses lanes whose places others hold: as many as there are workers for. The rest is looked at a little later. */
  firstToAsk(asking: readonly Claimant[], workers: number): readonly Claimant[] {
    if (asking.length > workers) this.#ringLater();
    return asking.slice(0, workers);
  }

  /** What was saved for a lane by a dispatcher, or by all, is for everybody again. */
  stopSaving(lane: string, dispatcher?: string): void {
    for (const [name, { savers }] of this.#holdings) if (dispatcher === undefined || dispatcher === name) savers.stop(lane);
  }

  /** What was saved for lanes that do not pass is for everybody again. */
  saveOnlyFor(passes: (lane: string, places: Places) => boolean): void {
    for (const { savers } of this.#holdings.values()) savers.keepOnly(passes);
  }

  /** Whether the quotas are large enough for these places, as far as is known. */
  couldEverFit(places: Places): boolean {
    return couldEverFit(places, this.sources.quotas.book);
  }

  /** How many places of a quota a dispatcher has idle, or could be given, as far as is known. */
  reach(dispatcher: string, name: string): number {
    return this.of(dispatcher, name).free + this.#room(dispatcher, name);
  }

  /** Whether a dispatcher has these places, or could be given them, as far as is known. */
  mightFit(dispatcher: string, places: Places): boolean {
    return this.#tooFew(dispatcher, places).length === 0;
  }

  /** The chances of jobs of a lane at a dispatcher. */
  prospectOf(dispatcher: string, wanted: Claimant): Prospect {
    const { quotas } = this.sources;
    const tooFew = this.#tooFew(dispatcher, wanted.quotas);
    if (tooFew.length === 0) return { isOpen: true, isNext: false, mayAsk: false };
    const isNext = isNextOwn(wanted.quotas, this.view(dispatcher));
    const [short = ''] = quotas.inLockOrder(tooFew);
    const hasAsked = this.#isNew(dispatcher, wanted) || [true, false].some((isModest) => quotas.isWaiting(dispatcher, short, isModest));
    return { isOpen: false, isNext, mayAsk: !hasAsked && (!isNext || quotas.doOthersHold(dispatcher, short)) };
  }

  /** Gives up idle places of a dispatcher that others lack, or could use while it has no jobs for them. @returns whether there were any */
  async giveWay(dispatcher: string, names: Iterable<string>): Promise<boolean> {
    const asked = [...names];
    // An event of a waiting dispatcher may come before the answers to our own commands, so these are awaited first.
    await Promise.all(asked.map((name) => this.of(dispatcher, name).answered()));
    const { isTaking, toGive } = this.#holding(dispatcher);
    if (isTaking) {
      for (const name of asked) toGive.add(name);
      return false;
    }
    const giving = asked.flatMap((name) => {
      const left = this.#leftOf(dispatcher, name);
      return left < this.of(dispatcher, name).free || this.of(dispatcher, name).isInDoubt ? [{ name, left }] : [];
    });
    if (giving.length === 0) return false;
    // Before the place is gone: its next holder must find these jobs where they stood.
    if (giving.some(({ name, left }) => left < this.of(dispatcher, name).free)) await this.sources.beforeGivingWay(dispatcher);
    const given = await Promise.all(giving.map(({ name, left }) => this.#ask(dispatcher, name, { more: left })));
    const gave = given.includes(true);
    if (gave) this.sources.onFreed();
    return gave;
  }

  /** Has all dispatchers of this process give way. @param names - only of these quotas. @returns whether there was anything to give */
  async yieldIdle(names?: readonly string[]): Promise<boolean> {
    let gave = false;
    for (const [dispatcher, { shares }] of this.#holdings) if (await this.giveWay(dispatcher, names ?? shares.keys())) gave = true;
    return gave;
  }

  /** Nothing is written for one whose lease is over. @returns the quota as it is then */
  async write(name: string, dispatcher: string, pipeline: Pipeline): Promise<QuotaDocument | undefined> {
    const { leases, quotas } = this.sources;
    const fence = leases.fence(dispatcher);
    return fence === undefined ? undefined : quotas.write({ _id: name, $expr: fence }, pipeline);
  }

  /** The life of a dispatcher is over: what it held is for others to take back. */
  forget(dispatcher: string): void {
    this.#holdings.delete(dispatcher);
  }

  close(): void {
    for (const rings of this.#timers) rings.unsubscribe();
    this.#timers.clear();
  }

  #ringLater(): void {
    const { clock, onFreed } = this.sources;
    const rings = timer(SAVES_AFTER_MS, clock.scheduler).subscribe(() => {
      this.#timers.delete(rings);
      onFreed();
    });
    this.#timers.add(rings);
  }

  get #nowMs(): number {
    return this.sources.time.estimate().getTime();
  }

  #room(dispatcher: string, name: string): number {
    return Math.max(0, this.sources.quotas.roomFor(dispatcher, name));
  }

  /** The quotas of which a dispatcher cannot have enough places. */
  #tooFew(dispatcher: string, places: Places): readonly string[] {
    return Object.keys(places).filter((name) => this.reach(dispatcher, name) < weightOf(places, name));
  }

  #line(dispatcher: string, wanted: readonly Claimant[]): Allocation {
    const savers = this.#holding(dispatcher).savers.lanes(this.#nowMs);
    return new Allocation(wanted, savers, (one) => !this.#isNew(dispatcher, one) || this.mightFit(dispatcher, one.quotas));
  }

  /** A job that needs several quotas, but has not waited for long, leaves the one alone while the other has no room. */
  #isNew(dispatcher: string, { lane, quotas: places }: Claimant): boolean {
    return this.#holding(dispatcher).savers.isNew(lane, this.#nowMs) && Object.keys(places).length > 1;
  }

  /** Asks for the places of one quota that a line needs, and divides the available ones among its jobs. */
  async #serve(
    { dispatcher, queue }: Asker,
    name: string,
    { line, before }: { readonly line: Allocation; readonly before: string | undefined },
  ): Promise<void> {
    const { wanting } = this.#holding(dispatcher);
    const need = line.needOf(name);
    if (need !== undefined) {
      const queues = wanting.get(name) ?? new Map<string, number>();
      wanting.set(name, queues.set(queue, 0));
      const saved = this.#savedOf(dispatcher, name, before);
      await this.#acquire(dispatcher, name, withOthers(need, queues, saved));
      const free = this.of(dispatcher, name).free - saved.secured;
      queues.set(queue, free < need.first ? need.first : 0);
      this.#tellOthers(
        dispatcher,
        name,
        [...queues.values()].some((n) => n > 0 && n <= free - need.all),
      );
    }
    line.serve(name, this.of(dispatcher, name).free - this.#savedOf(dispatcher, name, before).setAside);
  }

  async #acquire(dispatcher: string, name: string, need: Need): Promise<void> {
    const { quotas } = this.sources;
    const placeLease = this.of(dispatcher, name);
    if (placeLease.free >= need.all) return;
    const room = this.#room(dispatcher, name);
    // Its own suffice for its jobs one after the other, so that others keep theirs while they have work for them.
    const isModest = placeLease.n >= need.first;
    if (!placeLease.isInDoubt) {
      const bringsNothing = room <= 0 && (placeLease.free >= need.first || (isModest && !quotas.doOthersHold(dispatcher, name)));
      if (bringsNothing) return;
      // Asking again would bring too little for any: two that both wait would hand it to one another without end.
      if (placeLease.free + room < need.least && quotas.isWaiting(dispatcher, name, isModest)) return;
    }
    const asked = { more: need.all, need, isModest };
    await this.#ask(dispatcher, name, asked);
    if (placeLease.free >= need.first) return;
    // Another dispatcher of this process can give its idle places up at once.
    await this.yieldIdle();
    if (placeLease.free + this.#room(dispatcher, name) >= need.least) await this.#ask(dispatcher, name, asked);
  }

  /** What another of its queues has waited for may be there as well: said once, or two that cannot use it would wake each other without end. */
  #tellOthers(dispatcher: string, name: string, isThere: boolean): void {
    const { told } = this.#holding(dispatcher);
    if (!isThere) told.delete(name);
    else if (!told.has(name)) {
      told.add(name);
      this.sources.onFreed();
    }
  }

  /** Notes that a queue of a dispatcher needs no places of the quotas that pass. */
  async #wantNone({ dispatcher, queue }: Asker, passes: (name: string) => boolean): Promise<void> {
    const { wanting } = this.#holding(dispatcher);
    const left = [...wanting].flatMap(([name, queues]) => (passes(name) && queues.delete(queue) && queues.size === 0 ? [name] : []));
    if (left.length === 0) return;
    for (const name of left) wanting.delete(name);
    const noted = left.filter((name) => this.sources.quotas.isNoted(dispatcher, name));
    const more = (name: string): number => this.of(dispatcher, name).free;
    await Promise.all(noted.map((name) => this.#ask(dispatcher, name, { more: more(name), need: 'none' })));
    await this.giveWay(dispatcher, left);
  }

  /** Asks for so many more places than are in use; one that gets too few for its first job waits. */
  async #ask(dispatcher: string, name: string, { more, need = 'as-before', isModest = false }: Asked): Promise<boolean> {
    return this.of(dispatcher, name).change(async (v, inUse) => {
      const least = inUse + (typeof need === 'object' ? need.least : more);
      const first = typeof need === 'object' ? inUse + need.first : 0;
      const ask = { dispatcher, want: inUse + more, least, need: need === 'as-before' ? undefined : first, isModest, inUse, v };
      const { leases, quotas, time } = this.sources;
      const fence = leases.fence(dispatcher);
      if (fence === undefined) return undefined;
      return answerIn(await quotas.writeSoon({ _id: name, $expr: fence }, requestPlaces(ask, time)), dispatcher, v);
    });
  }

  /** How many idle places of a quota a dispatcher keeps. */
  #leftOf(dispatcher: string, name: string): number {
    const { quotas } = this.sources;
    const { free } = this.of(dispatcher, name);
    const excess = quotas.excessOf(name);
    if (excess > 0) return Math.max(0, free - excess);
    const isUnwanted = !this.#holding(dispatcher).wanting.has(name) && quotas.couldOthersUse(dispatcher, name);
    if (!isUnwanted && !quotas.doOthersWait(dispatcher, name)) return free;
    // Saved places are kept if all quotas before this one are in hand; otherwise the place in the line is enough.
    return Math.max(0, Math.min(this.#saved(dispatcher, undefined).secured.get(name) ?? 0, free));
  }

  /** The lane of these jobs for which places are saved first, if they are for any. */
  #firstToSave(dispatcher: string, wanted: readonly Claimant[]): string | undefined {
    const savers = this.#holding(dispatcher).savers.lanes(this.#nowMs);
    return savers.find((saver) => wanted.some(({ lane }) => lane === saver));
  }

  /** What is saved of a quota for lanes that come before one, or before none. */
  #savedOf(dispatcher: string, name: string, before: string | undefined): QuotaSavings {
    const { setAside, secured } = this.#saved(dispatcher, before);
    return { setAside: setAside.get(name) ?? 0, secured: secured.get(name) ?? 0 };
  }

  #saved(dispatcher: string, before: string | undefined): SavedPlaces {
    const { savers } = this.#holding(dispatcher);
    return savers.savedBefore(before, { book: this.sources.quotas.book, freeOf: (name) => this.of(dispatcher, name).free }, this.#nowMs);
  }

  #holding(dispatcher: string): Holding {
    const holding = this.#holdings.get(dispatcher) ?? {
      shares: new Map(),
      savers: new PlaceSavers(),
      wanting: new Map(),
      told: new Set<string>(),
      isTaking: false,
      toGive: new Set<string>(),
    };
    this.#holdings.set(dispatcher, holding);
    return holding;
  }
}

/** How many places a quota counts for a dispatcher. */
export function ownIn(quota: QuotaDocument | undefined, dispatcher: string): number | undefined {
  if (quota === undefined) return undefined;
  return quota.holders.find((holder) => !isHeld(holder) && holder.by === dispatcher)?.n ?? 0;
}

/** The same, unless the quota has not seen the command of that number. */
function answerIn(quota: QuotaDocument | undefined, dispatcher: string, v: number): number | undefined {
  return quota?.holders.find((holder) => !isHeld(holder) && holder.by === dispatcher && holder.v >= v)?.n;
}

/**
 * With what other queues of the same dispatcher wait for, so that it stands in the line for all of them, and with what is saved for them.
 * Places that are only set aside are not for these jobs either: fewer than that would be given up at once, and asked for again.
 */
function withOthers(need: Need, queues: ReadonlyMap<string, number>, { setAside, secured }: QuotaSavings): Need {
  const others = [...queues.values()].reduce((sum, n) => sum + n, secured);
  return { first: need.first + others, least: need.least + setAside, all: need.all + others };
}
