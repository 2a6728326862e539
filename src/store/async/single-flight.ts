/** Runs work that is the same for all who ask for it: one run at a time of each name, and one more for those who ask meanwhile. */

interface Runs {
  /** Under way: its data may be old already. */
  current: Promise<void> | undefined;
  /** Has not begun, so that it will see everything that was done before it was asked for. */
  next: Promise<void> | undefined;
}

export class SingleFlight {
  readonly #runs = new Map<string, Runs>();

  /** Resolves when a run that began after the call has ended. */
  run(name: string, work: () => Promise<void>): Promise<void> {
    const runs = this.#runs.get(name) ?? { current: undefined, next: undefined };
    this.#runs.set(name, runs);
    runs.next ??= this.#after(name, runs, work);
    return runs.next;
  }

  async #after(name: string, runs: Runs, work: () => Promise<void>): Promise<void> {
    // Calls of the same turn share the run.
    await (runs.current?.catch(() => undefined) ?? Promise.resolve());
    runs.current = runs.next;
    runs.next = undefined;
    try {
      await work();
    } finally {
      runs.current = undefined;
      if (runs.next === undefined) this.#runs.delete(name);
    }
  }
}
