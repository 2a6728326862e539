/** The memory store in one process, with jobs that do nothing. */

import { Container } from 'inversify';
import { asyncModule, type IAsyncService, makeJob, memoryStore, start, task } from 'millrace';
import type { Figure } from './figure.js';

const JOBS = 60_000;
const SERIAL_JOBS = 20_000;
const WAITING_JOBS = 100_000;
const ROUNDS = 3;

const nothing = task('nothing', () => {});
const nothingAtAll = task('nothingAtAll', { quotas: [] }, () => {});

/** The best of several rounds: what disturbs a round only ever makes it slower. */
export async function memoryFigures(): Promise<readonly Figure[]> {
  return [
    { name: 'memory.throughput', value: await best(() => jobsPerSecond(nothingAtAll, JOBS)), unit: 'jobs/s' },
    { name: 'memory.serial', value: await best(() => jobsPerSecond(nothing, SERIAL_JOBS)), unit: 'jobs/s' },
    { name: 'memory.round-trip', value: await roundTripUs(), unit: 'µs/job' },
    { name: 'memory.waiting-bytes-per-job', value: await waitingBytes(), unit: 'bytes' },
  ];
}

async function best(measure: () => Promise<number>): Promise<number> {
  let highest = 0;
  for (let round = 0; round < ROUNDS; round++) highest = Math.max(highest, await measure());
  return Math.round(highest);
}

/** From the first call of `queueJob` to the last recorded outcome. */
async function jobsPerSecond(what: typeof nothing, count: number): Promise<number> {
  const async = await started(100);
  const began = process.hrtime.bigint();
  let left = count;
  const done = new Promise<void>((resolve) => {
    async.events.all.subscribe(() => --left === 0 && resolve());
  });
  const queued: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) queued.push(async.queueJob(what));
  await Promise.all(queued);
  await done;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  await async.stop();
  return count / seconds;
}

/** Queue one job, wait for its result, then the next. */
async function roundTripUs(): Promise<number> {
  const async = await started(1);
  const count = 5_000;
  const began = process.hrtime.bigint();
  for (let index = 0; index < count; index++) await (await async.queueJob(nothingAtAll)).waitForResult();
  const us = Number(process.hrtime.bigint() - began) / 1e3;
  await async.stop();
  return Math.round(us / count);
}

async function waitingBytes(): Promise<number> {
  const async = await started(false);
  const before = heapUsed();
  const drafts = Array.from({ length: WAITING_JOBS }, () => makeJob(nothing));
  await async.queueJobs(drafts);
  drafts.length = 0;
  const bytes = (heapUsed() - before) / WAITING_JOBS;
  await async.stop();
  return Math.round(bytes);
}

function heapUsed(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

async function started(concurrency: number | false): Promise<IAsyncService> {
  const container = new Container();
  const dispatcher = concurrency === false ? false : { agents: [{ concurrency }] };
  container.load(asyncModule({ store: memoryStore(), tasks: [nothing, nothingAtAll], dispatcher }));
  return start(container);
}
