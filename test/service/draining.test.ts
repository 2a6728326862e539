/** `stop` says what it leaves, and finishes jobs first where it is asked to. */

import { describe, expect, it } from 'vitest';
import {
  currentTask,
  fixedDelay,
  type IAsyncService,
  type Logger,
  makeJob,
  memoryStore,
  OptionError,
  serial,
  task,
} from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { setup } from '../support/bundle.js';
import { deferred, untilAborted } from '../support/deferred.js';

const quick = task('quick', { quotas: [] }, (value: number) => value);
const single = task('single', (value: number) => value);
const hang = task('hang', { quotas: [] }, untilAborted);

function notes() {
  const log: string[] = [];
  const note = (message: string): void => void (message.startsWith('dispatcher ') || log.push(message));
  const logger: Logger = { debug: () => {}, info: note, warn: note, error: note };
  return { log, logger };
}

describe('in memory, `stop`', () => {
  it('says how many jobs it leaves behind, and how to finish them first', async () => {
    const { log, logger } = notes();
    const { async } = await setup({ tasks: [quick], logger });
    await async.queueJobs([1, 2, 3].map((value) => makeJob(quick, value).with({ delayMs: 60_000 })));
    expect(await async.stop({})).toEqual({ left: 3 });
    expect(log).toEqual([
      expect.stringMatching(/^`stop` leaves 3 jobs behind in memory, which end with the process: `stop\(\{ drain: true, timeoutMs \}\)`/),
    ]);
  });

  it('says nothing where nothing is left, or another service that shares the store works', async () => {
    const { log, logger } = notes();
    const store = memoryStore();
    await setup({ tasks: [quick], store });
    const { async } = await setup({ tasks: [quick], store, logger });
    await async.queueJob(makeJob(quick, 1).with({ delayMs: 60_000 }));
    expect(await async.stop({})).toEqual({ left: 1 });
    expect(await (await setup({ tasks: [quick], logger })).async.stop({})).toEqual({ left: 0 });
    expect(log).toEqual([]);
  });

  it('stops also where the store fails while it is asked what is left', async () => {
    const { log, logger } = notes();
    const own = memoryStore();
    const count = () => Promise.reject(new Error('no answer'));
    const store = new Proxy(own, {
      get: (target, key) => {
        const value: unknown = key === 'count' ? count : Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const { async } = await setup({ tasks: [quick], store, logger });
    expect(await async.stop({})).toEqual({ left: 0 });
    expect(log).toEqual(['the store has failed while the service stopped, which goes on']);
    await expect(async.queueJob(quick, 1)).rejects.toThrow('the service was stopped');
  });

  it('that is called again gives the same answer', async () => {
    const { async } = await setup({ tasks: [quick] });
    await async.queueJob(makeJob(quick, 1).with({ delayMs: 60_000 }));
    expect(await Promise.all([async.stop({}), async.stop({ drain: true }), async.stop({})])).toEqual([
      { left: 1 },
      { left: 1 },
      { left: 1 },
    ]);
  });
});

describe('in memory, `stop({ drain: true })`', () => {
  it('finishes all jobs that wait, with their batches and callbacks', async () => {
    const { log, logger } = notes();
    const { async } = await setup({ tasks: [quick, single], logger });
    const jobs = await async.queueJobs([1, 2, 3, 4].map((value) => makeJob(single, value)));
    const batch = await async.queueJob(serial(makeJob(quick, 1), makeJob(quick, 2).withCallback(makeJob(quick, 3))));
    expect(await async.stop({ drain: true })).toEqual({ left: 0 });
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([1, 2, 3, 4]);
    expect((await batch.refresh()).status).toBe('completed');
    expect(log).toEqual([]);
  });

  it('finishes what the tasks queue meanwhile', async () => {
    const service = deferred<IAsyncService>();
    const chain = task('chain', { quotas: [] }, async (left: number): Promise<void> => {
      if (left > 0) await (await service.promise).queueJob(chain, left - 1);
    });
    const { async, store } = await setup({ tasks: [chain] });
    service.resolve(async);
    await async.queueJob(chain, 10);
    expect(await async.stop({ drain: true })).toEqual({ left: 0 });
    expect(await store.count({ statuses: ['completed'] })).toBe(11);
  });

  it('finishes retries and delayed jobs that are due in time, and no others', async () => {
    const failing = task('failing', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 5_000 }) }, () => {
      if (currentTask().attempt === 1) throw new Error('not yet');
      return 42;
    });
    const { async, clock, drain } = await setup({ tasks: [quick, failing] });
    const jobs = await async.queueJobs([
      makeJob(failing),
      makeJob(quick, 1).with({ delayMs: 9_000 }),
      makeJob(quick, 2).with({ delayMs: 11_000 }),
    ]);
    let report: object | undefined;
    const stopping = async.stop({ drain: true, timeoutMs: 10_000 }).then((stopped) => {
      report = stopped;
    });
    await clock.advance(8_999, drain);
    expect(report).toBeUndefined();
    await clock.advance(1, drain);
    await stopping;
    expect(report).toEqual({ left: 1 });
    expect(await Promise.all(jobs.map(async (job) => (await job.refresh()).status))).toEqual(['completed', 'completed', 'scheduled']);
  });

  it('waits for no job that nobody accepts, that is paused, or that needs too much', async () => {
    const wide = task('wide', { quotas: { wide: 2 } }, () => 1);
    const { async } = await setup({ tasks: [quick, wide, single], quotas: { wide: 2 } });
    await async.pause({ task: single });
    await async.pause({ task: wide });
    await async.queueJobs([makeJob(wide), makeJob(quick, 1).with({ queue: 'mail' }), makeJob(single, 1), makeJob(quick, 2)]);
    await async.resizeQuota('wide', 1);
    await async.resume({ task: wide });
    expect(await async.stop({ drain: true })).toEqual({ left: 3 });
  });

  it('aborts what still runs when its time is over', async () => {
    const { async, clock, drain } = await setup({ tasks: [hang] });
    const job = await async.queueJob(hang);
    await drain();
    const stopping = async.stop({ drain: true, timeoutMs: 20_000 });
    await clock.advance(19_999, drain);
    expect((await job.refresh()).status).toBe('active');
    await clock.advance(10_000, drain);
    expect(await stopping).toEqual({ left: 1 });
  });

  it.each<[string, object]>([
    ['drain', { drain: 'yes' }],
    ['timeoutMs', { drain: true, timeoutMs: -1 }],
    ['timeout', { timeout: 1 }],
  ])('refuses a bad option `%s`, and does not stop', async (name, options) => {
    const { async } = await setup({ tasks: [quick] });
    const stopping = async.stop(options as never);
    await expect(stopping).rejects.toThrow(OptionError);
    await expect(stopping).rejects.toThrow(`\`${name}\``);
    expect(await (await async.queueJob(quick, 1)).waitForResult()).toBe(1);
  });
});

