/** The quotas as this process saw them last: their sizes in lock order, who holds places, who waits for some. */

import { MongoServerError } from 'mongodb';
import { type Places, type QuotaLimits, withDefaultQuota } from '../../../job/places.js';
import type { Rate, RateBook, RecentStarts } from '../../../job/rates.js';
import { GroupCommit } from '../../async/group-commit.js';
import { SAVES_AFTER_MS } from '../../place-savers.js';
import type { Pipeline, Stage } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Collections } from '../schema/collections.js';
import type { ControlDocument, QuotaDocument, Reservation, WaitingDispatcher } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import type { Wait } from './place-rules.js';
import { appendPipeline, configurePipeline, isHeld, NEXT_REVISION, roomOf } from './quota-pipelines.js';

/** A dispatcher whose entry ends this soon asks again. */
const RENEWED_MS = 15_000;

export interface QuotaCacheSources {
  readonly collections: Collections;
  readonly time: ServerTime;
  /** Is called with the document of the store as a whole. */
  readonly onControl: (control: ControlDocument) => void;
  /** Told when a quota has another size than before. */
  readonly onSized: () => void;
}

/** A write to one quota. */
interface QuotaWrite {
  readonly filter: Where<QuotaDocument> & { readonly _id: string };
  readonly pipeline: Pipeline;
}

export class QuotaCache {
  readonly #book = new Map<string, number>();
  readonly #seen = new Map<string, QuotaDocument>();
  /** Writes of one turn go together. */
  readonly #writes = new GroupCommit<QuotaWrite, QuotaDocument | undefined>((writes) => this.#writeAll(writes), { oneAtATime: false });
  /** Quotas that change during a read are read together afterwards. */
  readonly #reads = new GroupCommit<string, QuotaDocument | undefined>((names) => this.#readAll(names));

  constructor(private readonly sources: QuotaCacheSources) {}

  get book(): QuotaLimits {
    return this.#book;
  }

  rateOf(name: string): Rate | undefined {
    return this.#seen.get(name)?.rate;
  }

  /** The jobs that count under the rate of a quota. */
  begunOf(name: string): readonly RecentStarts[] {
    return this.#seen.get(name)?.recentStarts ?? [];
  }

  /** A quota as it was seen last. */
  seen(name: string): QuotaDocument | undefined {
    return this.#seen.get(name);
  }

  get all(): Iterable<QuotaDocument> {
    return this.#seen.values();
  }

  /**
   * Takes over the sizes and rates that are given, and reads those of all quotas, in their lock order; as many commands for many as for
   * one.
   */
  async configure(sizes: QuotaLimits, rates: RateBook): Promise<void> {
    const { control, quotas } = this.sources.collections;
    const named = withDefaultQuota(sizes);
    await control.updateOne({ _id: 'quotas' }, appendPipeline([...named.keys()]), { upsert: true });
    await quotas.updateEach(
      [...named].map(([name, size]) => {
        const isConfigured = sizes.has(name);
        return { filter: { _id: name }, update: configurePipeline({ size, rate: rates.get(name), isConfigured }), upsert: true };
      }),
    );
    await this.refresh();
  }

  /** Sets the size of one, until the configuration names another than it does now. @returns whether there is such a quota */
  async resize(name: string, size: number): Promise<boolean> {
    return (await this.write({ _id: name }, [{ $set: { revision: NEXT_REVISION, size } }])) !== undefined;
  }

  /** Writes a quota that matches the filter, and keeps its new state. @returns it, if there is one */
  async write(filter: Where<QuotaDocument>, pipeline: Pipeline): Promise<QuotaDocument | undefined> {
    const { quotas } = this.sources.collections;
    const send = (): Promise<QuotaDocument | null> => quotas.findOneAndUpdate(filter, pipeline, { returnDocument: 'after' });
    const quota = await send().catch(async (error: unknown) => {
      if (error instanceof MongoServerError && (await quotas.repair(filter._id))) return send();
      throw error;
    });
    if (quota !== null) this.notice(quota);
    return quota ?? undefined;
  }

  /**
   * Like `write`, but in one command with the writes to other quotas in the same turn.
   * @returns the quota soon after, whether or not the filter matched
   */
  writeSoon(filter: QuotaWrite['filter'], pipeline: Pipeline): Promise<QuotaDocument | undefined> {
    return this.#writes.add({ filter, pipeline });
  }

