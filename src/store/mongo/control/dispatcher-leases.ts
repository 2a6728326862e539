/** Which dispatchers are alive: each renews its lease by one document, and by the server's time alone. */

import { GRACE_MS, isHeld, isOver, mayDeclareDead } from '../../lease-rule.js';
import type { AgentInfo } from '../../store-insight.js';
import { type Expression, type Fields, literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Collections } from '../schema/collections.js';
import type { DispatcherDocument } from '../schema/documents.js';

/** The lease of one that is buried: nobody has to look at it again. */
const NEVER = new Date(8.64e15);
/** Longer than any command may be under way. */
const REMEMBERED_MS = 86_400_000;

export interface DispatcherCensus {
  readonly known: ReadonlySet<string>;
  readonly living: readonly string[];
  readonly dead: readonly string[];
}

export class DispatcherLeases {
  /** The leases of this process, as the server answered last. */
  readonly #own = new Map<string, DispatcherDocument>();
  /** The last change of pauses that the dispatchers of this process follow. */
  #pauseRevision = 0;

  /** @param beforeLife - awaited when a lease is there, before anybody who was not alive counts as alive by it */
  constructor(
    private readonly collections: Collections,
    private readonly time: ServerTime,
    private readonly beforeLife: () => Promise<void>,
  ) {}

  /** Renews; a lease of 0 ms is given up. @returns `false` when others took over */
  async renew(dispatcher: string, leaseMs: number, agents: readonly AgentInfo[] = []): Promise<boolean> {
    if (leaseMs === 0) return this.#giveUp(dispatcher);
    const sentAt = this.time.moment;
    const renewed = await this.#renew(dispatcher, leaseMs, this.#own.has(dispatcher) ? [] : agents);
    if (renewed === undefined || renewed.state === 'dead') {
      this.#own.delete(dispatcher);
      return false;
    }
    this.time.learn(new Date(renewed.leaseUntil.getTime() - leaseMs), sentAt);
    const isNew = !this.isAlive(dispatcher);
    // A pause that was made before this lease existed did not wait for it.
    if (isNew) await this.beforeLife();
    this.#own.set(dispatcher, renewed);
    if (isNew && (renewed.pauseRevision ?? 0) < this.#pauseRevision) await this.acknowledgePause(this.#pauseRevision);
    return true;
  }

  /** From now on the dispatchers of this process follow a change of pauses. */
  async acknowledgePause(revision: number): Promise<void> {
    this.#pauseRevision = Math.max(this.#pauseRevision, revision);
    const late = {
      _id: { $in: [...this.#own.keys()] },
      $or: [{ pauseRevision: { $lt: revision } }, { pauseRevision: { $exists: false } }],
    };
    await this.collections.dispatchers.updateMany(late, { $set: { pauseRevision: revision } });
  }

  /** The condition that a dispatcher's lease still holds when the server executes a command; `undefined` for one without a lease. */
  fence(dispatcher: string): Expression | undefined {
    const lease = this.#own.get(dispatcher);
    return lease === undefined ? undefined : { $lt: [this.time.now, literal(lease.leaseUntil)] };
  }

  /** Whether it seems to be alive; the fence decides. */
  isAlive(dispatcher: string): boolean {
    return isHeld(this.#own.get(dispatcher), this.time.estimate());
  }

  /** All that may hold jobs or places: alive, or dead and not buried yet; the living; and those that are dead by now. */
  async roster(by: string): Promise<DispatcherCensus> {
    const found = await this.collections.dispatchers.find({ leaseUntil: { $not: { $gte: NEVER } } });
    const dead = new Set<string>();
    const now = this.time.estimate();
    if (mayDeclareDead(this.#own.get(by), now))
      for (const lease of found) if (isOver(lease, now) && (await this.#declareDead(lease._id, by))) dead.add(lease._id);
    const living = found.filter(({ _id, state }) => state === 'alive' && !dead.has(_id)).map(({ _id }) => _id);
    return { known: new Set(found.map(({ _id }) => _id)), living, dead: [...dead] };
  }

  /** So that others leave it to this one, for the length of its lease. */
  async #declareDead(dispatcher: string, by: string): Promise<boolean> {
    const over: { $expr: Expression } = { $expr: { $gt: [this.time.now, { $add: ['$leaseUntil', GRACE_MS] }] } };
    const leaseMs = this.#own.get(by)?.leaseMs ?? 0;
    const declared = await this.collections.dispatchers.updateOne({ _id: dispatcher, ...over }, [
      { $set: { state: 'dead', leaseUntil: this.time.after(leaseMs) } },
    ]);
    if (declared.modifiedCount > 0) this.#own.delete(dispatcher);
    return declared.modifiedCount > 0;
  }

  /** Jobs and places have all been taken back. Its document stays for a while, so that a late heartbeat restores nothing. */
  async buried(dispatcher: string): Promise<void> {
    await this.collections.dispatchers.updateOne({ _id: dispatcher, state: 'dead' }, [
      { $set: { leaseUntil: NEVER, expireAt: this.time.after(REMEMBERED_MS) } },
    ]);
  }

  /** If it cannot release its jobs and places, the next round of another dispatcher does. */
  async #giveUp(dispatcher: string): Promise<true> {
    this.#own.delete(dispatcher);
    const over: Fields = { state: 'dead', leaseUntil: { $subtract: [this.time.now, GRACE_MS + 1] } };
    await this.collections.dispatchers.updateOne({ _id: dispatcher }, [{ $set: over }]);
    return true;
  }

  async #renew(dispatcher: string, leaseMs: number, agents: readonly AgentInfo[]): Promise<DispatcherDocument | undefined> {
    const isAlive: Expression = { $ne: ['$state', 'dead'] };
    const wasHeld: Expression = { $and: [{ $eq: [{ $type: '$since' }, 'date'] }, { $gte: ['$leaseUntil', this.time.now] }] };
    const lease: Fields = {
      state: { $ifNull: ['$state', 'alive'] },
      leaseMs,
      ...(agents.length === 0 ? {} : { agents: literal(agents) }),
      ...(this.#pauseRevision === 0 ? {} : { pauseRevision: this.#pauseRevision }),
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
