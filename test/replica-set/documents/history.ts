/** The set's time: what is applied, what is majority-committed, what is told, and which old versions somebody may still look at. */

import { type OpTime, tickAfter } from '../oplog/op-time.js';
import type { ServerClock } from '../server-clock.js';
import type { Later } from '../timing.js';
import type { Collection } from './collection.js';
import type { Stored } from './stored.js';
import { TrailingPoint } from './trailing-point.js';

interface Superseded {
  readonly collection: Collection;
  readonly stored: Stored;
  readonly at: OpTime;
}

export class History {
  readonly #clock: ServerClock;
  readonly #pins = new Map<object, OpTime>();
  readonly #majority: TrailingPoint;
  readonly #told: TrailingPoint;
  #applied: OpTime;
  #isHeld = false;
  #superseded: Superseded[] = [];
  #pruned = 0;
  #undo: (() => void)[] = [];

  /** @param later - how soon the majority has what is applied, and streams tell what the majority has */
  constructor(clock: ServerClock, later: Later) {
    this.#clock = clock;
    this.#applied = tickAfter(0, clock.now());
    this.#told = new TrailingPoint(this.#applied, later);
    this.#majority = new TrailingPoint(this.#applied, later, (at) => {
      this.prune();
      this.#told.follow(at);
    });
  }

  /** The last time that was given out; everything up to it is applied. */
  get applied(): OpTime {
    return this.#applied;
  }

  /** Everything up to this time is majority-committed. */
  get majority(): OpTime {
    return this.#majority.at;
  }

  /** Streams show everything up to this time. */
  get told(): OpTime {
    return this.#told.at;
  }

  get isMajorityHeld(): boolean {
    return this.#isHeld;
  }

  /** Gives out the next time. */
  tick(): OpTime {
    this.advanceTo(tickAfter(this.#applied, this.#clock.now()));
    return this.#applied;
  }

  /** Moves time forward to a time that a client has seen elsewhere. */
  advanceTo(time: OpTime): void {
    this.#applied = Math.max(this.#applied, time);
    if (!this.#isHeld) this.#majority.follow(this.#applied);
  }

  /** The majority has everything that is applied, unless that is held. */
  confirm(): void {
    if (!this.#isHeld) this.#majority.reach(this.#applied);
  }

  /** Nothing that is applied from now on is majority-committed. */
  holdMajority(): void {
    this.confirm();
    this.#isHeld = true;
  }

  releaseMajority(): void {
    this.#isHeld = false;
    this.#undo = [];
    this.confirm();
  }

  /** Remembers how to undo what is not majority-committed. */
  whenRolledBack(undo: () => void): void {
    if (this.#isHeld) this.#undo.push(undo);
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
    if (this.oldest >= at) collection.forgetBefore(stored, at);
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
