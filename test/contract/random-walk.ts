/** A seeded random walk over the port, of any store: whatever is called in whatever order, the promises hold after every step. */

import { expect } from 'vitest';
import { expand } from '../../src/job/expand-plan.js';
import { JobIds } from '../../src/job/job-id.js';
import type { JobPlan } from '../../src/job/job-plan.js';
import type { JobRecord } from '../../src/job/job-record.js';
import { FINAL, isFinal } from '../../src/job/job-status.js';
import { Payload } from '../../src/job/payload.js';
import { placesOf } from '../../src/job/places.js';
import type { JobStore } from '../../src/store/job-store.js';
import type { AttemptKey } from '../../src/store/store-messages.js';
import type { StoreBench } from '../../src/testing/contract/index.js';
import { seededRandom } from '../../src/testing/index.js';

const TASKS = new Set(['a', 'b']);
const SIZES = new Map([
  ['default', 1],
  ['two', 2],
  ['five', 5],
]);
const SINGLE: readonly Readonly<Record<string, number>>[] = [{}, { default: 1 }, { two: 1 }];
const SEVERAL: readonly Readonly<Record<string, number>>[] = [{ five: 3 }, { two: 1, five: 2 }];
const NOTHING = Payload.of([], 'arguments');

class Walk {
  readonly store: JobStore;
  readonly #random: () => number;
  readonly #ids: JobIds;
  /** The places of jobs with several places, if all of them are in one lane. */
  readonly #several: Readonly<Record<string, number>>;
  /** Attempts that were claimed and have not been ended, with the places they hold. */
  readonly running = new Map<
    string,
    { readonly key: AttemptKey; readonly id: string; readonly places: Readonly<Record<string, number>> }
  >();
  readonly stale: AttemptKey[] = [];
  readonly claimedInLane = new Map<string, number>();

  constructor(
    private readonly bench: StoreBench,
    private readonly options: WalkOptions,
  ) {
    this.store = bench.store;
    this.#random = seededRandom(options.seed);
    this.#ids = new JobIds(this.#random);
    this.#several = this.pick(SEVERAL);
  }

