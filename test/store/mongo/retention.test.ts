/** How long jobs are kept: as long as the tree that they belong to, and then as long as the store is told. */

import { describe, expect, it } from 'vitest';
import { makeJob, parallel, serial, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('retention');
const KEEP_MS = 60_000;

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const hang = task('hang', { quotas: [] }, () => new Promise<never>(() => {}));
const briefly = task('briefly', { quotas: [], keepMs: 40_000 }, (value: number) => value);

async function setup() {
  const { async } = await processes.start({ tasks: [add, hang, briefly], dispatcher: { stopMs: 0 } }, { keepMs: KEEP_MS });
  const jobs = processes.collection('jobs');
  /** By task: for how long after its end each job is kept, or `undefined` for no limit. */
  const kept = async (): Promise<readonly [string, number | undefined][]> => {
    const found = await jobs.find().sort({ _id: 1 }).toArray();
    return found.map(({ taskName: name, expireAt, endedAt }) => [name, expireAt === undefined ? undefined : expireAt - endedAt]);
  };
  return { async, kept };
}

describe('a job', () => {
  it('that is alone is kept for this time after its end', async () => {
    const { async, kept } = await setup();
    await (await async.queueJob(add, 1, 2)).waitForResult();
    expect(await kept()).toEqual([['add', KEEP_MS]]);
  });

  it('is kept as long as its task, or what was queued, says', async () => {
    const { async, kept } = await setup();
    await (await async.queueJob(briefly, 1)).waitForResult();
    await (await async.queueJob(makeJob(briefly, 1).with({ keepMs: 31_000 }))).waitForResult();
    await (await async.queueJob(makeJob(add, 1, 2).with({ keepMs: 50_000 }))).waitForResult();
    expect(await kept()).toEqual([
      ['briefly', 40_000],
      ['briefly', 31_000],
      ['add', 50_000],
    ]);
  });

  it('is there for half a minute for those who wait, with everything below it, however short it is kept', async () => {
    const { async, kept } = await setup();
    await (await async.queueJob(makeJob(add, 1, 2).with({ keepMs: 0 }))).waitForResult();
    await (await async.queueJob(parallel(serial(makeJob(add, 3, 4))).with({ keepMs: 1 }))).waitForResult();
    await processes.until(async () => (await kept()).every(([, ms]) => ms !== undefined));
    for (const [, ms] of await kept()) {
      expect(ms).toBeGreaterThanOrEqual(30_000);
      expect(ms).toBeLessThan(40_000);
    }
  });

  it('of which others are the top is kept as long as that, whatever its task says', async () => {
    const { async, kept } = await setup();
    const steps = parallel(makeJob(briefly, 1), makeJob(add, 1, 2)).with({ keepMs: 35_000 });
    await (await async.queueJob(steps)).waitForResult();
    const called = await async.queueJob(makeJob(briefly, 1).withCallbacks({ success: briefly }));
    await called.waitForResult();
    await processes.until(async () => (await kept()).every(([, ms]) => ms !== undefined));
    for (const [, ms] of await kept()) {
      expect(ms).toBeGreaterThanOrEqual(35_000);
      expect(ms).toBeLessThan(KEEP_MS);
    }
    const found = await processes
      .collection('jobs')
      .find({ parent: { $exists: true }, role: 'step' })
      .toArray();
    expect(new Set(found.map(({ expireAt }) => expireAt.getTime())).size).toBe(1);
  });

  it('is kept as long as its batch, however early it has ended', async () => {
    const { async, kept } = await setup();
    const batch = await async.queueJob(serial(makeJob(add, 1, 2), makeJob(hang)).with({ quotas: [] }));
    await processes.until(async () => (await kept()).length === 3 && (await batch.refresh()).status === 'active');
    expect((await kept()).map(([, ms]) => ms)).toEqual([undefined, undefined, undefined]);
  });

  it('goes with its tree, callbacks and steps together', async () => {
    const { async, kept } = await setup();
    const batch = await async.queueJob(parallel(makeJob(add, 1, 2), makeJob(add, 3, 4)).withCallbacks({ success: makeJob(add, 5, 6) }));
    await batch.waitForResult();
    await processes.until(async () => (await kept()).every(([, ms]) => ms !== undefined));
    for (const [, ms] of await kept()) expect(ms).toBeGreaterThanOrEqual(KEEP_MS);
  });

  it('goes with its tree also where it was added to that, and one of two drafts', async () => {
    const { async, kept } = await setup();
    const batch = await async.queueJob(serial(makeJob(briefly, 1)).with({ delayMs: 100 }));
    await async.extendBatch(batch, makeJob(add, 1, 2).withCallbacks({ success: makeJob(briefly, 3).withCallbacks({ success: briefly }) }));
    const job = await async.queueJob(makeJob(add, 3, 4).with({ delayMs: 100 }));
    await job.addCallback(makeJob(add, 5, 6).withCallbacks({ success: briefly }));
    await Promise.all([batch.waitForResult(), job.waitForResult()]);
    await processes.until(async () => (await kept()).every(([, ms]) => ms !== undefined));
    expect((await kept()).length).toBe(8);
  });

  it('that could not be lengthened, since it is not a batch, is alone', async () => {
    const { async, kept } = await setup();
    const job = await async.queueJob(makeJob(add, 1, 2).with({ delayMs: 100 }));
    await expect(async.extendBatch(job, makeJob(add, 3, 4))).rejects.toThrow('is not a batch');
    await job.waitForResult();
    expect(await kept()).toEqual([['add', KEEP_MS]]);
  });

  it('that gets a callback after its end is kept at least as long as that', async () => {
    const { async, kept } = await setup();
    const job = await async.queueJob(add, 1, 2);
    await job.waitForResult();
    await (await job.addCallbacks({ success: makeJob(add, 3, 4) })).waitForResult();
    await processes.until(async () => (await kept()).every(([, ms]) => ms !== undefined));
    const [first] = await kept();
    expect(first?.[1]).toBeGreaterThanOrEqual(KEEP_MS);
  });
});

describe('the index', () => {
  it('removes by that time', async () => {
    await setup();
    const indexes = await processes.collection('jobs').indexes();
    expect(indexes.find(({ name }) => name === 'expireAt')).toMatchObject({ key: { expireAt: 1 }, expireAfterSeconds: 0 });
  });
});

describe('what a job needed while it ran', () => {
  it('is gone when its tree has ended: its owner, and the places that it held', async () => {
    const { async } = await setup();
    const batch = await async.queueJob(parallel(makeJob(add, 1, 2), serial(makeJob(add, 3, 4)).with({ quotas: [] })));
    await batch.waitForResult();
    await (await batch.addCallbacks({ success: makeJob(add, 5, 6) })).waitForResult();
    const jobs = processes.collection('jobs');
    await processes.until(async () => (await jobs.countDocuments({ owner: { $exists: true } })) === 0);
    expect(await jobs.countDocuments({ reservation: { $exists: true } })).toBe(0);
    expect(await jobs.countDocuments({ expireAt: { $exists: false } })).toBe(0);
  });
});