  /** Reads all quotas again, and with them the pauses. */
  async refresh(): Promise<void> {
    const { control, quotas } = this.sources.collections;
    const paused: readonly Stage[] = [{ $match: { _id: 'paused' } }, { $project: { _id: 0, control: '$$ROOT' } }];
    const read = await quotas.aggregate<QuotaDocument | { readonly control: ControlDocument }>([
      { $unionWith: { coll: control.collectionName, pipeline: paused } },
    ]);
    const found = new Map(read.flatMap((document) => ('control' in document ? [] : [[document._id, document]])));
    for (const document of read) if ('control' in document) this.sources.onControl(document.control);
    const isNew = [...found.keys()].some((name) => !this.#book.has(name));
    const order = isNew ? (await control.findOne({ _id: 'quotas' }))?.names : undefined;
    // None is left out, even if its document is damaged.
    const names = new Set<unknown>([...(Array.isArray(order) ? order : []), ...found.keys()]);
    for (const name of names) {
      const quota = found.get(String(name));
      if (quota !== undefined) this.notice(quota);
    }
  }

  /** Hears that a quota has changed. @returns whether more of it is free than before, as far as is known */
  async hear(name: string, heard: QuotaDocument | undefined, revision: number | undefined): Promise<boolean> {
    const before = this.#seen.get(name);
    if (revision !== undefined && revision <= (before?.revision ?? -1)) return false;
    const quota = heard ?? (await this.#reads.add(name));
    if (quota === undefined) return false;
    this.notice(quota);
    return before === undefined || roomOf(quota) > roomOf(before) || unclaimed(quota) > unclaimed(before);
  }

  notice(quota: QuotaDocument): void {
    const before = this.#seen.get(quota._id);
    if ((quota.revision ?? 0) < (before?.revision ?? 0)) return;
    this.#seen.set(quota._id, quota);
    this.#book.set(quota._id, quota.size);
    if (before !== undefined && before.size !== quota.size) this.sources.onSized();
  }

  /** These of the quotas, in their lock order. */
  inLockOrder(names: readonly string[]): readonly string[] {
    if (names.length < 2) return names;
    return [...this.#book.keys()].filter((name) => names.includes(name));
  }

  /** How many places nobody holds, and nobody who comes first has waited for long; of a quota that was never seen, any number. */
  roomFor(dispatcher: string, name: string): number {
    const quota = this.#seen.get(name);
    if (quota === undefined) return Number.POSITIVE_INFINITY;
    const now = this.sources.time.estimate().getTime();
    const place = quota.waiting.findIndex(({ dispatcher: by }) => by === dispatcher);
    return quota.waiting
      .slice(0, place < 0 ? undefined : place)
      .filter(({ since, until }) => until.getTime() > now && since.getTime() <= now - SAVES_AFTER_MS)
      .reduce((room, { places }) => room - places, roomOf(quota));
  }

  /** How many places are held beyond its size, since it was made smaller. */
  excessOf(name: string): number {
    const quota = this.#seen.get(name);
    return quota === undefined ? 0 : Math.max(0, -roomOf(quota));
  }

  /** Whether a dispatcher is noted as one that waits so, and will be for a while. */
  isWaiting(dispatcher: string, name: string, wait: Wait): boolean {
    const soon = new Date(this.sources.time.estimate().getTime() + RENEWED_MS);
    const isSo = (n: number): boolean => (wait === 'lacking' ? n > 0 : n <= 0);
    return (
      this.#seen.get(name)?.waiting.some(({ dispatcher: by, places, until }) => by === dispatcher && until > soon && isSo(places)) === true
    );
  }

  /** Whether a dispatcher is noted as one that waits for anything. */
  isNoted(dispatcher: string, name: string): boolean {
    return this.#doWait(name, ({ dispatcher: by }) => by === dispatcher);
  }

  /** Whether other dispatchers lack places. */
  doOthersWait(dispatcher: string, name: string): boolean {
    return this.#doWait(name, ({ dispatcher: by, places }) => by !== dispatcher && places > 0);
  }

  /** Whether other dispatchers could use more places, at least those that are idle. */
  couldOthersUse(dispatcher: string, name: string): boolean {
    return this.#doWait(name, ({ dispatcher: by }) => by !== dispatcher);
  }

  /** Whether other dispatchers hold places, which may be idle. */
  doOthersHold(dispatcher: string, name: string): boolean {
    return (
      this.#seen.get(name)?.holders.some((holder) => !isHeld(holder) && holder.dispatcher !== dispatcher && holder.places > 0) === true
    );
  }

  /** By quota: the places that jobs hold in their own names. */
  get held(): readonly { readonly name: string; readonly held: Reservation }[] {
    return [...this.#seen.values()].flatMap(({ _id, holders }) => holders.filter(isHeld).map((held) => ({ name: _id, held })));
  }

  /** Those that hold places or wait for some. */
  get dispatchers(): ReadonlySet<string> {
    const all = [...this.#seen.values()].flatMap(({ holders, waiting }) => [
      ...holders.flatMap((holder) => (isHeld(holder) ? [] : [holder.dispatcher])),
      ...waiting.map(({ dispatcher: by }) => by),
    ]);
    return new Set(all);
  }

  /** How many places a job holds in its own name. */
  heldBy(job: string): Places {
    return Object.fromEntries(this.held.filter(({ held }) => held.job === job).map(({ name, held }) => [name, held.places]));
  }

  async #writeAll(writes: readonly QuotaWrite[]): Promise<readonly (QuotaDocument | undefined)[]> {
    const [first] = writes;
    if (first === undefined) return [];
    if (writes.length === 1) return [await this.write(first.filter, first.pipeline)];
    try {
      await this.sources.collections.quotas.updateEach(writes.map(({ filter, pipeline }) => ({ filter, update: pipeline })));
    } catch (error) {
      if (!(error instanceof MongoServerError)) throw error;
      // One of them may be damaged; writes that have been done are not repeated.
      return Promise.all(writes.map((one) => this.write(one.filter, one.pipeline)));
    }
    const found = await this.#readAll(writes.map(({ filter }) => filter._id));
    for (const quota of found) if (quota !== undefined) this.notice(quota);
    return found;
  }

  async #readAll(names: readonly string[]): Promise<readonly (QuotaDocument | undefined)[]> {
    const found = await this.sources.collections.quotas.find({ _id: { $in: [...new Set(names)] } });
    const byName = new Map(found.map((quota) => [quota._id, quota]));
    return names.map((name) => byName.get(name));
  }

  #doWait(name: string, are: (waiting: WaitingDispatcher) => boolean): boolean {
    const now = this.sources.time.estimate();
    return this.#seen.get(name)?.waiting.some((waiting) => waiting.until > now && are(waiting)) === true;
  }
}

/** How many places nobody holds or waits for. */
function unclaimed(quota: QuotaDocument): number {
  return quota.waiting.reduce((room, { places }) => room - places, roomOf(quota));
}
