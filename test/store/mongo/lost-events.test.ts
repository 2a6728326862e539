/** Change streams only save time: without them everything is found by looking, if later. */

import { describe, expect, it } from 'vitest';
import { currentTask, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('lost');

/** How often jobs that somebody watches are read in any case, and how often a worker at rest looks for everything (`pollMs`). */
const WATCHED_MS = 5_000;
const ROUND_MS = 30_000;

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const hang = task('hang', { quotas: [] }, () => {
  const { signal } = currentTask();
  return new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
});
const tasks = [add, hang];

async function setup() {
  const clocks = { queuer: new VirtualClock(), worker: new VirtualClock() };
  const queuer = (await processes.start({ tasks, clock: clocks.queuer, dispatcher: false })).async;
  await processes.start({ tasks, clock: clocks.worker });
  await (await queuer.queueJob(add, 1, 2)).waitForResult();
  const pass = async (who: keyof typeof clocks, ms: number): Promise<void> => {
    await processes.quiet();
    for (let passed = 0; passed < ms; passed += 1_000) await clocks[who].advance(1_000, () => processes.quiet());
  };
  processes.faults?.changeEvents.delay();
  return { queuer, pass };
}

describe.skipIf(processes.faults === undefined)('when no event arrives', () => {
  it('a job runs with the next round of a worker, and who waits for it reads of its end', async () => {
    const { queuer, pass } = await setup();
    const job = await queuer.queueJob(add, 40, 2);
    const waiting = job.waitForResult();
    await pass('worker', ROUND_MS);
    expect(await processes.collection('jobs').countDocuments({ isOpen: true })).toBe(0);
    expect(job.status).toBe('pending');
    await pass('queuer', WATCHED_MS);
    expect(await waiting).toBe(42);
  });

  it('a cancellation reaches the attempt with the next round', async () => {
    const { queuer, pass } = await setup();
    const job = await queuer.queueJob(hang);
    await pass('worker', ROUND_MS);
    expect((await job.refresh()).status).toBe('active');
    await job.cancel('enough');
    await pass('worker', ROUND_MS);
    expect((await job.refresh()).status).toBe('cancelled');
  });
});
