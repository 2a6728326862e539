/** `queueTimeoutMs`: a call that queues waits no longer, and its outcome is uncertain. */

import { describe, expect, it } from 'vitest';
import { type JobStore, makeJob, memoryStore, OptionError, serial, task, UncertainError } from '../../src/index.js';
import type { TestAsync } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf } from '../support/deferred.js';

const LIMIT_MS = 2_000;

const work = task('work', { quotas: [], uniqueKey: (key: string) => key }, (key: string) => key);

/** A service on a store that answers no insert before the gate is open. */
async function stage() {
  const gate = deferred();
  const own = memoryStore();
  let isOpen = true;
  const insert: JobStore['insert'] = async (trees, session) => {
    const inserted = await own.insert(trees, session);
    if (!isOpen && session === undefined) await gate.promise;
    return inserted;
  };
  const store = new Proxy<JobStore>(own, {
    get: (target, key) => {
      const value: unknown = key === 'insert' ? insert : Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const bundle = await setup({ store, tasks: [work], queueTimeoutMs: LIMIT_MS, dispatcher: false });
  const close = (): void => {
    isOpen = false;
  };
  const open = (): void => {
    isOpen = true;
    gate.resolve();
  };
  return { ...bundle, open, close };
}

/** Moves time, without waiting for calls that are under way. */
function pass({ clock }: TestAsync, ms: number): Promise<void> {
  return clock.advance(ms, () => Promise.resolve());
}

describe('queueing that the store does not answer', () => {
  it.each<[string, (bundle: TestAsync) => Promise<unknown>]>([
    ['of a job', ({ async }) => async.queueJob(work, 'a')],
    ['of several jobs', ({ async }) => async.queueJobs([makeJob(work, 'a'), makeJob(work, 'b')])],
    ['of a batch', ({ async }) => async.queueSerialJobs(makeJob(work, 'a'))],
  ])('is uncertain after `queueTimeoutMs`: %s', async (_what, queue) => {
    const bundle = await stage();
    bundle.close();
    const begunAt = bundle.clock.now();
    const failing = failureOf(queue(bundle)).then((error) => ({ error, afterMs: bundle.clock.now() - begunAt }));
    await pass(bundle, LIMIT_MS - 1);
    await pass(bundle, 1);
    const { error, afterMs } = await failing;
    expect(error).toBeInstanceOf(UncertainError);
    expect(error.message).toMatch(/job \w+ \(\w+\) was queued within `queueTimeoutMs` of 2000/);
    expect(afterMs).toBe(LIMIT_MS);
    bundle.open();
  });

  it('is uncertain for a callback, and for steps that are added to a batch', async () => {
    const bundle = await stage();
    const batch = await bundle.async.queueJob(serial(makeJob(work, 'first')));
    bundle.close();
    const failing = [
      failureOf(batch.addCallback(makeJob(work, 'callback'))),
      failureOf(bundle.async.extendBatch(batch, makeJob(work, 'last'))),
    ];
    await bundle.async.getJob(batch.id);
    await pass(bundle, LIMIT_MS);
    for (const error of await Promise.all(failing)) expect(error).toBeInstanceOf(UncertainError);
    bundle.open();
  });

  it('may have been done: the same key gives the job that is there', async () => {
    const bundle = await stage();
    bundle.close();
    const failing = failureOf(bundle.async.queueJob(work, 'a'));
    await pass(bundle, LIMIT_MS);
    const { message } = await failing;
    bundle.open();
    const job = await bundle.async.queueJob(work, 'a');
    expect([job.isExisting, message.includes(job.id)]).toEqual([true, true]);
  });

  it('leaves no timer where it is answered in time', async () => {
    const { async, clock } = await stage();
    const before = clock.scheduler.actions.length;
    await async.queueJob(work, 'a');
    expect(clock.scheduler.actions).toHaveLength(before);
  });
});

it('`queueTimeoutMs` is a number of milliseconds that a timer can wait', async () => {
  for (const queueTimeoutMs of [0, -1, 2 ** 31, '2s'] as never[])
    await expect(setup({ queueTimeoutMs })).rejects.toBeInstanceOf(OptionError);
});
