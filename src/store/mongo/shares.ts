/** Quotas as leased places: how many each dispatcher holds of each quota, and which of its jobs use them. */

import type { Document } from 'mongodb';
import { couldEverFit, DEFAULT_QUOTA, type Places, type QuotaBook } from '../../job/places.js';
import { Savers } from '../savers.js';
import type { Collections } from './collections.js';
import type { QuotaDocument } from './documents.js';
import type { Leases } from './leases.js';
import type { ServerTime } from './server-time.js';
import { askPipeline, jobsBut, NEXT, roomOf, shareOf, sharesBut, waitingBut } from './share-commands.js';

/** What a dispatcher of this process holds of one quota. */
interface Share {
  n: number;
  inUse: number;
  v: number;
}

interface Use {
  readonly dispatcher: string;
  readonly places: Places;
}

export interface ShareSources {
  readonly collections: Collections;
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
  readonly #book = new Map<string, number>();
  /** As last seen. */
  readonly #seen = new Map<string, QuotaDocument>();
  readonly #shares = new Map<string, Map<string, Share>>();
  readonly #uses = new Map<string, Use>();
  readonly #savers = new Map<string, Savers>();

  constructor(private readonly sources: ShareSources) {}

  get book(): QuotaBook {
    return this.#book;
  }

  /** Takes over the sizes that are given, and reads those of all quotas, in their lock order. */
  async configure(sizes: QuotaBook): Promise<void> {
    const { control, quotas } = this.sources.collections;
    const named = new Map([...(sizes.has(DEFAULT_QUOTA) ? [] : [[DEFAULT_QUOTA, 1] as const]), ...sizes]);
    for (const name of named.keys()) {
      await control.updateOne({ _id: 'quotas' }, { $setOnInsert: { names: [] } }, { upsert: true });
      await control.updateOne({ _id: 'quotas', names: { $ne: name } }, { $push: { names: name } });
    }
    for (const [name, size] of named) {
      await quotas.updateOne({ _id: name }, { $setOnInsert: { size, configured: size, holders: [], waiting: [] } }, { upsert: true });
      if (sizes.has(name))
        await quotas.updateOne({ _id: name, configured: { $ne: size } }, { $set: { size, configured: size }, $inc: { rev: 1 } });
    }
    await this.refresh();
  }

  /** Reads all quotas anew. */
  async refresh(): Promise<void> {
    const { control, quotas } = this.sources.collections;
    const names = (await control.findOne({ _id: 'quotas' }))?.names ?? [];
    const found = new Map((await quotas.find().toArray()).map((quota) => [quota._id, quota]));
    for (const name of names) {
      const quota = found.get(name);
      if (quota !== undefined) this.#notice(quota);
    }
  }

