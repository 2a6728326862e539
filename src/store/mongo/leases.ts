/** Which dispatchers are alive: each renews its lease by one document, and by the server's time alone. */

import type { Collections } from './collections.js';
import type { DispatcherDocument } from './documents.js';
import type { ServerTime } from './server-time.js';

/** Added to a lease before others may act on its end. */
const GRACE_MS = 5_000;
/** The lease of one that is buried: nobody has to look at it again. */
const NEVER = new Date(8.64e15);
/** Longer than any command may be under way. */
const REMEMBERED_MS = 86_400_000;

export class Leases {
  /** The leases of this process, as the server answered last. */
  readonly #own = new Map<string, DispatcherDocument>();

  constructor(
    private readonly collections: Collections,
    private readonly time: ServerTime,
  ) {}

  /** Renews; a lease of 0 ms is given up. @returns `false` when others took over */
  async renew(dispatcher: string, leaseMs: number): Promise<boolean> {
    if (leaseMs === 0) return this.#giveUp(dispatcher);
    const renewed = await this.#renew(dispatcher, leaseMs);
    if (renewed === undefined || renewed.state === 'dead') {
      this.#own.delete(dispatcher);
      return false;
    }
    this.#own.set(dispatcher, renewed);
    this.time.learn(new Date(renewed.leaseUntil.getTime() - leaseMs));
    return true;
  }

  /** The condition that a dispatcher's lease still holds when the server executes a command; `undefined` for one without a lease. */
  fence(dispatcher: string): object | undefined {
    const lease = this.#own.get(dispatcher);
    return lease === undefined ? undefined : { $lt: [this.time.now, { $literal: lease.leaseUntil }] };
  }

  /** Whether it seems to be alive; the fence decides. */
  isAlive(dispatcher: string): boolean {
    const lease = this.#own.get(dispatcher);
    return lease !== undefined && lease.leaseUntil > this.time.estimate();
  }

  /**
   * Declares dead whose lease is over. Only one whose own lease has been held for its whole length may:
   * after a pause of the database or of this process nobody has, and everybody gets the time to renew.
   */
  async declareDead(by: string): Promise<readonly string[]> {
    const own = this.#own.get(by);
    const now = this.time.estimate().getTime();
    if (own === undefined || own.leaseUntil.getTime() <= now || now - own.since.getTime() < own.leaseMs) return [];
    const over = { $expr: { $gt: [this.time.now, { $add: ['$leaseUntil', GRACE_MS] }] } };
    const dead: string[] = [];
    for (const { _id } of await this.collections.dispatchers.find(over)) {
      const declared = await this.collections.dispatchers.findOneAndUpdate(
        { _id, ...over },
        [{ $set: { state: 'dead', leaseUntil: this.time.after(own.leaseMs) } }],
        { returnDocument: 'after' },
      );
      if (declared === null) continue;
      this.#own.delete(_id);
      dead.push(_id);
    }
    return dead;
  }

  /** Jobs and places have all been taken back. Its document stays for a while, so that a late sign of life brings nothing back. */
  async buried(dispatcher: string): Promise<void> {
    await this.collections.dispatchers.updateOne({ _id: dispatcher, state: 'dead' }, [
      { $set: { leaseUntil: { $literal: NEVER }, expireAt: this.time.after(REMEMBERED_MS) } },
    ]);
  }

  /** All that may hold jobs or places: alive, or dead and not buried yet; and of these, the living. */
  async roster(): Promise<{ readonly known: ReadonlySet<string>; readonly living: readonly string[] }> {
    const found = await this.collections.dispatchers.find<Pick<DispatcherDocument, '_id' | 'state'>>(
      { leaseUntil: { $lt: NEVER } },
      { projection: { state: 1 } },
    );
    return { known: new Set(found.map(({ _id }) => _id)), living: found.flatMap(({ _id, state }) => (state === 'alive' ? [_id] : [])) };
  }

  /** Whoever looks next may take back what it holds, if it cannot do that itself. */
  async #giveUp(dispatcher: string): Promise<true> {
    this.#own.delete(dispatcher);
    const over = { state: { $literal: 'dead' }, leaseUntil: { $subtract: [this.time.now, GRACE_MS + 1] } };
    await this.collections.dispatchers.updateOne({ _id: dispatcher }, [{ $set: over }]);
    return true;
  }

  async #renew(dispatcher: string, leaseMs: number): Promise<DispatcherDocument | undefined> {
    const isAlive = { $ne: ['$state', 'dead'] };
    const wasHeld = { $and: [{ $eq: [{ $type: '$since' }, 'date'] }, { $gte: ['$leaseUntil', this.time.now] }] };
    const lease = {
      state: { $ifNull: ['$state', 'alive'] },
      leaseMs: { $literal: leaseMs },
      since: { $cond: [wasHeld, '$since', this.time.now] },
      leaseUntil: { $cond: [isAlive, this.time.after(leaseMs), '$leaseUntil'] },
    };
    const renewed = await this.collections.dispatchers.findOneAndUpdate({ _id: dispatcher }, [{ $set: lease }], {
      upsert: true,
      returnDocument: 'after',
    });
    return renewed ?? undefined;
  }
}
