/** Work of every kind, and what must be true of it in the end, whatever command has failed. */

import { firstValueFrom } from 'rxjs';
import { expect } from 'vitest';
import { nextTurn } from '../../../../src/clock.js';
import { currentTask, fixedDelay, type Job, makeJob, parallel, serial, task } from '../../../../src/index.js';
import { type Cell, World } from './world.js';

const FINAL = new Set(['completed', 'failed', 'cancelled']);
const WITHIN_MS = 600_000;

/** What runs now, by quota. */
class Gauge {
  readonly #inUse = new Map<string, number>();
  readonly exceeded: string[] = [];
  readonly runs = new Map<string, number>();

  /** Holds places while an attempt runs; one whose signal is aborted counts no more. */
  async hold<T>(quota: string, { n, size, result }: { readonly n: number; readonly size: number; readonly result: T }): Promise<T> {
    const { job, signal } = currentTask();
    this.runs.set(job.id, (this.runs.get(job.id) ?? 0) + 1);
    this.#add(quota, n, size);
    let isCounted = true;
    const leave = (): void => {
      if (isCounted) this.#add(quota, -n, size);
      isCounted = false;
    };
    signal.addEventListener('abort', leave);
    for (let turns = 0; turns < 3; turns++) await firstValueFrom(nextTurn());
    leave();
    return result;
  }

  #add(quota: string, n: number, size: number): void {
    const inUse = (this.#inUse.get(quota) ?? 0) + n;
    this.#inUse.set(quota, inUse);
    if (inUse > size) this.exceeded.push(`${quota}: ${inUse} of ${size}`);
  }
}

function work() {
  const gauge = new Gauge();
  const failed = new Set<string>();
  const plain = task('plain', { quotas: [] }, (n: number) => gauge.hold('none', { n: 0, size: 0, result: n }));
  const ordered = task('ordered', (n: number) => gauge.hold('default', { n: 1, size: 1, result: n }));
  const light = task('light', { quotas: { pair: 1 } }, (n: number) => gauge.hold('pair', { n: 1, size: 3, result: n }));
  const heavy = task('heavy', { quotas: { pair: 2 } }, (n: number) => gauge.hold('pair', { n: 2, size: 3, result: n }));
  const failing = task('failing', { quotas: [] }, async (_n: number): Promise<number> => {
    await gauge.hold('none', { n: 0, size: 0, result: 0 });
    throw new Error('it always fails');
  });
  const flaky = (name: string, delayMs: number) =>
    task(name, { quotas: { pair: 1 }, retry: fixedDelay({ attempts: 3, delayMs }) }, async (n: number) => {
      const { job } = currentTask();
      const result = await gauge.hold('pair', { n: 1, size: 3, result: n });
      if (failed.has(job.id)) return result;
      failed.add(job.id);
      throw new Error('once');
    });
  const again = flaky('again', 0);
  const later = flaky('later', 2_000);
  const returning = task('returning', (n: number) => makeJob(plain, n));
  const told = task('told', { quotas: [] }, (n: number) => gauge.hold('none', { n: 0, size: 0, result: n }));
  return { gauge, plain, ordered, light, heavy, failing, again, later, returning, told };
}

/** Does all of it with one fault. @returns how often each kind of command was sent, and whether the fault came */
export async function play(cell: Cell | undefined): Promise<{ readonly seen: ReadonlyMap<string, number>; readonly hasFailed: boolean }> {
  const world = new World(cell);
  const { gauge, plain, ordered, light, heavy, failing, again, later, returning, told } = work();
  const tasks = [plain, ordered, light, heavy, failing, again, later, returning, told];
  await world.open({ tasks, quotas: { default: 1, pair: 3 }, dispatcher: { agents: [{ concurrency: 4 }], leaseMs: 30_000 } });
  try {
    const [a, b] = world.services;
    if (a === undefined || b === undefined) throw new Error('two services were started');
    const outcomes = new Map<string, number>();
    for (const { events } of [a, b]) events.all.subscribe(({ job }) => outcomes.set(job.id, (outcomes.get(job.id) ?? 0) + 1));
    const kinds = [plain, ordered, light, heavy, again, later, returning, failing] as const;
    const queueing: Promise<Job<unknown>>[] = [1, 2, 3].flatMap((n) =>
      kinds.map((kind, index) => (index % 2 === 0 ? a : b).queueJob(kind, n)),
    );
    queueing.push(
      a.queueJob(makeJob(plain, 4).withCallbacks({ success: told })),
      b.queueJob(makeJob(failing, 4).withCallbacks({ failure: makeJob(told, 5) })),
      a.queueJob(serial(makeJob(plain, 1), makeJob(failing, 2), makeJob(heavy, 3)).withCallbacks({ success: makeJob(told, 6) })),
      b.queueJob(parallel(makeJob(plain, 1), makeJob(light, 2), makeJob(again, 3)).with({ quotas: ['default'] })),
      a.queueJob(makeJob(plain, 5).with({ delayMs: 3_000 })),
    );
    const queued = Promise.allSettled(queueing);
    let isQueued = false;
    void queued.then(() => {
      isQueued = true;
    });
    const areFinal = async (): Promise<boolean> =>
      isQueued && (await world.documents('jobs')).every(({ status }) => FINAL.has(String(status)));
    await world.until(areFinal, WITHIN_MS);
    await world
      .until(async () => (await leftOver(world)).length === 0, WITHIN_MS)
      .catch(async () => expect(await leftOver(world)).toEqual([]));
    // A job whose queueing was answered is there, and has the right outcome.
    for (const [index, answer] of (await queued).entries()) {
      if (cell === undefined) expect(answer.status, `queueing ${index}`).toBe('fulfilled');
      if (answer.status === 'fulfilled') await answer.value.refresh();
    }
    const jobs = await world.documents('jobs');
    for (const { _id, task, status, attempts } of jobs) {
      const what = `${_id} (${task})`;
      if (task === 'failing') expect(status, what).toBe('failed');
      else expect(status, what).toBe('completed');
      expect(outcomes.get(String(_id)) ?? 0, `the outcomes of ${what}`).toBeLessThanOrEqual(1);
      const runs = gauge.runs.get(String(_id)) ?? 0;
      if (runs > 0 && !world.hasLostLease) expect(runs, `the runs of ${what}`).toBe(attempts);
    }
    expect(gauge.exceeded).toEqual([]);
    return { seen: world.seen, hasFailed: world.hasFailed };
  } finally {
    await world.close();
  }
}

/** Owners, places and waiting that should be gone when everything has ended. */
async function leftOver(world: World): Promise<readonly string[]> {
  const owned = (await world.documents('jobs'))
    .filter(({ owner }) => owner !== undefined)
    .map(({ task, status }) => `${task} (${status}) has an owner`);
  const places = (await world.documents('quotas')).flatMap(({ _id, size, holders }) => {
    const held = holders.filter((holder: { readonly job?: string }) => holder.job !== undefined);
    const sum = holders.reduce((all: number, { n }: { readonly n: number }) => all + n, 0);
    return [...held.map(() => `a job holds places of ${_id}`), ...(sum > size ? [`${sum} places of ${_id}, which has ${size}`] : [])];
  });
  return [...owned, ...places];
}
