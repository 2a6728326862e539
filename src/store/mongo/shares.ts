/** Quotas as leased places: how many each dispatcher of this process holds, and which of its attempts use them. */

import type { Document } from 'mongodb';
import { couldEverFit, type Places } from '../../job/places.js';
import { Savers } from '../savers.js';
import type { Collections } from './collections.js';
import type { QuotaDocument } from './documents.js';
import type { Leases } from './leases.js';
import { askPipeline, isHeld, keepPipeline } from './quota-commands.js';
import type { Quotas } from './quotas.js';
import type { ServerTime } from './server-time.js';
import { Share } from './share.js';

/** What an attempt uses, and of which quotas its places have become its job's own. */
interface Use {
  readonly dispatcher: string;
  readonly places: Places;
  readonly kept: Set<string>;
}

export interface ShareSources {
  readonly collections: Collections;
  readonly quotas: Quotas;
  readonly time: ServerTime;
  readonly leases: Leases;
  /** Told when places may have become free for others. */
  readonly onFreed: () => void;
  /** Puts what a dispatcher has claimed ahead back. */
  readonly beforeGivingWay: (dispatcher: string) => Promise<void>;
  /** Told of work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class Shares {
  readonly #shares = new Map<string, Map<string, Share>>();
  readonly #uses = new Map<string, Use>();
  readonly #savers = new Map<string, Savers>();

  constructor(private readonly sources: ShareSources) {}

  /** Makes sure, as far as there is room, that a dispatcher holds what these jobs need; the first of them counts as waiting. */
  async acquire(dispatcher: string, wanted: readonly Places[]): Promise<void> {
    const { quotas } = this.sources;
    for (const name of quotas.book.keys()) {
      const weights = wanted.map((places) => places[name] ?? 0).filter((weight) => weight > 0);
      const [first = 0] = weights;
      if (first === 0) continue;
      const share = this.#share(dispatcher, name);
      const more = weights.reduce((sum, weight) => sum + weight, 0);
      // Asking again would bring too little for any: two that both wait would hand it to one another without end.
      if (share.free + quotas.room(name) < Math.min(...weights) && quotas.isWaiting(dispatcher, name) && !share.isInDoubt) continue;
      // Who holds enough for one has only to wait for his own, where nothing is left as far as is known.
      if (share.free >= more || (share.n >= first && !share.isInDoubt && quotas.room(name) <= 0)) continue;
      await this.#ask(dispatcher, name, { more, first });
      // Idle places that another dispatcher of this process holds are there at once.
      if (share.free < first && (await this.yieldIdle())) await this.#ask(dispatcher, name, { more, first });
    }
  }

