/** Repeats a failed call until it succeeds; a process that dies before leaves an owner in the documents. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../clock.js';

const AGAIN_MS = 1_000;

export interface BackgroundRetrySources {
  readonly clock: Clock;
  /** Is called with work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class BackgroundRetry {
  readonly #waiting = new Set<Subscription>();
  #isClosed = false;

  constructor(private readonly sources: BackgroundRetrySources) {}

  /** Does it now; a failed call is repeated after a while, and the failure is not reported. @param work - may be done twice */
  async run(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch {
      this.schedule(work);
    }
  }

  /** Does it after a while. */
  schedule(work: () => Promise<unknown>): void {
    if (this.#isClosed) return;
    const waiting = timer(AGAIN_MS, this.sources.clock.scheduler).subscribe(() => {
      this.#waiting.delete(waiting);
      this.sources.onBackground(this.run(work));
    });
    this.#waiting.add(waiting);
  }

  /** From now on nothing is done again. */
  close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting) waiting.unsubscribe();
    this.#waiting.clear();
  }
}
