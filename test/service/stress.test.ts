import { describe, expect, it } from 'vitest';
import {
  callback,
  currentTask,
  type Draft,
  fixedDelay,
  type Job,
  makeJob,
  memoryStore,
  type Outcome,
  parallel,
  RetryLater,
  type StoredError,
  serial,
  task,
} from '../../src/index.js';
import { seededRandom } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { untilAborted } from '../support/deferred.js';

/** Thousands of jobs that complete, fail, are cancelled, expire, retry, time out and nest, drawn from a seed. */
async function run(seed: number, count: number) {
  const random = seededRandom(seed);
  const ran = { succeeded: 0, failed: 0, both: 0, running: 0, most: 0 };
  const works = task('works', { quotas: ['pool'] }, async (turns: number) => {
    ran.most = Math.max(ran.most, ++ran.running);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    ran.running--;
    return turns;
  });
  const fails = task('fails', { quotas: [] }, () => {
    throw new Error('fails');
  });
  const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 3, delayMs: 100 }) }, (failures: number) => {
    if (currentTask().attempt <= failures) throw new Error('again');
    return failures;
  });
  const later = task('later', { quotas: [] }, () => {
    if (currentTask().attempt === 1) throw new RetryLater(50);
    return 'later';
  });
  const slow = task('slow', { quotas: [], timeoutMs: 200 }, () => untilAborted());
  const follows = task('follows', { quotas: [] }, (turns: number) => makeJob(works, turns));
  const onSuccess = task('onSuccess', (_value: unknown) => {
    ran.succeeded++;
  });
  const onFailure = task('onFailure', (_error: StoredError) => {
    ran.failed++;
  });
  const onEnd = task('onEnd', (_outcome: Outcome<unknown>) => {
    ran.both++;
  });
  const bundle = await setup({
    tasks: [works, fails, flaky, later, slow, follows, onSuccess, onFailure, onEnd],
    quotas: { pool: 7 },
    dispatcher: { agents: [{ concurrency: 25 }] },
    store: memoryStore({ keepEnded: 1_000_000 }),
    seed,
  });
  const { async, clock, waitForAllJobs } = bundle;
  const events = { completed: 0, failed: 0, cancelled: 0 };
  const ids = new Set<string>();
  let repeated = 0;
  async.events.all.subscribe(({ job, outcome }) => {
    if (ids.has(job.id)) repeated++;
    ids.add(job.id);
    events[outcome.status]++;
  });

  type Kind = 'completed' | 'failed' | 'cancelled';
  const expected = { completed: 0, failed: 0, cancelled: 0 };
  const draw = (): readonly [Draft<unknown>, Kind] => {
    const turns = Math.floor(random() * 4);
    switch (Math.floor(random() * 9)) {
      case 0:
        return [makeJob(fails), 'failed'];
      case 1:
        return [makeJob(flaky, turns), turns < 3 ? 'completed' : 'failed'];
      case 2:
        return [makeJob(later), 'completed'];
      case 3:
        return [makeJob(slow), 'failed'];
      case 4:
        return [makeJob(follows, turns), 'completed'];
      case 5:
        return [makeJob(works, turns).with({ delayMs: turns * 300 }), 'completed'];
      case 6:
        return [makeJob(works, turns).with({ queue: 'nobody', beginBy: new Date(clock.now() + 500) }), 'failed'];
      case 7:
        return [
          (random() < 0.5 ? serial : parallel)(makeJob(works, turns), makeJob(fails), serial(makeJob(works, 1))).with({ quotas: [] }),
          'completed',
        ];
      default:
        return [makeJob(works, turns), 'completed'];
    }
  };
  const drawn = Array.from({ length: count }, draw);
  // Callbacks go to the queue of their job, unless they say otherwise, and nobody serves that of some.
  const served = { queue: '' };
  const sides = { success: callback(onSuccess).with(served), failure: callback(onFailure).with(served) };
  const drafts = drawn.map(([draft]) => draft.withCallbacks(sides).withCallback(callback(onEnd).with(served)));
  const jobs: readonly Job<unknown>[] = await async.queueJobs(drafts);
  const cancelled = new Set<number>();
  for (const [index, job] of jobs.entries()) {
    if (random() < 0.1) {
      cancelled.add(index);
      await job.cancel('drawn');
    }
  }
  await waitForAllJobs();
  const outcomes = await Promise.all(jobs.map((job) => job.waitForOutcome()));
  const found = { completed: 0, failed: 0, cancelled: 0 };
  for (const [index, { status }] of outcomes.entries()) {
    found[status]++;
    const [, kind] = drawn[index] ?? [undefined, 'completed' as const];
    expected[cancelled.has(index) && status === 'cancelled' ? 'cancelled' : kind]++;
  }
  return { ...bundle, jobs, outcomes, found, expected, ran, events, repeated: () => repeated, cancelled };
}

describe('thousands of jobs', () => {
  it('of every kind and end add up', async () => {
    const { async, found, expected, ran, store, jobs, events, repeated, cancelled } = await run(11, 3_000);
    expect(found).toEqual(expected);
    expect(found.cancelled).toBeGreaterThan(cancelled.size / 2);
    expect(found.completed + found.failed + found.cancelled).toBe(jobs.length);
    expect(ran.succeeded).toBe(found.completed);
    expect(ran.failed).toBe(found.failed);
    expect(ran.both).toBe(jobs.length);
    expect(ran.most).toBeLessThanOrEqual(7);
    expect(ran.running).toBe(0);
    const records = await store.find({});
    expect(records.filter(({ state }) => !['completed', 'failed', 'cancelled'].includes(state.status))).toEqual([]);
    expect(await async.getQueues().get('').size()).toBe(0);
    expect(repeated()).toBe(0);
    expect(events.completed + events.failed + events.cancelled).toBeGreaterThanOrEqual(jobs.length);
    expect(async.dispatcher?.running).toEqual([]);
  });

  it('end the same for the same seed', async () => {
    const one = await run(5, 300);
    const same = await run(5, 300);
    expect(same.jobs.map(({ id }) => id)).toEqual(one.jobs.map(({ id }) => id));
    expect(same.outcomes.map(({ status }) => status)).toEqual(one.outcomes.map(({ status }) => status));
    expect(same.clock.now()).toBe(one.clock.now());
  });
});
