/** Operations on many jobs at once: the jobs that count as one, and those that are left out. */

import { describe, expect, it } from 'vitest';
import { makeJob, parallel, serial, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred } from '../support/deferred.js';

/** Tasks that fail until a switch is off, and the list of runs. */
async function bundle() {
  const ran: string[] = [];
  const world = { isBroken: true };
  const run = (name: string): string => {
    ran.push(name);
    if (world.isBroken) throw new TypeError(`no ${name}`);
    return name;
  };
  const work = task('work', { quotas: [] }, run);
  const other = task('other', { quotas: [] }, run);
  return { ...(await setup({ tasks: [work, other] })), ran, world, work, other };
}

describe('the jobs of a failed batch', () => {
  it('are found as that batch, also by a task that only they have', async () => {
    const { async, drain, work, other } = await bundle();
    const inner = serial(makeJob(work, 'a'), makeJob(work, 'b')).with({ onFailure: 'fail' });
    const batch = await async.queueJob(parallel(inner, makeJob(other, 'c')).with({ onFailure: 'fail' }));
    await drain();
    for (const each of [work, other]) expect((await async.getDeadLetters({ task: each })).map(({ job }) => job.id)).toEqual([batch.id]);
    const [again, ...more] = await async.retryJobs({ task: work });
    expect([again?.taskName, more]).toEqual(['parallel', []]);
    expect([await async.getDeadLetters({ task: other }), await async.retryJobs({ task: other })]).toEqual([[], []]);
  });

  it('do not count against the limit', async () => {
    const { async, drain, advance, work } = await bundle();
    const first = await async.queueJob(work, 'a');
    await advance(1_000);
    const second = await async.queueJob(work, 'b');
    await advance(1_000);
    const batch = await async.queueJob(serial(...['c', 'd', 'e'].map((name) => makeJob(work, name))).with({ onFailure: 'fail' }));
    await drain();
    const letters = async (limit: number) => (await async.getDeadLetters({ limit })).map(({ job }) => job.id);
    expect([await letters(1), await letters(2), await letters(3)]).toEqual([
      [batch.id],
      [batch.id, second.id],
      [batch.id, second.id, first.id],
    ]);
  });
});

describe('retryJobs', () => {
  it('retries a cancelled batch, and not its jobs beside it', async () => {
    const { async, drain, ran, world, work } = await bundle();
    world.isBroken = false;
    const batch = await async.queueJob(parallel(makeJob(work, 'a'), makeJob(work, 'b')).with({ delayMs: 60_000 }));
    await batch.cancel();
    expect((await async.retryJobs({ statuses: ['cancelled'] })).map(({ taskName }) => taskName)).toEqual(['parallel']);
    await drain();
    expect(ran).toEqual(['a', 'b']);
  });

  it('retries what failed in a batch that has completed, whatever else is asked for', async () => {
    const { async, drain, work } = await bundle();
    await async.queueSerialJobs(makeJob(work, 'a'));
    await drain();
    expect(await async.retryJobs({ statuses: ['completed', 'failed', 'pending'] })).toHaveLength(1);
  });

  it('leaves out what is gone when its turn comes', async () => {
    const { async, drain, store, work } = await bundle();
    await async.queueJobs(['a', 'b', 'c'].map((name) => makeJob(work, name)));
    await drain();
    const { find } = store;
    const [gone] = await async.getJobs({ task: work });
    store.find = async (query) => (query.ids?.includes(gone?.id ?? '') === true ? [] : find.call(store, query));
    expect(await async.retryJobs({ task: work })).toHaveLength(2);
  });

  it('leaves out jobs whose key another one has', async () => {
    const { async, drain, work } = await bundle();
    const keyed = (name: string) => makeJob(work, name).with({ uniqueKey: 'k' });
    for (const name of ['a', 'b']) {
      await async.queueJob(keyed(name));
      await drain();
    }
    const [again, ...more] = await async.retryJobs({ task: work });
    expect([again?.isExisting, more]).toEqual([false, []]);
    expect(await async.getDeadLetters()).toHaveLength(1);
  });
});

describe('cancelJobs', () => {
  it('counts no job whose work is over, though its callbacks run', async () => {
    const { async, drain, world, work } = await bundle();
    const gate = deferred();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    world.isBroken = false;
    const job = await async.queueJob(makeJob(work, 'a').withCallback(makeJob(slow)));
    await drain();
    expect((await job.refresh()).status).toBe('callbacks');
    expect(await async.cancelJobs({ task: work })).toBe(0);
    gate.resolve();
  });
});
