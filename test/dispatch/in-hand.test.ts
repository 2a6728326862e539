/** A dispatcher compares the jobs that it has in hand with those that the store counts as running there. */

import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { nextTurn } from '../../src/clock.js';
import { type Job, type JobStore, makeJob, memoryStore, task } from '../../src/index.js';
import type { ClaimedJob } from '../../src/store/store-messages.js';
import { setup } from '../support/bundle.js';
import { deferred } from '../support/deferred.js';

const POLL_MS = 30_000;
const times = { leaseMs: 86_400_000, heartbeatMs: 5_000, pollMs: POLL_MS };
const lost = (): never => {
  throw new Error('the network');
};

const stateOf = async (store: JobStore, { id }: Job<unknown>) => (await store.find({ ids: [id] }))[0]?.state;

/** A memory store with another way of doing something. */
function storeWith(changed: (memory: JobStore) => Partial<JobStore>): JobStore {
  const memory = memoryStore();
  const own = changed(memory);
  return new Proxy(memory, {
    get: (target, key) => {
      const value: unknown = Reflect.get(own, key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? (...args: unknown[]) => Reflect.apply(value, target, args) : value;
    },
  });
}

/** Does something the first time, when it has been done. */
function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

/** All that a moment of virtual time brings, also while something waits for a later one. */
async function turns(): Promise<void> {
  for (let count = 0; count < 10; count++) await firstValueFrom(nextTurn());
}

function counting() {
  let runs = 0;
  const counts = task('counts', () => ++runs);
  return { counts, runs: () => runs };
}

it('runs a job that a claim took whose answer was lost, and counts one attempt', async () => {
  const lose = once(lost);
  const store = storeWith((memory) => ({
    claim: async (request) => {
      const claimed = await memory.claim(request);
      if (claimed.length > 0) lose();
      return claimed;
    },
  }));
  const { counts, runs } = counting();
  const { async, clock } = await setup({ store, tasks: [counts], dispatcher: times });
  const jobs = await async.queueJobs([makeJob(counts), makeJob(counts)]);
  await clock.advance(POLL_MS + 2_000, turns);
  for (const job of jobs) expect(await stateOf(store, job)).toMatchObject({ status: 'completed', attempts: 1, interruptions: 0 });
  expect(runs()).toBe(2);
});

it('runs a job whose next attempt was recorded, but not answered', async () => {
  const lose = once(lost);
  const store = storeWith((memory) => ({
    reschedule: async (again) => {
      const attempts = await memory.reschedule(again);
      lose();
      return attempts;
    },
  }));
  let runs = 0;
  const twice = task('twice', { retry: { retries: 'any', attempts: 2 } }, () => (++runs === 1 ? lost() : runs));
  const { async, clock } = await setup({ store, tasks: [twice], dispatcher: times });
  const job = await async.queueJob(twice);
  await clock.advance(POLL_MS + 2_000, turns);
  expect(await stateOf(store, job)).toMatchObject({ status: 'completed', attempts: 2, failures: 1, interruptions: 0 });
});

it('leaves a job alone that a claim may bring yet, however long its answer takes', async () => {
  const gate = deferred();
  const store = storeWith((memory) => ({
    claim: async (request) => {
      const claimed = await memory.claim(request);
      if (claimed.length > 0) await gate.promise;
      return claimed;
    },
  }));
  const { counts } = counting();
  const { async, clock } = await setup({ store, tasks: [counts], dispatcher: times });
  const job = await async.queueJob(counts);
  await clock.advance(3 * POLL_MS, turns);
  const before = await stateOf(store, job);
  expect(before).toMatchObject({ status: 'active', attempts: 1 });
  gate.resolve();
  await clock.advance(0, turns);
  expect(await stateOf(store, job)).toMatchObject({ status: 'completed', token: before?.token });
});

it('leaves a job alone whose end is being asked for again, and one that runs', async () => {
  const gate = deferred();
  let refusals = 100;
  const store = storeWith((memory) => ({
    settle: (ends) => (refusals-- > 0 ? Promise.reject(new Error('the network')) : memory.settle(ends)),
  }));
  const { counts, runs } = counting();
  const waits = task('waits', { quotas: [] }, () => gate.promise);
  const { async, clock } = await setup({ store, tasks: [counts, waits], dispatcher: times });
  const [ended, running] = await async.queueJobs([makeJob(counts), makeJob(waits)]);
  await clock.advance(99_000, turns);
  expect([(await stateOf(store, ended))?.status, runs()]).toEqual(['active', 1]);
  await clock.advance(1_000, turns);
  expect(await stateOf(store, ended)).toMatchObject({ status: 'completed', attempts: 1 });
  expect(await stateOf(store, running)).toMatchObject({ status: 'active', attempts: 1 });
  gate.resolve();
  await clock.advance(0, turns);
  expect(await stateOf(store, running)).toMatchObject({ status: 'completed', attempts: 1 });
});

it('knows a later attempt of a job by itself, while the record of an earlier one is still being asked for', async () => {
  const gate = deferred();
  let losses = 3;
  const store = storeWith((memory) => ({
    reschedule: async (again) => {
      const attempts = await memory.reschedule(again);
      if (losses-- > 0) lost();
      return attempts;
    },
  }));
  let runs = 0;
  const later = task('later', { retry: { retries: 'any', delayMs: 100 } }, async () => {
    if (++runs === 1) lost();
    await gate.promise;
  });
  const { async, clock } = await setup({ store, tasks: [later], dispatcher: times });
  const job = await async.queueJob(later);
  await clock.advance(3 * POLL_MS, turns);
  expect(async.dispatcher?.running).toEqual([{ id: job.id, taskName: 'later', attempt: 2 }]);
  await job.cancel('enough');
  gate.resolve();
  await clock.advance(0, turns);
  expect([runs, async.dispatcher?.running]).toEqual([2, []]);
});

it('hands back as interrupted what it cannot work on, and has its slot free', async () => {
  let isDisguised = true;
  const store = storeWith((memory) => ({
    claim: async (request) => {
      const claimed = await memory.claim(request);
      return claimed.map((one): ClaimedJob => (isDisguised ? { ...one, job: { ...one.job, taskName: 'of nobody' } } : one));
    },
  }));
  const { counts, runs } = counting();
  const one = { ...times, agents: [{ concurrency: 1 }] };
  const { async, clock } = await setup({ store, tasks: [counts], dispatcher: one });
  const job = await async.queueJob(makeJob(counts));
  await clock.advance(0, async () => {
    await firstValueFrom(nextTurn());
    isDisguised = (await stateOf(store, job))?.interruptions === 0;
  });
  await clock.advance(0, turns);
  expect(await stateOf(store, job)).toMatchObject({ status: 'completed' });
  expect((await stateOf(store, job))?.interruptions).toBeGreaterThan(0);
  expect(runs()).toBe(1);
});
