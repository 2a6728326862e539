/** Pausing and sizing, as an application meets them. */

import { describe, expect, it } from 'vitest';
import { fixedDelay, makeJob, NotATaskError, OptionError, serial, task, UnknownQuotaError } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf } from '../support/deferred.js';

const fine = task('fine', { quotas: [] }, () => 42);
const other = task('other', { quotas: [], aliases: ['older'] }, () => 7);

describe('a pause', () => {
  it('of a task keeps its jobs waiting until it is resumed, and no others', async () => {
    const { async, drain } = await setup({ tasks: [fine, other] });
    await async.pause({ task: other });
    const [waits, runs] = await async.queueJobs([makeJob(other), makeJob(fine)]);
    await drain();
    expect([(await waits.refresh()).status, (await runs.refresh()).status]).toEqual(['pending', 'completed']);
    expect(await async.getPaused()).toEqual({ everything: false, queues: [], taskNames: ['other', 'older'] });
    await async.resume({ task: other });
    await drain();
    expect(await waits.waitForResult()).toBe(7);
  });

  it('of everything lets what runs end, batches keep their place, and jobs be queued', async () => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await setup({ tasks: [slow, fine] });
    const batch = await async.queueJob(serial(makeJob(slow), makeJob(fine)));
    await drain();
    await async.pause('everything');
    const queued = await async.queueJob(fine);
    gate.resolve(1);
    await drain();
    expect([(await batch.refresh()).status, (await queued.refresh()).status]).toEqual(['active', 'pending']);
    await async.resume('everything');
    await drain();
    expect((await batch.waitForResult()).map(({ result }) => result)).toEqual([1, 42]);
    expect(await queued.waitForResult()).toBe(42);
  });

  it('of a task holds for the next attempt of a job that failed meanwhile', async () => {
    let runs = 0;
    const gate = deferred<number>();
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, () => (++runs === 1 ? gate.promise : runs));
    const { async, drain } = await setup({ tasks: [flaky] });
    const job = await async.queueJob(flaky);
    await drain();
    await async.pause({ task: flaky });
    gate.reject(new Error('it broke'));
    await drain();
    expect([runs, (await job.refresh()).status]).toEqual([1, 'pending']);
    await async.resume({ task: flaky });
    await drain();
    expect(await job.waitForResult()).toBe(2);
  });

  it('lets jobs expire that are not started in time', async () => {
    const { async, advance, clock } = await setup({ tasks: [fine] });
    await async.pause({ queue: '' });
    const job = await async.queueJob(makeJob(fine).with({ beginBy: new Date(clock.now() + 1_000) }));
    await advance(1_000);
    expect((await job.refresh()).status).toBe('failed');
    expect(job.error?.name).toBe('ExpiredError');
  });

  it('is refused for a value that cannot be paused', async () => {
    const { async } = await setup({ tasks: [fine] });
    const refusals = await Promise.all(
      [{}, { queue: '', task: fine }, 'all', { queues: [] }].map((what) => failureOf(async.pause(what as never))),
    );
    for (const error of refusals) expect(error).toBeInstanceOf(OptionError);
    expect(refusals[0]?.message).toContain("the argument of `pause` must be 'everything', or name a queue or a task");
    expect(await failureOf(async.resume({ task: (() => 1) as never }))).toBeInstanceOf(NotATaskError);
  });
});

describe('what is paused', () => {
  it('is told as a copy', async () => {
    const { async } = await setup();
    await async.pause({ queue: 'mail' });
    ((await async.getPaused()).queues as string[]).push('other');
    expect((await async.getPaused()).queues).toEqual(['mail']);
  });

  it('can be neither changed nor looked up after the stop, as the error says', async () => {
    const { async } = await setup({ quotas: { reports: 1 } });
    await async.stop();
    const calls = [async.pause('everything'), async.resume('everything'), async.getPaused(), async.resizeQuota('reports', 2)];
    expect((await Promise.all(calls.map(failureOf))).map(({ message }) => message)).toEqual(
      ['paused', 'resumed', 'looked up', 'resized'].map((what) => `nothing can be ${what} any more: the service was stopped`),
    );
  });
});

describe('a quota', () => {
  it('can be resized while jobs run', async () => {
    const gates = [deferred<number>(), deferred<number>(), deferred<number>()];
    let next = 0;
    const held = task('held', { quotas: ['reports'] }, () => gates[next++]?.promise);
    const { async, drain } = await setup({ tasks: [held], quotas: { reports: 1 } });
    const jobs = await async.queueJobs([makeJob(held), makeJob(held), makeJob(held)]);
    const statuses = () => Promise.all(jobs.map(async (job) => (await job.refresh()).status));
    await drain();
    expect(await statuses()).toEqual(['active', 'pending', 'pending']);
    await async.resizeQuota('reports', 2);
    await drain();
    expect(await statuses()).toEqual(['active', 'active', 'pending']);
    await async.resizeQuota('reports', 1);
    gates[0]?.resolve(1);
    await drain();
    expect(await statuses()).toEqual(['completed', 'active', 'pending']);
    for (const gate of gates) gate.resolve(1);
    await drain();
    expect(await statuses()).toEqual(['completed', 'completed', 'completed']);
    expect(async.getQueues().get('').quotas.get('reports')).toBe(1);
  });

  it('is refused a size that is none, and a name that is none', async () => {
    const { async } = await setup({ tasks: [fine], quotas: { reports: 1 } });
    expect((await failureOf(async.resizeQuota('reports', 0))).message).toContain(
      '`size` of `resizeQuota` must be an integer of at least 1',
    );
    const error = await failureOf(async.resizeQuota('report', 2));
    expect(error).toBeInstanceOf(UnknownQuotaError);
    expect(error.message).toContain('did you mean `reports`?');
  });
});
