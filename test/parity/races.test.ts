/** Actions at the same time, and jobs that wait for each other. */

import { expect, it } from 'vitest';
import { type IAsyncService, type Job, type JobStore, makeJob, parallel, QuotaError, serial, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred } from '../support/deferred.js';

/** A job whose first callback lasts until the test says so, and a task that notes what it is given. */
function slowly() {
  const gate = deferred();
  const noted: unknown[] = [];
  const work = task('work', { quotas: [] }, () => 42);
  const slow = task('slow', { quotas: [] }, () => gate.promise);
  const note = task('note', { quotas: [] }, (what: unknown) => {
    noted.push(what);
  });
  return { gate, noted, work, slow, note, tasks: [work, slow, note] };
}

onBothStores((stage) => {
  it('a callback that another process adds while callbacks run is run once, before waiting ends', async () => {
    const second = deferred();
    const { gate, noted, work, slow, note, tasks } = slowly();
    const slower = task('slower', { quotas: [] }, () => second.promise);
    const { async, drain } = await stage.start({ tasks: [...tasks, slower] });
    const other = await stage.start({ tasks, dispatcher: false });
    const job = await async.queueJob(makeJob(work).withCallback(makeJob(slow)));
    await drain();
    const seen = await other.async.getJob(job.id, work);
    await seen?.addCallback(makeJob(slower));
    await seen?.addCallbacks({ success: note });
    gate.resolve();
    await drain();
    expect([(await job.refresh()).status, noted]).toEqual(['callbacks', [42]]);
    second.resolve();
    await drain();
    expect([(await job.refresh()).status, noted]).toEqual(['completed', [42]]);
  });

  it('a callback that is added just before the last of the others ends is run once, and waited for', async () => {
    const { noted, work, slow, note, tasks, gate } = slowly();
    let added: Promise<unknown> | undefined;
    let other: IAsyncService | undefined;
    const faults = (store: JobStore): Partial<JobStore> => ({
      settle: async (ends) => {
        const [record] = await store.find({ taskNames: ['work'] });
        if (record?.state.status === 'callbacks' && added === undefined) {
          added = other?.getJob(record.job.id, work).then((job) => job?.addCallbacks({ success: note }));
          await added;
        }
        return store.settle(ends);
      },
    });
    const { async, drain } = await stage.start({ tasks, faults });
    ({ async: other } = await stage.start({ tasks, dispatcher: false }));
    const job = await async.queueJob(makeJob(work).withCallback(makeJob(slow)));
    const waited = job.waitForResult().then((result) => [result, ...noted]);
    gate.resolve();
    await drain();
    expect(await waited).toEqual([42, 42]);
    expect(noted).toHaveLength(1);
    expect(added).toBeDefined();
  });

  it('a callback in a transaction that began while the job ran, and commits when it has ended, runs at once', async () => {
    const { noted, work, slow, note, tasks, gate } = slowly();
    const { async, drain, stateOf } = await stage.start({ tasks });
    const isOver = deferred();
    const job = await async.queueJob(makeJob(work).withCallback(makeJob(slow)));
    await drain();
    const adding = async.transaction(async () => {
      await job.addCallbacks({ success: note });
      await isOver.promise;
    });
    gate.resolve();
    await drain();
    isOver.resolve();
    await adding;
    await drain();
    expect([(await stateOf(job)).status, noted]).toEqual(['completed', [42]]);
  });

  it('a callback on a job that has ended runs at once, whichever process adds it', async () => {
    const { noted, work, note, tasks } = slowly();
    const { async, drain } = await stage.start({ tasks });
    const other = await stage.start({ tasks, dispatcher: false });
    const job = await async.queueJob(work);
    await job.waitForResult();
    const seen = await other.async.getJob(job.id, work);
    await seen?.addCallbacks({ success: note });
    await drain();
    expect([noted, (await job.refresh()).status]).toEqual([[42], 'completed']);
  });

  it.each([1, 3])('three serial batches and one that is three deep complete on %d slots, which they do not hold', async (concurrency) => {
    const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
    const { async, drain } = await stage.start({ tasks: [add], dispatcher: { agents: [{ concurrency }] } });
    const flat = [1, 2, 3].map((x) => serial(makeJob(add, x, 1), makeJob(add, x, 2)));
    const deep = serial(makeJob(add, 1, 1), parallel(serial(makeJob(add, 2, 2)), makeJob(add, 3, 3)));
    const batches: readonly Job<unknown>[] = await async.queueJobs([...flat, deep]);
    await drain();
    const snapshots = await Promise.all(batches.map((batch) => batch.refresh()));
    expect(snapshots.map(({ status }) => status)).toEqual(Array(4).fill('completed'));
    expect(await async.getJobs({ statuses: ['pending', 'blocked', 'active'] })).toEqual([]);
  });

  it('a job that returns a job of its own quota of 1 gives its place up, and has the result of that', async () => {
    let service: IAsyncService | undefined;
    const inner = task('inner', () => 42);
    const outer = task('outer', () => service?.queueJob(inner));
    const { async, drain } = await stage.start({ tasks: [inner, outer] });
    service = async;
    const job = await async.queueJob(outer);
    await drain();
    expect([(await job.refresh()).status, job.result]).toEqual(['completed', 42]);
  });

  it('a batch and a job in it that both name a quota are refused, and nothing is queued', async () => {
    const work = task('work', { quotas: ['default'] }, () => 42);
    const { async, store } = await stage.start({ tasks: [work] });
    const batch = serial(makeJob(work).with({ quotas: ['default'] })).with({ quotas: ['default'] });
    await expect(async.queueJob(batch)).rejects.toThrow(QuotaError);
    expect(await store.count({})).toBe(0);
  });
});