  /** Hears that a quota was written; reads it where that is all that is known. @returns whether it has more room than before */
  async hear(name: string, heard: QuotaDocument | undefined, rev: number | undefined): Promise<boolean> {
    if (rev !== undefined && rev <= (this.#seen.get(name)?.rev ?? -1)) return false;
    const quota = heard ?? (await this.sources.collections.quotas.findOne({ _id: name }));
    if (quota === null) return false;
    const before = this.#seen.get(name);
    this.#notice(quota);
    return before === undefined || roomOf(quota) > roomOf(before);
  }

  /** Makes sure, as far as there is room, that a dispatcher holds what these jobs need; the first of them counts as waiting. */
  async acquire(dispatcher: string, wanted: readonly Places[]): Promise<void> {
    for (const name of this.#book.keys()) {
      const weights = wanted.map((places) => places[name] ?? 0).filter((weight) => weight > 0);
      if (weights.length === 0) continue;
      const share = this.#share(dispatcher, name);
      const first = share.inUse + (weights[0] ?? 0);
      const want = share.inUse + weights.reduce((sum, weight) => sum + weight, 0);
      // Who holds enough for one has only to wait for his own, where nothing is left as far as is known.
      if (share.n >= want || (share.n >= (weights[0] ?? 0) && this.#isFull(name))) continue;
      await this.#ask(dispatcher, name, want, first);
      // Idle places that another dispatcher of this process holds are there at once.
      if (share.n < first && (await this.yieldIdle())) await this.#ask(dispatcher, name, want, first);
    }
  }

  #isFull(name: string): boolean {
    const seen = this.#seen.get(name);
    return seen !== undefined && roomOf(seen) <= 0;
  }

  /** Uses places in hand for an attempt, all or none. @param lane - whose jobs all need the same */
  use(attempt: string, dispatcher: string, lane: string, places: Places): boolean {
    const savers = this.#saversOf(dispatcher);
    const now = this.sources.time.estimate().getTime();
    for (const [name, weight] of Object.entries(places)) {
      const share = this.#share(dispatcher, name);
      if (share.n - share.inUse - savers.savedBefore(lane, name, now) < weight) {
        if (couldEverFit(places, this.#book)) savers.save(lane, places, now);
        return false;
      }
    }
    for (const [name, weight] of Object.entries(places)) this.#share(dispatcher, name).inUse += weight;
    savers.stop(lane);
    this.#uses.set(attempt, { dispatcher, places });
    return true;
  }

  /** Whether a dispatcher holds places of all these quotas, so that the next that is free is its own. */
  hasSome(dispatcher: string, places: Places): boolean {
    return (
      Object.entries(places).every(([name, weight]) => this.#share(dispatcher, name).n >= weight) &&
      !Object.keys(places).some((name) => this.#doOthersWait(dispatcher, name))
    );
  }

  #doOthersWait(dispatcher: string, name: string): boolean {
    const now = this.sources.time.estimate();
    return this.#seen.get(name)?.waiting.some(({ by, until }) => by !== dispatcher && until > now) === true;
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
    for (const [name, weight] of Object.entries(use.places)) {
      const share = this.#share(use.dispatcher, name);
      share.inUse = Math.max(0, share.inUse - weight);
    }
    if (Object.keys(use.places).length > 0) this.sources.onFreed();
    await this.#giveWay(use.dispatcher, Object.keys(use.places));
  }

  /** Makes the places of an attempt the job's own, which no lease ends. */
  async keepFor(job: string, attempt: string): Promise<void> {
    const use = this.#uses.get(attempt);
    if (use === undefined) return;
    this.#uses.delete(attempt);
    for (const [name, weight] of Object.entries(use.places)) {
      const share = this.#share(use.dispatcher, name);
      share.inUse -= weight;
      share.n -= weight;
      share.v++;
      const entry = { job, n: weight };
      await this.#write(name, use.dispatcher, [
        {
          $set: {
            rev: NEXT,
            holders: { $concatArrays: [sharesBut(use.dispatcher), [shareOf(use.dispatcher, share)], [{ $literal: entry }]] },
          },
        },
      ]);
    }
  }

  /** Gives up what a job holds in its own name. @returns whether it held any */
  async drop(job: string): Promise<boolean> {
    const { quotas } = this.sources.collections;
    let dropped = false;
    for (const name of this.#book.keys()) {
      const quota = await quotas.findOneAndUpdate({ _id: name, 'holders.job': job }, [{ $set: { rev: NEXT, holders: jobsBut(job) } }], {
        returnDocument: 'after',
      });
      if (quota === null) continue;
      dropped = true;
      this.#notice(quota);
    }
    if (dropped) this.sources.onFreed();
    return dropped;
  }

  /** What was saved for a lane is for everybody again. */
  stopSaving(lane: string): void {
    for (const savers of this.#savers.values()) savers.stop(lane);
  }

  /** Turns what a dead dispatcher held into places of jobs that go on with them; the rest is free. */
  async takeBack(dead: string, kept: readonly { readonly job: string; readonly places: Places }[]): Promise<void> {
    const { quotas } = this.sources.collections;
    this.#shares.delete(dead);
    this.#savers.delete(dead);
    for (const [attempt, { dispatcher }] of this.#uses) if (dispatcher === dead) this.#uses.delete(attempt);
    for (const name of this.#book.keys()) {
      const entries = kept.flatMap(({ job, places }) => (places[name] === undefined ? [] : [{ job, n: places[name] }]));
      const quota = await quotas.findOneAndUpdate(
        { _id: name, $or: [{ 'holders.by': dead }, { 'waiting.by': dead }] },
        [{ $set: { rev: NEXT, holders: { $concatArrays: [sharesBut(dead), { $literal: entries }] }, waiting: waitingBut(dead) } }],
        { returnDocument: 'after' },
      );
      if (quota !== null) this.#notice(quota);
    }
    this.sources.onFreed();
  }

  /** How many places jobs hold in their own names. */
  heldBy(job: string): Places {
    const held = [...this.#seen.values()].flatMap(({ _id, holders }) =>
      holders.flatMap((holder) => ('job' in holder && holder.job === job ? [[_id, holder.n] as const] : [])),
    );
    return Object.fromEntries(held);
  }

  /** Asks for as many places as are wanted; one that gets too few for its first job waits. */
  async #ask(dispatcher: string, name: string, want: number, need: number): Promise<void> {
    const share = this.#share(dispatcher, name);
    const v = ++share.v;
    const quota = await this.#write(name, dispatcher, askPipeline({ dispatcher, want, need, inUse: share.inUse, v }, this.sources.time));
    const own = quota?.holders.find((holder) => 'by' in holder && holder.by === dispatcher);
    share.n = own?.n ?? share.inUse;
  }

  /** @returns whether anything was given up */
  async #giveWay(dispatcher: string, names: readonly string[]): Promise<boolean> {
    let gave = false;
    for (const name of names) {
      const share = this.#share(dispatcher, name);
      const now = this.sources.time.estimate();
      const saved = this.#saversOf(dispatcher).savedBefore(undefined, name, now.getTime());
      const needed = share.inUse + Math.min(saved, share.n - share.inUse);
      if (!this.#doOthersWait(dispatcher, name) || share.n <= needed) continue;
      // Before the place is gone: whoever has it next must find these jobs where they stood.
      await this.sources.beforeGivingWay(dispatcher);
      await this.#ask(dispatcher, name, needed, 0);
      gave = true;
    }
    if (gave) this.sources.onFreed();
    return gave;
  }

  async #write(name: string, dispatcher: string, pipeline: Document[]): Promise<QuotaDocument | undefined> {
    const fence = this.sources.leases.fence(dispatcher);
    if (fence === undefined) return undefined;
    const quota = await this.sources.collections.quotas.findOneAndUpdate({ _id: name, $expr: fence }, pipeline, {
      returnDocument: 'after',
    });
    if (quota === null) return undefined;
    this.#notice(quota);
    return quota;
  }

  /** Learns of a quota; whoever here has idle places that others wait for gives them up. */
  #notice(quota: QuotaDocument): void {
    if ((quota.rev ?? 0) < (this.#seen.get(quota._id)?.rev ?? 0)) return;
    this.#seen.set(quota._id, quota);
    this.#book.set(quota._id, quota.size);
  }

  /** Gives up idle places of all dispatchers of this process that others wait for. @returns whether there were any */
  async yieldIdle(): Promise<boolean> {
    let gave = false;
    for (const [dispatcher, shares] of this.#shares) if (await this.#giveWay(dispatcher, [...shares.keys()])) gave = true;
    return gave;
  }

  #share(dispatcher: string, name: string): Share {
    const shares = this.#shares.get(dispatcher) ?? new Map<string, Share>();
    this.#shares.set(dispatcher, shares);
    const share = shares.get(name) ?? { n: 0, inUse: 0, v: 0 };
    shares.set(name, share);
    return share;
  }

  #saversOf(dispatcher: string): Savers {
    const savers = this.#savers.get(dispatcher) ?? new Savers();
    this.#savers.set(dispatcher, savers);
    return savers;
  }
}
