/** The only file of the stand-in that reads time or sets a timer: a server's clock, which may be off. */

export interface Timer {
  cancel(): void;
}

export class ServerClock {
  /** How far this server's clock is off, in milliseconds; monotonic time and timers are not affected. */
  offsetMs = 0;
  /** Where the time comes from. */
  source: () => number = Date.now;
  readonly #timers = new Set<NodeJS.Timeout>();

  /** Milliseconds since the epoch, as this server believes. */
  now(): number {
    return this.source() + this.offsetMs;
  }

  /** Milliseconds that only ever grow, for durations. */
  monotonic(): number {
    return performance.now();
  }

  /** Calls `act` once after `ms`, unless cancelled or stopped before. */
  after(ms: number, act: () => void): Timer {
    const handle = setTimeout(
      () => {
        this.#timers.delete(handle);
        act();
      },
      Math.min(Math.max(ms, 0), 2 ** 31 - 1),
    );
    this.#timers.add(handle);
    return {
      cancel: () => {
        clearTimeout(handle);
        this.#timers.delete(handle);
      },
    };
  }

  /** A time limit of the server, such as that of an open transaction: calls `act` after `ms` of its time, unless cancelled before. */
  limit: (ms: number, act: () => void) => Timer = (ms, act) => this.after(ms, act);

  /** Lets the event loop do what is waiting: other connections are served between two steps of a long command. */
  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Cancels every timer that has not fired. */
  stop(): void {
    for (const handle of this.#timers) clearTimeout(handle);
    this.#timers.clear();
  }
}
