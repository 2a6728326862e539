/** The work that faults meet: jobs of every kind, whose code notes when one of them runs twice at the same time. */

import { currentTask, type Draft, exponential, makeJob, parallel, serial, task } from '../../src/index.js';

const WORK_MS = 40;
const OFTEN = { attempts: 1_000, interruptions: 1_000, retries: 'any' } as const;
const LATER = { ...OFTEN, delayMs: 100 } as const;

/** The sizes of the quotas. */
export const SIZES = { default: 1, pair: 2 } as const;

export class Work {
  /** Events that must not have happened. */
  readonly problems: string[] = [];
  readonly #running = new Map<string, AbortSignal>();
  readonly #runs = new Map<string, number>();

  /** @param wait - waits for a number of milliseconds */
  constructor(private readonly wait: (ms: number) => Promise<void>) {}

  readonly #plain = task('plain', { quotas: [], retry: LATER }, () => this.#once());
  readonly #one = task('one', { retry: LATER }, () => this.#once());
  readonly #heavy = task('heavy', { quotas: { pair: 2 }, retry: LATER }, () => this.#once());
  readonly #light = task('light', { quotas: ['pair'], retry: LATER, timeoutMs: 60_000 }, () => this.#once());
  readonly #atOnce = task('at once', { quotas: [], retry: { ...OFTEN, delayMs: 0 } }, () => this.#failing(3));
  readonly #soon = task('soon', { quotas: ['pair'], retry: { ...OFTEN, delayMs: 50 } }, () => this.#failing(2));
  readonly #throws = task(
    'throws',
    {
      quotas: [],
      transactional: true,
      retry: { ...exponential({ attempts: 5, firstMs: 50, maxMs: 2_000 }), interruptions: 1_000 },
      failureLogLevel: 'none',
    },
    () => {
      this.#began();
      throw new RangeError('at once');
    },
  );
  readonly #pays = task('pays', { quotas: [], transactional: true, retry: LATER }, () => this.#once());
  readonly #returns = task('returns', { quotas: [], retry: LATER }, async () => {
    await this.#once();
    return makeJob(this.#plain);
  });

  get tasks() {
    return [this.#plain, this.#one, this.#heavy, this.#light, this.#atOnce, this.#soon, this.#throws, this.#pays, this.#returns];
  }

  /** A number of copies of each kind. */
  drafts(copies: number): readonly Draft<unknown>[] {
    const [plain, one] = [makeJob(this.#plain), makeJob(this.#one)];
    return Array.from({ length: copies }, () => [
      plain,
      one,
      makeJob(this.#heavy),
      makeJob(this.#light),
      makeJob(this.#atOnce),
      makeJob(this.#soon),
      makeJob(this.#throws),
      makeJob(this.#pays),
      makeJob(this.#returns),
      plain.with({ delayMs: 2_000 }).withCallback(this.#plain),
      serial(plain, makeJob(this.#throws), plain).with({ quotas: [] }),
      parallel(plain, makeJob(this.#atOnce), plain).with({ quotas: { pair: 1 } }),
    ]).flat();
  }

  /** How often the code of a job was begun. */
  runsOf(id: string): number {
    return this.#runs.get(id) ?? 0;
  }

  /** How all jobs of a task end. */
  endOf(taskName: string): 'failed' | 'completed' {
    return taskName === 'throws' ? 'failed' : 'completed';
  }

  isTransactional(taskName: string): boolean {
    return ['throws', 'pays'].includes(taskName);
  }

  #began(): void {
    const { id } = currentTask().job;
    this.#runs.set(id, this.runsOf(id) + 1);
  }

  async #once(): Promise<void> {
    const { job, signal } = currentTask();
    this.#began();
    const other = this.#running.get(job.id);
    if (other !== undefined && !other.aborted) this.problems.push(`job ${job.id} (${job.taskName}) ran twice at the same time`);
    this.#running.set(job.id, signal);
    await this.wait(WORK_MS);
    if (this.#running.get(job.id) === signal) this.#running.delete(job.id);
  }

  async #failing(times: number): Promise<void> {
    await this.#once();
    if (this.runsOf(currentTask().job.id) <= times) throw new Error('not yet');
  }
}
