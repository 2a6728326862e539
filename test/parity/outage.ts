/** An outage of the database as long as a test says: in calls, or until it ends it. */

export class Outage {
  refused = 0;
  #left = 0;

  /** From now on `calls` calls are refused. */
  begin(calls = Number.POSITIVE_INFINITY): void {
    this.#left = calls;
  }

  end(): void {
    this.#left = 0;
  }

  /** A method of a store that the outage is about; a call that is refused has no effect. */
  of<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      if (this.#left <= 0) return call(...args);
      this.#left--;
      this.refused++;
      throw new Error('the database cannot be reached');
    };
  }
}