onBothStores((stage, store) => {
  it.skipIf(store === 'memory')(
    '`stop({ drain: true })` finishes the jobs in hand, claims no more, and leaves the others to others',
    async () => {
      const gate = deferred();
      const held = task('held', { quotas: [] }, async (value: number) => {
        await gate.promise;
        return value;
      });
      const { async, drain } = await stage.start({ tasks: [held], dispatcher: { agents: [{ concurrency: 2 }] } });
      const jobs = await async.queueJobs([1, 2, 3].map((value) => makeJob(held, value)));
      await drain();
      const stopping = async.stop({ drain: true, timeoutMs: 60_000 });
      await drain();
      gate.resolve();
      expect(await stopping).toEqual({ left: 0 });
      const other = await stage.start({ tasks: [], dispatcher: false });
      const states = await Promise.all(jobs.map(async ({ id }) => (await other.async.getJob(id))?.status));
      expect(states).toEqual(['completed', 'completed', 'pending']);
    },
  );

  it.skipIf(store === 'memory')('`stop` counts the jobs that it had to abort', async () => {
    const { async, advance, drain } = await stage.start({ tasks: [hang], dispatcher: { stopMs: 0 } });
    await async.queueJobs([makeJob(hang), makeJob(hang)]);
    await drain();
    const stopping = async.stop({});
    await advance(2_000);
    expect(await stopping).toEqual({ left: 2 });
  });
});
