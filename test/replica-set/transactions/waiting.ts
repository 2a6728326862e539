/** Where commands wait for something to become true: a majority point, the end of a transaction, a change. */

import type { ServerClock, Timer } from '../server-clock.js';

interface Waiter {
  isDone(): boolean;
  end(outcome: boolean): void;
  fail(error: Error): void;
}

export interface WaitOptions {
  /** Gives up after this time. */
  readonly timeoutMs?: number | undefined;
  /** Something that makes it pointless to wait: the error to fail with. */
  readonly interruption?: (() => Error | undefined) | undefined;
}

export class Waiting {
  readonly #clock: ServerClock;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  /** Resolves to true when `isDone`, to false when the time is over. */
  until(isDone: () => boolean, { timeoutMs, interruption }: WaitOptions = {}): Promise<boolean> {
    if (isDone()) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const settle = (act: () => void): void => {
        timer?.cancel();
        this.#waiters.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        isDone: () => {
          const error = interruption?.();
          if (error !== undefined) settle(() => reject(error));
          return error === undefined && isDone();
        },
        end: (outcome) => settle(() => resolve(outcome)),
        fail: (error) => settle(() => reject(error)),
      };
      this.#waiters.add(waiter);
      if (timeoutMs !== undefined && Number.isFinite(timeoutMs)) timer = this.#clock.after(timeoutMs, () => waiter.end(false));
      this.check();
    });
  }

  /** Something changed: whoever waited for it goes on. */
  check(): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of [...this.#waiters]) {
      if (waiter.isDone()) waiter.end(true);
    }
  }

  /** Nobody waits any longer. */
  stop(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.fail(error);
  }

  get size(): number {
    return this.#waiters.size;
  }
}
