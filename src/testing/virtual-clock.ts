/** A clock that stands still until it is moved. */

import { VirtualAction, VirtualTimeScheduler } from 'rxjs';
import { checkOption, is } from '../check.js';
import { type Clock, nextTurn } from '../clock.js';

/** Where virtual time begins unless told otherwise. */
const EPOCH = Date.UTC(2030, 0, 1);

/** Time that only `advance` moves; `scheduler` is an RxJS scheduler, for operators in the application's own streams. */
export class VirtualClock implements Clock {
  /** One after the other: two that were under way at once would move time back. */
  #advancing: Promise<void> = Promise.resolve();
  readonly scheduler = new VirtualTimeScheduler(VirtualAction, 0);

  constructor(startAt: Date = new Date(EPOCH)) {
    this.scheduler.frame = startAt.getTime();
  }

  now(): number {
    return this.scheduler.frame;
  }

  /** A turn takes no time, so it is a real one. */
  turn(): ReturnType<typeof nextTurn> {
    return nextTurn();
  }

  /**
   * Moves time forward, stopping at each moment something was scheduled for.
   * @param ms - milliseconds
   * @param settle - waits, at each stop, until everything has been done that the moment brings
   * @throws OptionError
   */
  async advance(ms: number, settle: () => Promise<void>): Promise<void> {
    checkOption('`advance`', 'ms', ms, is.durationMs);
    const before = this.#advancing;
    const own = before.then(() => this.#advance(ms, settle));
    this.#advancing = own.catch(() => undefined);
    await own;
  }

  async #advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const until = this.now() + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next <= until; next = this.#next()) {
      this.scheduler.maxFrames = next;
      this.scheduler.flush();
      await settle();
    }
    this.scheduler.frame = until;
  }

  /** When the earliest action is due. */
  #next(): number | undefined {
    let earliest: number | undefined;
    for (const { delay } of this.scheduler.actions as unknown as readonly { readonly delay: number }[]) {
      if (earliest === undefined || delay < earliest) earliest = delay;
    }
    return earliest;
  }
}
