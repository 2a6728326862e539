/** A pause that one process asks for, and all follow. */

import type { Document } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { makeJob, NotRunningError, task } from '../../../src/index.js';
import { deferred, failureOf } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('pausing');
const fine = task('fine', { quotas: [] }, () => 42);
const single = task('single', () => 42);

describe('a pause', () => {
  it('has been followed by the dispatchers of all processes when it resolves', async () => {
    const web = await processes.start({ tasks: [fine, single], dispatcher: false });
    const workers = [await processes.start({ tasks: [fine, single] }), await processes.start({ tasks: [fine, single] })];
    await (await web.async.queueJob(fine)).waitForResult();
    await web.async.pause({ task: fine });
    const follows = await processes.collection('dispatchers').find({ state: 'alive' }).toArray();
    expect(follows.map((dispatcher) => dispatcher['pauseRevision'])).toEqual([1, 1]);
    const paused = await web.async.queueJob(fine);
    expect(await (await web.async.queueJob(single)).waitForResult()).toBe(42);
    expect((await paused.refresh()).status).toBe('pending');
    await workers[0]?.async.resume({ task: fine });
    expect(await paused.waitForResult()).toBe(42);
  });

  it('holds for processes that are started afterwards', async () => {
    const first = await processes.start({ tasks: [fine, single] });
    await first.async.pause({ task: fine });
    await first.async.stop();
    const second = await processes.start({ tasks: [fine, single] });
    const paused = await second.async.queueJob(fine);
    expect(await (await second.async.queueJob(single)).waitForResult()).toBe(42);
    expect([(await paused.refresh()).status, (await second.async.getPaused()).taskNames]).toEqual(['pending', ['fine']]);
  });

  it('puts back what was claimed ahead and has not begun', async () => {
    const { async } = await processes.start({ tasks: [single], dispatcher: { agents: [{ concurrency: 2 }] } });
    const jobs = await async.queueJobs(Array.from({ length: 300 }, () => makeJob(single)));
    await jobs[20]?.waitForResult();
    await async.pause({ task: single });
    await processes.quiet();
    const left = await processes.collection('jobs').distinct('status');
    expect(left.toSorted()).toEqual(['completed', 'pending']);
    await async.resume('everything');
    expect((await processes.collection('jobs').countDocuments({ status: 'pending' })) > 0).toBe(true);
    await async.resume({ task: single });
    for (const job of jobs) expect(await job.waitForResult()).toBe(42);
  });

  it.skipIf(processes.faults === undefined)('holds for a dispatcher whose lease begins meanwhile', async () => {
    const web = await processes.start({ tasks: [fine], dispatcher: false });
    const gate = deferred();
    const begins = processes.strike((command) => command['findAndModify'] === 'millrace.dispatchers', gate.promise);
    const worker = await processes.start({ tasks: [fine] });
    await begins;
    const job = await worker.async.queueJob(fine);
    processes.faults?.changeEvents.delay();
    await web.async.pause('everything');
    gate.resolve();
    await processes.quiet();
    expect((await job.refresh()).status).toBe('pending');
    expect(await processes.collection('dispatchers').distinct('pauseRevision')).toEqual([1]);
  });

  it.skipIf(processes.faults === undefined)('puts back what was taken by a claim that was not answered', async () => {
    let runs = 0;
    const counts = task('counts', { quotas: [] }, () => runs++);
    const { async } = await processes.start({ tasks: [counts] });
    await (await async.queueJob(counts)).waitForResult();
    const isTaking = (command: Document): boolean =>
      command['update'] === 'millrace.jobs' && JSON.stringify(command).includes('"startedAt"');
    const struck = processes.strike(isTaking, 'lose answer');
    const job = await async.queueJob(counts);
    await struck;
    await async.pause('everything');
    expect([runs, (await job.refresh()).status, job.attempts]).toEqual([1, 'pending', 0]);
    await async.resume('everything');
    await job.waitForResult();
    expect([runs, job.attempts]).toEqual([2, 1]);
  });

  it.skipIf(processes.faults === undefined)('is followed in the end by a process that could not say at first that it does', async () => {
    const { async, store } = await processes.start({ tasks: [fine] });
    await (await async.queueJob(fine)).waitForResult();
    const struck = processes.strike((command) => command['update'] === 'millrace.dispatchers', 'refuse');
    const paused = async.pause({ queue: 'mail' });
    await struck;
    expect((await async.getPaused()).queues).toEqual(['mail']);
    await store.recover(async.dispatcher?.name ?? '');
    await paused;
  });

  it('waits for nobody any more when the service stops', async () => {
    const { async } = await processes.start({ dispatcher: false });
    const leaseUntil = new Date(Date.now() + 60_000);
    await processes.collection('dispatchers').insertOne({ _id: 'deaf' as never, state: 'alive', leaseUntil });
    const paused = failureOf(async.pause('everything'));
    await processes.quiet();
    await async.stop();
    expect(await paused).toBeInstanceOf(NotRunningError);
    expect((await processes.collection('control').findOne({ _id: 'paused' as never }))?.['paused'].everything).toBe(true);
  });

  it('of a size is known to all, and outlives a start with the same configuration', async () => {
    const one = await processes.start({ tasks: [single], quotas: { reports: 2 } });
    await one.async.resizeQuota('reports', 5);
    const two = await processes.start({ tasks: [single], quotas: { reports: 2 } });
    expect(two.store.quotas.get('reports')).toBe(5);
    const three = await processes.start({ tasks: [single], quotas: { reports: 3 } });
    expect(three.store.quotas.get('reports')).toBe(3);
  });
});
