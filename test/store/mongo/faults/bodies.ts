/** The code of the scenario's tasks: they take virtual time, and record which jobs run at the same time. */

import { currentTask } from '../../../../src/index.js';
import type { VirtualClock } from '../../../../src/testing/virtual-clock.js';

/** The sizes of the scenario's quotas. */
export const SIZES = { default: 1, pair: 2 } as const;
type Quota = keyof typeof SIZES;

interface Runner {
  readonly signal: AbortSignal;
  readonly places: Readonly<Partial<Record<Quota, number>>>;
  /** All that run for one holder count once. */
  readonly holder: string;
}

export class Bodies {
  readonly #runs = new Map<string, number>();
  readonly #running = new Set<Runner>();
  readonly excesses: string[] = [];

  constructor(private readonly clock: VirtualClock) {}

  /** How often the code of a job was begun. */
  runsOf(id: string): number {
    return this.#runs.get(id) ?? 0;
  }

  /** Runs for `ms` milliseconds, unless it is aborted. */
  async run(ms: number, places: Runner['places'] = {}, holder?: string): Promise<void> {
    const { job, signal } = currentTask();
    this.#runs.set(job.id, this.runsOf(job.id) + 1);
    const runner = { signal, places, holder: holder ?? job.id };
    this.#running.add(runner);
    this.#check(job.taskName);
    try {
      if (ms > 0) await this.#last(ms, signal);
    } finally {
      this.#running.delete(runner);
    }
  }

  #last(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.scheduler.schedule(() => resolve(), ms);
      const abort = (): void => {
        timer.unsubscribe();
        reject(signal.reason);
      };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort);
    });
  }

  /** An attempt whose signal is aborted has no place any more. */
  #check(taskName: string): void {
    for (const quota of ['default', 'pair'] as const) {
      const holders = new Map<string, number>();
      for (const { signal, places, holder } of this.#running) if (!signal.aborted) holders.set(holder, places[quota] ?? 0);
      const taken = [...holders.values()].reduce((sum, n) => sum + n, 0);
      if (taken > SIZES[quota]) this.excesses.push(`${taken} of ${SIZES[quota]} places of ${quota} were taken when ${taskName} began`);
    }
  }
}
