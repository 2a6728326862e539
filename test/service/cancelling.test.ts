import { describe, expect, it } from 'vitest';
import { currentTask, type FunctionTask, forever, makeJob, parallel, serial, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, untilAborted } from '../support/deferred.js';

const hang = task('hang', { quotas: [] }, () => untilAborted());

describe('a job that is cancelled', () => {
  it('in the moment it becomes active does not run on', async () => {
    const { async, drain } = await setup({ tasks: [hang] });
    const job = await async.queueJob(hang);
    job.changes.subscribe(({ status }) => {
      if (status === 'active') void job.cancel('at once');
    });
    await drain();
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'at once' });
  });

  it('between two attempts does not run on', async () => {
    let runs = 0;
    const twice = task('twice', { quotas: [], retry: forever(0) }, async () => {
      if (++runs === 1) throw new Error('again');
      await untilAborted();
    });
    const { async, drain } = await setup({ tasks: [twice] });
    const job = await async.queueJob(twice);
    job.changes.subscribe(({ attempts }) => {
      if (attempts === 2) void job.cancel();
    });
    await drain();
    await job.refresh();
    expect(job.status).toBe('cancelled');
  });

  it('while a later attempt follows a timeout has its signal aborted', async () => {
    const slow = task('slow', { quotas: [], timeoutMs: 1_000, retry: forever(0) }, () => untilAborted());
    const { async, drain, advance } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await drain();
    await advance(1_000);
    expect((await job.refresh()).attempts).toBe(2);
    await job.cancel();
    await drain();
    expect((await job.refresh()).status).toBe('cancelled');
  });

  it('and ignored that takes no job over that its task returns', async () => {
    const gate = deferred();
    const outer = task('outer', { quotas: [] }, async () => {
      await gate.promise;
      return makeJob(hang);
    });
    const { async, drain, store } = await setup({ tasks: [outer, hang] });
    const job = await async.queueJob(outer);
    await drain();
    await job.cancel('no more');
    gate.resolve();
    await drain();
    expect((await job.refresh()).status).toBe('cancelled');
    expect((await store.find({ taskNames: ['hang'] })).map(({ state }) => state.status)).toEqual(['cancelled']);
  });

  it('takes the draft along that its task returned', async () => {
    const outer = task('outer', { quotas: [] }, () => makeJob(hang));
    const { async, drain, store } = await setup({ tasks: [outer, hang] });
    const job = await async.queueJob(outer);
    await drain();
    await job.cancel();
    await drain();
    expect((await store.find({ taskNames: ['hang'] })).map(({ state }) => state.status)).toEqual(['cancelled']);
  });

  it('leaves a job alone that its task only returned', async () => {
    const outer = task('outer', { quotas: [] }, async (id: string) => bundle.async.getJob(id));
    const bundle = await setup({ tasks: [outer, hang] });
    const inner = await bundle.async.queueJob(hang);
    const job = await bundle.async.queueJob(outer, inner.id);
    await bundle.drain();
    await job.cancel();
    expect((await job.refresh()).status).toBe('cancelled');
    expect((await inner.refresh()).status).toBe('active');
  });
});

describe('a batch of ten thousand that is cancelled', () => {
  it('looks at each of its jobs once', async () => {
    const { async, drain } = await setup({ tasks: [hang], dispatcher: { agents: [{ concurrency: 100 }] } });
    const batch = await async.queueJob(parallel(...Array.from({ length: 10_000 }, () => makeJob(hang))));
    await drain();
    await batch.cancel();
    await drain();
    expect((await batch.refresh()).status).toBe('cancelled');
  });

  it('because one failed as well', async () => {
    const fails = task('fails', { quotas: [] }, () => {
      throw new Error('the first');
    });
    const waits = task('waits', { quotas: [] }, () => currentTask().job.id);
    const { async, drain } = await setup({ tasks: [fails, waits] });
    const steps = Array.from({ length: 10_000 }, () => makeJob(waits).with({ queue: 'nobody' }));
    const batch = await async.queueJob(parallel(makeJob(fails), ...steps).with({ onFailure: 'stop' }));
    await drain();
    expect((await batch.refresh()).status).toBe('completed');
  });
});

describe('a chain of thousands of returned drafts', () => {
  it('is cancelled to its end', async () => {
    const step: FunctionTask<(left: number) => unknown> = task('step', { quotas: [] }, (left: number): unknown =>
      left === 0 ? untilAborted() : makeJob(step, left - 1),
    );
    const { async, drain, store } = await setup({ tasks: [step] });
    const job = await async.queueJob(step, 5_000);
    await drain();
    await job.cancel('enough');
    await drain();
    const ends = new Set((await store.find({})).map(({ state }) => state.status));
    expect([...ends]).toEqual(['cancelled']);
  });
});

describe('a cancelled job that ignores its signal', () => {
  it('ends as cancelled when its time is over', async () => {
    const deaf = task('deaf', { quotas: [], timeoutMs: 1_000 }, () => new Promise<never>(() => {}));
    const { async, drain, advance } = await setup({ tasks: [deaf] });
    const job = await async.queueJob(deaf);
    await drain();
    await job.cancel('enough');
    await advance(2_000);
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
  });
});

describe('a serial batch that stops at a failure', () => {
  it('leaves an earlier step alone that still runs', async () => {
    const gate = deferred<string>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain, advance, clock } = await setup({ tasks: [slow, hang] });
    const late = makeJob(hang).with({ beginBy: new Date(clock.now() + 1_000) });
    const batch = await async.queueJob(serial(makeJob(slow), makeJob(hang), late, makeJob(hang)).with({ onFailure: 'stop', quotas: [] }));
    await drain();
    await advance(2_000);
    gate.resolve('in peace');
    await drain();
    const [child] = await async.getQueues().get('').jobs({ task: slow });
    expect(child?.result).toBe('in peace');
    const ends = (await async.getQueues().get('').jobs({ task: hang })).map(({ status }) => status);
    expect(ends.sort()).toEqual(['cancelled', 'cancelled', 'failed']);
    expect((await batch.refresh()).status).toBe('completed');
  });
});