  async begin(): Promise<void> {
    await this.store.start({ clock: this.bench.clock, quotas: SIZES });
    await this.store.heartbeat('d', 10 ** 9);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  plan(depth: number): JobPlan {
    const base = { args: NOTHING, input: 'none', steps: [], callbacks: [] } as const;
    const kind = depth < 2 && this.#random() < 0.3 ? this.pick(['serial', 'parallel'] as const) : 'task';
    const callbacks = this.#random() < 0.2 ? [{ both: { ...base, kind: 'task', taskName: 'b', options: {} } as JobPlan }] : [];
    if (kind !== 'task') {
      const fewest = this.options.isCompared === true ? 1 : 0;
      const steps = Array.from({ length: fewest + Math.floor(this.#random() * (4 - fewest)) }, () => this.plan(depth + 1));
      return {
        ...base,
        kind,
        taskName: kind,
        options: { places: {} },
        steps,
        callbacks,
        onFailure: this.pick(['continue', 'stop', 'fail']),
      };
    }
    const weights = this.pick([...SINGLE, ...SEVERAL]);
    const isOneLane = this.options.isCompared === true && SEVERAL.includes(weights);
    const places = placesOf(isOneLane ? this.#several : weights, 'a job');
    const delay = this.#random() < 0.1 ? { delayMs: 500 } : {};
    return {
      ...base,
      kind,
      taskName: isOneLane ? 'a' : this.pick(['a', 'b']),
      options: { places, priority: this.pick([0, 0, 1]), ...delay },
      callbacks,
    };
  }

  async insert(): Promise<void> {
    const context = { nextId: () => this.#ids.next(this.bench.clock.now()), book: SIZES, valueLimitBytes: 1_000 };
    await this.store.insert([expand(this.plan(0), context)]);
  }

  /** The effects of a claim, such as the end of a batch without work, may give jobs to the next one. */
  async claim(limit: number): Promise<number> {
    let sum = 0;
    for (let ended = -1, before = -2; ended > before && sum < limit; before = ended, ended = await this.store.count({ statuses: FINAL })) {
      for (let won = 1; won > 0 && sum < limit; sum += won) won = await this.#claim(limit - sum);
    }
    return sum;
  }

  async #claim(limit: number): Promise<number> {
    const claimed = await this.store.claim({ dispatcher: 'd', queue: '', taskVersions: TASKS, limit });
    expect(claimed.length).toBeLessThanOrEqual(limit);
    for (const { job, attempt } of claimed) {
      expect(this.running.has(job.id), `job ${job.id} is handed out once at a time`).toBe(false);
      this.running.set(job.id, { key: { id: job.id, token: attempt.token }, id: job.id, places: job.places });
    }
    await this.bench.settled();
    return claimed.length;
  }

  async end(): Promise<void> {
    const one = this.pick([...this.running.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
    if (one === undefined) return;
    this.stale.push(one.key);
    const verdict = this.#random();
    if (verdict < 0.15) {
      const [again] = await this.store.reschedule([{ ...one.key, delayMs: 0 }]);
      if (typeof again !== 'object') this.running.delete(one.id);
      else this.running.set(one.id, { ...one, key: { id: one.id, token: again.token } });
      return;
    }
    this.running.delete(one.id);
    if (verdict < 0.25) await this.store.reschedule([{ ...one.key, delayMs: 100 }]);
    else if (verdict < 0.35) await this.store.release([{ ...one.key, hasBegun: false }]);
    else if (verdict < 0.5)
      await this.store.settle([{ ...one.key, outcome: { status: 'failed', error: { name: 'Error', message: 'x' } } }]);
    else await this.store.settle([{ ...one.key, outcome: { status: 'completed', result: NOTHING } }]);
  }

  async cancel(): Promise<void> {
    const all = await this.store.find({});
    const jobs = this.options.isCompared === true ? all.filter(({ state }) => state.status !== 'blocked') : all;
    if (jobs.length > 0) await this.store.cancel([this.pick(jobs).job.id], 'walk');
  }

  async useStale(): Promise<void> {
    if (this.stale.length === 0) return;
    const key = this.pick(this.stale);
    const [before] = await this.store.find({ ids: [key.id] });
    expect(await this.store.settle([{ ...key, outcome: { status: 'cancelled', reason: 'stale' } }])).toEqual([false]);
    expect(await this.store.reschedule([{ ...key, delayMs: 0 }])).toEqual(['refused']);
    const [after] = await this.store.find({ ids: [key.id] });
    expect(after?.state).toEqual(before?.state);
  }

  check(): void {
    const used = new Map<string, number>();
    for (const { places } of this.running.values()) {
      for (const [name, weight] of Object.entries(places)) used.set(name, (used.get(name) ?? 0) + weight);
    }
    for (const [name, count] of used) expect(count, `places of ${name}`).toBeLessThanOrEqual(SIZES.get(name) ?? 0);
  }

  async step(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.3) await this.insert();
    else if (dice < 0.55) await this.claim(1 + Math.floor(this.#random() * 4));
    else if (dice < 0.85) await this.end();
    else if (dice < 0.9) await this.cancel();
    else if (dice < 0.95) await this.useStale();
    else await this.pass(300);
    await this.bench.settled();
    this.check();
  }

  async sight(): Promise<Sight> {
    const shown = ({ job, state }: JobRecord): string => {
      const { status, attempts, failures, interruptions, outcome } = state;
      // A store may claim ahead, and write down later that a job has begun.
      if (this.running.has(job.id)) return `${job.id} runs`;
      return `${job.id} ${status === 'assigned' ? 'pending' : status} ${attempts} ${failures} ${interruptions} ${outcome?.status}`;
    };
    return (await this.store.find({})).map(shown);
  }

  /** Lets time pass, and what it makes due be done. */
  async pass(ms: number): Promise<void> {
    await this.bench.advance(ms);
    await this.store.recover('d');
    await this.bench.settled();
  }

  /** Runs everything that is left. */
  async drain(): Promise<void> {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      while (this.running.size > 0) await this.end();
      if ((await this.claim(10)) > 0) continue;
      const open = (await this.store.find({})).filter(({ state }) => !isFinal(state.status));
      if (open.length === 0) return;
      await this.pass(1_000);
    }
    const open = (await this.store.find({})).filter(({ state }) => !isFinal(state.status));
    throw new Error(`these never end: ${JSON.stringify(open.map(({ job, state }) => [job.kind, job.role, job.places, state]))}`);
  }
}

/** The visible state of all jobs after a step. */
export type Sight = readonly string[];

export interface WalkOptions {
  readonly seed: number;
  readonly steps: number;
  /**
   * Stores are compared, so that they must not do what each may do in its own way: what follows from the end of a batch without jobs, or
   * whose jobs were all cancelled before it was opened, is done a moment later; and which of several lanes has places saved up first is
   * left to the store.
   */
  readonly isCompared?: boolean;
}

/** Walks a number of steps, then runs everything that is left: it must all end. @returns the visible state after each step */
export async function walk(bench: StoreBench, options: WalkOptions): Promise<readonly Sight[]> {
  const walk = new Walk(bench, options);
  await walk.begin();
  const sights: Sight[] = [];
  for (let step = 0; step < options.steps; step++) {
    await walk.step();
    sights.push(await walk.sight());
  }
  await walk.drain();
  for (const { job, state } of await walk.store.find({})) expect(isFinal(state.status), `${job.id} ${job.taskName}`).toBe(true);
  await walk.store.stop();
  return sights;
}
