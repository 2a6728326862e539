/** Jobs, callbacks and returned jobs as an application sees them, where no other test covers it (sections 1.1 to 1.8). */

import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { callback, fixedDelay, forever, type Job, makeJob, never, serial, Task, task, tasks } from '../../src/index.js';
import { MORTAL, onBothStores } from '../support/both-stores.js';
import { deferred, untilAborted } from '../support/deferred.js';

class Report {
  @Task({ quotas: [] })
  render(): string {
    return `a ${this.span} of work`;
  }

  protected get span(): string {
    return 'day';
  }
}

class YearlyReport extends Report {
  protected override get span(): string {
    return 'year';
  }
}

const work = task('work', { quotas: [], retry: forever() }, () => 42);
const echo = task('echo', { quotas: [] }, (value: unknown) => value);

/** A callback that fails a number of times, and the results with which it was called. */
function flaky(failures: number) {
  const calls: number[] = [];
  const after = task('after', { quotas: [] }, (result: number) => {
    calls.push(result);
    if (calls.length <= failures) throw new Error('no way');
  });
  return { calls, after };
}

onBothStores((stage) => {
  it('J-06 a job says when it was queued, is due, began and ended', async () => {
    const slow = task('slow', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 60_000 }) }, flaky(1).after);
    const { async, clock, advance, drain } = await stage.start({ tasks: [slow] });
    const queuedAt = new Date(clock.now());
    const at = (ms: number): Date => new Date(queuedAt.getTime() + ms);
    const job = await async.queueJob(makeJob(slow, 1).with({ delayMs: 5_000 }));
    expect(job.snapshot).toMatchObject({ queuedAt, dueAt: at(5_000), startedAt: undefined, endedAt: undefined });
    await advance(5_000);
    expect(await job.refresh()).toMatchObject({ status: 'scheduled', dueAt: at(65_000), startedAt: at(5_000) });
    await advance(60_000);
    await drain();
    expect(await job.refresh()).toMatchObject({ queuedAt, startedAt: at(65_000), endedAt: at(65_000), dueAt: undefined });
  });

  it('J-07 a job says its queue, its parent and who runs it', async () => {
    const lasting = task('lasting', { quotas: [] }, untilAborted);
    const { async, advance } = await stage.start({ tasks: [lasting], dispatcher: { stopMs: 0, agents: [{ queue: 'mail' }] } });
    const batch = await async.queueJob(serial(makeJob(lasting).with({ name: 'the first' })).with({ queue: 'mail', priority: 3 }));
    await advance(100);
    const [step] = await async.getJobs({ task: lasting });
    expect(step?.snapshot).toMatchObject({ queue: 'mail', priority: 3, name: 'the first', parent: batch.id, status: 'active' });
    expect(step?.snapshot.dispatcher).toMatch(/^process-1-/);
    expect(batch.snapshot).toMatchObject({ queue: 'mail', parent: undefined, name: undefined });
  });

  it('a draft that is returned for a draft which a step returned takes no place that the batch holds', async () => {
    const inner = task('inner', () => 'inner');
    const middle = task('middle', () => makeJob(inner));
    const outer = task('outer', () => makeJob(middle));
    const { async, drain } = await stage.start({ tasks: [inner, middle, outer] });
    const batch = await async.queueJob(serial(makeJob(outer)).with({ quotas: ['default'] }));
    await drain();
    const [step] = await batch.waitForResult();
    expect(step.outcome).toEqual({ status: 'completed', result: 'inner' });
  });

  it('a step of a batch that is one side of a callback has its own callbacks run', async () => {
    const noted: unknown[] = [];
    const note = task('note', { quotas: [] }, (name: unknown) => {
      noted.push(name);
    });
    const { async, drain } = await stage.start({ tasks: [note] });
    const side = serial(makeJob(note, 'step').withCallback(makeJob(note, 'after the step')));
    const job = await async.queueJob(makeJob(note, 'job').withCallbacks({ success: side }));
    await drain();
    expect([noted, (await job.refresh()).status]).toEqual([['job', 'step', 'after the step'], 'completed']);
  });

  it('Q-15 a job in the queue of one process runs there, queued for each it runs in all, and in the shared queue once', async () => {
    const names = ['here', 'there'];
    const where = (name: string) => task('where', { quotas: [] }, () => name);
    const start = (queue: string) => stage.start({ tasks: [where(queue)], dispatcher: { agents: [{}, { queue }] } });
    const [here, there] = [await start('here'), await start('there')];
    const { async, drain } = here;
    const own = await async.queueJobs(names.toReversed().map((queue) => makeJob(where('')).with({ queue })));
    const shared = await async.queueJob(where(''));
    await drain();
    expect(await Promise.all(own.map((job) => job.waitForResult()))).toEqual(['there', 'here']);
    expect(names).toContain(await shared.waitForResult());
    expect(Number(here.async.dispatcher?.claimed) + Number(there.async.dispatcher?.claimed)).toBe(3);
  });

  it('J-05 a job that waits for the one it returned has no result yet, and then that of the other', async () => {
    const gate = deferred<number>();
    const inner = task('inner', { quotas: [] }, () => gate.promise);
    const outer = task('outer', { quotas: [] }, () => makeJob(inner));
    const { async, drain } = await stage.start({ tasks: [inner, outer] });
    const job = await async.queueJob(outer);
    await drain();
    await job.refresh();
    expect([job.status, job.result, job.error, job.outcome]).toEqual(['active', undefined, undefined, undefined]);
    gate.resolve(42);
    await drain();
    expect([(await job.refresh()).status, job.result]).toEqual(['completed', 42]);
  });

  it('J-12 a class inherits a task under its own name, and the task runs on the class that inherits it', async () => {
    const { async } = await stage.start({ tasks: [Report, YearlyReport] });
    const [daily, yearly] = await async.queueJobs([makeJob(tasks(Report).render), makeJob(tasks(YearlyReport).render)]);
    expect([daily.taskName, yearly.taskName]).toEqual(['Report.render', 'YearlyReport.render']);
    expect([await daily.waitForResult(), await yearly.waitForResult()]).toEqual(['a day of work', 'a year of work']);
  });

  it('J-16 a job is shown by its id, its task and its status, and never by its arguments; one that is gone as well', async () => {
    const { async } = await stage.start({ tasks: [echo] });
    const job = await async.queueJob(echo, 'a secret');
    expect(inspect({ job })).toBe(`{ job: Job ${job.id} (echo, pending) }`);
    await job.waitForResult();
    expect(inspect(job)).toBe(`Job ${job.id} (echo, completed)`);
    expect(JSON.parse(JSON.stringify(job))).toEqual({ id: job.id, taskName: 'echo', status: 'completed' });
    const aborted: Job<unknown>[] = [];
    const transaction = async.transaction(async () => {
      aborted.push(await async.queueJob(echo, 'a secret'));
      throw new Error('no');
    });
    await expect(transaction).rejects.toThrow('no');
    const [gone] = (await (await async.queueJob(echo, aborted)).waitForResult()) as Job<unknown>[];
    expect(inspect(gone)).toBe(`Job ${aborted[0]?.id} (echo, gone)`);
    expect(JSON.parse(JSON.stringify(gone))).toEqual({ id: aborted[0]?.id, taskName: 'echo' });
  });

  it('C-06 a callback that fails is run again as its own draft says, and by itself not, whatever the policy of its job', async () => {
    const [usual, stubborn] = [flaky(9), flaky(9)];
    const persistent = task('persistent', { quotas: [] }, (result: number) => stubborn.after(result));
    const { async } = await stage.start({ tasks: [work, usual.after, persistent] });
    const retry = fixedDelay({ attempts: 3, delayMs: 0 });
    const draft = makeJob(work).withCallbacks({ success: usual.after });
    const job = await async.queueJob(draft.withCallbacks({ success: callback(persistent).with({ retry }) }));
    expect(await job.waitForResult()).toBe(42);
    expect([usual.calls, stubborn.calls]).toEqual([[42], [42, 42, 42]]);
  });

  it('C-09 a callback that is never to be repeated fails as aborted when its process dies, and its job ends as it had', async () => {
    const after = task('after', { quotas: [], retry: never }, () => untilAborted());
    const options = { tasks: [work, after], dispatcher: MORTAL };
    const dead = await stage.start(options);
    const job = await dead.async.queueJob(makeJob(work).withCallback(after));
    await dead.drain();
    expect((await job.refresh()).status).toBe('callbacks');
    const { async, stateOf } = await stage.succeed(dead, options);
    expect((await stateOf(job)).status).toBe('completed');
    const [aborted] = await async.getJobs({ task: after });
    expect([aborted?.error?.name, aborted?.attempts]).toEqual(['AbortedError', 1]);
  });

  it('C-10 a callback that is to be retried later is scheduled for then, holds no slot meanwhile, and its job waits for it', async () => {
    const { calls, after } = flaky(1);
    const { async, drain, advance } = await stage.start({ tasks: [work, after], dispatcher: { agents: [{ concurrency: 1 }] } });
    const later = callback(after).with({ retry: fixedDelay({ delayMs: 60_000 }) });
    const job = await async.queueJob(makeJob(work).withCallbacks({ success: later }));
    await drain();
    expect(await (await async.queueJob(work)).waitForResult()).toBe(42);
    const [waits] = await async.getJobs({ task: after });
    expect([waits?.status, (await job.refresh()).status]).toEqual(['scheduled', 'callbacks']);
    await advance(59_999);
    expect(calls).toEqual([42]);
    await advance(1);
    expect([calls, (await job.refresh()).status]).toEqual([[42, 42], 'completed']);
  });

  it('C-11 a callback runs in the process that has its task, though another has run the job', async () => {
    const { calls, after } = flaky(0);
    const works = await stage.start({ tasks: [work] });
    const job = await works.async.queueJob(makeJob(work).withCallbacks({ success: after }));
    await works.drain();
    expect([(await job.refresh()).status, calls]).toEqual(['callbacks', []]);
    const calledBack = await stage.start({ tasks: [after] });
    await works.drain();
    expect([(await job.refresh()).status, calls]).toEqual(['completed', [42]]);
    expect([works, calledBack].map(({ async }) => async.dispatcher?.claimed)).toEqual([1, 1]);
  });
});
