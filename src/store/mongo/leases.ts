/** Which dispatchers are alive: each renews its lease by one document, and by the server's time alone. */

import type { Collections } from './collections.js';
import type { DispatcherDocument } from './documents.js';
import type { ServerTime } from './server-time.js';

/** Added to a lease before others may act on its end. */
const GRACE_MS = 5_000;

export class Leases {
  /** The leases of this process, as the server answered last. */
  readonly #own = new Map<string, DispatcherDocument>();

  constructor(
    private readonly collections: Collections,
    private readonly time: ServerTime,
  ) {}

  /** Renews; a lease of 0 ms is given up. @returns `false` when others took over */
  async renew(dispatcher: string, leaseMs: number): Promise<boolean> {
    if (leaseMs === 0) {
      this.#own.delete(dispatcher);
      await this.collections.dispatchers.deleteOne({ _id: dispatcher });
      return true;
    }
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
    for (const { _id } of await this.collections.dispatchers.find(over).toArray()) {
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

  /** Forgets one whose jobs and places have all been taken back; what it would still send is fenced. */
  async buried(dispatcher: string): Promise<void> {
    await this.collections.dispatchers.updateOne({ _id: dispatcher, state: 'dead' }, [
      { $set: { leaseUntil: { $literal: new Date(8.64e15) } } },
    ]);
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
