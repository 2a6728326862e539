/** A point in logical time that comes after another one, as soon as its server is. */

import type { OpTime } from '../oplog/op-time.js';
import type { Later } from '../timing.js';

export class TrailingPoint {
  #at: OpTime;
  /** How far the other one has come. */
  #goal: OpTime;
  #isUnderWay = false;

  constructor(
    start: OpTime,
    private readonly later: Later,
    private readonly onMoved: (at: OpTime) => void = () => {},
  ) {
    this.#at = start;
    this.#goal = start;
  }

  get at(): OpTime {
    return this.#at;
  }

  /** The other one has come so far, and this one follows. */
  follow(goal: OpTime): void {
    this.#goal = Math.max(goal, this.#goal);
    if (this.#isUnderWay || this.#goal <= this.#at) return;
    const step = this.#goal;
    this.#isUnderWay = true;
    // One step at a time: what comes meanwhile is in the next one, so that nothing is early.
    this.later(() => {
      this.#isUnderWay = false;
      this.reach(step);
      this.follow(this.#goal);
    });
  }

  /** It is there at once. */
  reach(time: OpTime): void {
    if (time <= this.#at) return;
    this.#at = time;
    this.onMoved(time);
  }
}
