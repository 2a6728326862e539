/** The set's time: what is applied, what is majority-committed, and which old versions somebody may still look at. */

import { type OpTime, tickAfter } from '../oplog/op-time.js';
import type { ServerClock } from '../server-clock.js';
import type { Collection } from './collection.js';
import type { Stored } from './stored.js';

interface Superseded {
  readonly collection: Collection;
  readonly stored: Stored;
  readonly at: OpTime;
}

export class History {
  readonly #clock: ServerClock;
  readonly #pins = new Map<object, OpTime>();
  #applied: OpTime;
  #held: OpTime | undefined;
  #superseded: Superseded[] = [];
  #pruned = 0;
  #undo: (() => void)[] = [];

  constructor(clock: ServerClock) {
    this.#clock = clock;
    this.#applied = tickAfter(0, clock.now());
  }

  /** The last time that was given out; everything up to it is applied. */
  get applied(): OpTime {
    return this.#applied;
  }

  /** Everything up to this time is majority-committed. */
  get majority(): OpTime {
    return this.#held ?? this.#applied;
  }

  get isMajorityHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Gives out the next time. */
  tick(): OpTime {
    this.#applied = tickAfter(this.#applied, this.#clock.now());
    return this.#applied;
  }

  /** Moves time on to what a client has seen elsewhere. */
  advanceTo(time: OpTime): void {
    this.#applied = Math.max(this.#applied, time);
  }

  holdMajority(): void {
    this.#held ??= this.#applied;
  }

  releaseMajority(): void {
    this.#held = undefined;
    this.#undo = [];
    this.prune();
  }

  /** Remembers how to undo what is not majority-committed. */
  whenRolledBack(undo: () => void): void {
    if (this.#held !== undefined) this.#undo.push(undo);
  }

  /** Undoes everything after the majority point, latest first. */
  rollBack(): void {
    const undo = this.#undo.toReversed();
    this.#undo = [];
    for (const act of undo) act();
    this.releaseMajority();
  }

  /** Keeps what can be seen at `time` until `unpin`. */
  pin(by: object, time: OpTime): void {
    this.#pins.set(by, time);
  }

  unpin(by: object): void {
    if (this.#pins.delete(by)) this.prune();
  }

  /** A version has been superseded at `at`; it goes now, or when nobody can look at it any more. */
  supersede(collection: Collection, stored: Stored, at: OpTime): void {
    if (this.#pins.size === 0 && this.#held === undefined) collection.forgetBefore(stored, at);
    else this.#superseded.push({ collection, stored, at });
  }

  prune(): void {
    const { oldest } = this;
    let next = this.#superseded[this.#pruned];
    while (next !== undefined && next.at <= oldest) {
      next.collection.forgetBefore(next.stored, oldest);
      this.#pruned++;
      next = this.#superseded[this.#pruned];
    }
    if (this.#pruned * 2 > this.#superseded.length) {
      this.#superseded = this.#superseded.slice(this.#pruned);
      this.#pruned = 0;
    }
  }

  /** Nothing that could be seen before this time is kept. */
  get oldest(): OpTime {
    let oldest = this.majority;
    for (const time of this.#pins.values()) oldest = Math.min(oldest, time);
    return oldest;
  }

  /** The versions that wait to be forgotten; for tests of memory. */
  get waiting(): number {
    return this.#superseded.length - this.#pruned;
  }
}