  /** Uses places in hand for an attempt, all or none. @param lane - whose jobs all need the same */
  use(
    attempt: string,
    { dispatcher, lane, places }: { readonly dispatcher: string; readonly lane: string; readonly places: Places },
  ): boolean {
    const savers = this.#saversOf(dispatcher);
    const now = this.sources.time.estimate().getTime();
    for (const [name, weight] of Object.entries(places)) {
      if (this.#share(dispatcher, name).free - savers.savedBefore(lane, name, now) >= weight) continue;
      if (couldEverFit(places, this.sources.quotas.book)) savers.save(lane, places, now);
      return false;
    }
    for (const [name, weight] of Object.entries(places)) this.#share(dispatcher, name).inUse += weight;
    savers.stop(lane);
    this.#uses.set(attempt, { dispatcher, places, kept: new Set() });
    return true;
  }

  /** Whether a dispatcher has these places, or could be given them, as far as is known. */
  mightFit(dispatcher: string, places: Places): boolean {
    const { quotas } = this.sources;
    return Object.entries(places).every(([name, weight]) => this.#share(dispatcher, name).free + Math.max(0, quotas.room(name)) >= weight);
  }

  /** Whether a dispatcher holds places of all these quotas, so that the next that is free is its own. */
  hasSome(dispatcher: string, places: Places): boolean {
    return (
      Object.entries(places).every(([name, weight]) => this.#share(dispatcher, name).n >= weight) &&
      !Object.keys(places).some((name) => this.sources.quotas.doOthersWait(dispatcher, name))
    );
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
    const use = this.#uses.get(attempt);
    if (use === undefined) return;
    this.#uses.delete(attempt);
    const names = Object.keys(use.places).filter((name) => !use.kept.has(name));
    for (const name of names) this.#share(use.dispatcher, name).inUse -= use.places[name] ?? 0;
    if (names.length > 0) this.sources.onFreed();
    await this.#giveWay(use.dispatcher, names);
  }

  /**
   * Makes the places of an attempt its job's own, which no lease ends; before the job is written so, since a place that
   * is held too long is found and dropped, and one too few lets another job run beside it. Sent again it goes on.
   * @returns whether it has them all
   */
  async keepFor(job: string, { attempt, key }: { readonly attempt: string; readonly key: string }): Promise<boolean> {
    const use = this.#uses.get(key);
    if (use === undefined) return false;
    for (const [name, n] of Object.entries(use.places)) {
      if (use.kept.has(name)) continue;
      const held = { job, n, attempt };
      let isKept = false;
      const send = async (v: number): Promise<number> => {
        const quota = await this.#write(name, use.dispatcher, keepPipeline({ dispatcher: use.dispatcher, held, v }));
        isKept = quota?.holders.some((holder) => isHeld(holder) && holder.attempt === attempt) === true;
        return ownIn(quota, use.dispatcher);
      };
      const share = this.#share(use.dispatcher, name);
      await share.change(send, n);
      if (isKept) use.kept.add(name);
      else share.inUse += n;
      if (!isKept) return false;
    }
    this.#uses.delete(key);
    return true;
  }

  /** What was saved for a lane is for everybody again. */
  stopSaving(lane: string): void {
    for (const savers of this.#savers.values()) savers.stop(lane);
  }

  /** The life of a dispatcher is over: what it held is for others to take back. */
  forget(dispatcher: string): void {
    this.#shares.delete(dispatcher);
    this.#savers.delete(dispatcher);
    for (const [attempt, use] of this.#uses) if (use.dispatcher === dispatcher) this.#uses.delete(attempt);
  }

  /** Gives up idle places of all dispatchers of this process that others wait for. @returns whether there were any */
  async yieldIdle(): Promise<boolean> {
    let gave = false;
    for (const [dispatcher, shares] of this.#shares) if (await this.#giveWay(dispatcher, [...shares.keys()])) gave = true;
    return gave;
  }

  /** Asks for so many more places than are in use; one that gets too few for its first job waits. */
  async #ask(dispatcher: string, name: string, { more, first }: { readonly more: number; readonly first: number }): Promise<void> {
    await this.#share(dispatcher, name).change(async (v, inUse) => {
      const ask = { dispatcher, want: inUse + more, need: first === 0 ? undefined : inUse + first, inUse, v };
      return ownIn(await this.#write(name, dispatcher, askPipeline(ask, this.sources.time)), dispatcher);
    });
  }

  /** @returns whether anything was given up */
  async #giveWay(dispatcher: string, names: readonly string[]): Promise<boolean> {
    let gave = false;
    for (const name of names) {
      const share = this.#share(dispatcher, name);
      const saved = this.#saversOf(dispatcher).savedBefore(undefined, name, this.sources.time.estimate().getTime());
      const spare = Math.max(0, Math.min(saved, share.free));
      const mustGive = this.sources.quotas.doOthersWait(dispatcher, name) && share.free > spare;
      if (!mustGive && !share.isInDoubt) continue;
      // Before the place is gone: whoever has it next must find these jobs where they stood.
      if (mustGive) await this.sources.beforeGivingWay(dispatcher);
      await this.#ask(dispatcher, name, { more: spare, first: 0 });
      gave = true;
    }
    if (gave) this.sources.onFreed();
    return gave;
  }

  /** Nothing is written for one whose lease is over. */
  async #write(name: string, dispatcher: string, pipeline: Document[]): Promise<QuotaDocument | undefined> {
    const { leases, collections, quotas } = this.sources;
    const fence = leases.fence(dispatcher);
    if (fence === undefined) return undefined;
    const quota = await collections.quotas.findOneAndUpdate({ _id: name, $expr: fence }, pipeline, { returnDocument: 'after' });
    if (quota === null) return undefined;
    quotas.notice(quota);
    return quota;
  }

  #share(dispatcher: string, name: string): Share {
    const shares = this.#shares.get(dispatcher) ?? new Map<string, Share>();
    this.#shares.set(dispatcher, shares);
    const share = shares.get(name) ?? new Share();
    shares.set(name, share);
    return share;
  }

  #saversOf(dispatcher: string): Savers {
    const savers = this.#savers.get(dispatcher) ?? new Savers();
    this.#savers.set(dispatcher, savers);
    return savers;
  }
}

/** How many places a quota counts for a dispatcher. */
function ownIn(quota: QuotaDocument | undefined, dispatcher: string): number {
  return quota?.holders.find((holder) => !isHeld(holder) && holder.by === dispatcher)?.n ?? 0;
}
