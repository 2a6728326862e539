/** Whether the store can be reached: told when it changes, not with each failure. */

export interface ConnectionNews {
  readonly onLost: (error: unknown) => void;
  readonly onBack: () => void;
}

export class ConnectionMonitor {
  /** What was tried last in vain. */
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

  /** What failed is not tried again: the next success of anything is enough. */
  forget(): void {
    this.#failing.clear();
  }
}
