/** Whether the store can be reached: reported when it changes, not with each failure. */

export interface ConnectionNews {
  readonly onLost: (error: unknown) => void;
  readonly onBack: () => void;
}

export class ConnectionMonitor {
  /** The attempts that failed last. */
  readonly #failing = new Set<string>();
  #isLost = false;

  constructor(private readonly news: ConnectionNews) {}

  failed(what: string, error: unknown): void {
    this.#failing.add(what);
    if (this.#isLost) return;
    this.#isLost = true;
    this.news.onLost(error);
  }

  worked(what: string): void {
    this.#failing.delete(what);
    if (!this.#isLost || this.#failing.size > 0) return;
    this.#isLost = false;
    this.news.onBack();
  }

  /** The same command need not succeed: the next success of any is enough. */
  forget(): void {
    this.#failing.clear();
  }
}
