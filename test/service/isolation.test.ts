import { AsyncLocalStorage } from 'node:async_hooks';
import { firstValueFrom, from, mergeMap, timer, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentTask, makeJob, NoCurrentTaskError, task } from '../../src/index.js';
import { seededRandom } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { deferred, Log } from '../support/deferred.js';

describe('currentTask', () => {
  it('is nowhere but in a task', async () => {
    expect(() => currentTask()).toThrow(NoCurrentTaskError);
    const work = task('work', () => currentTask().job.taskName);
    const { async } = await setup({ tasks: [work] });
    expect(await (await async.queueJob(work)).waitForResult()).toBe('work');
    expect(() => currentTask()).toThrow(NoCurrentTaskError);
    expect(() => work()).toThrow(NoCurrentTaskError);
  });

  it('tells the job, the attempt and where messages go', async () => {
    const log = new Log();
    const work = task('work', () => {
      const { job, attempt, signal, logger } = currentTask();
      logger.info(`at work on ${job.id}`);
      return { job, attempt, isAborted: signal.aborted };
    });
    const { async } = await setup({ tasks: [work], logger: log });
    const job = await async.queueJob(work);
    expect(await job.waitForResult()).toEqual({ job: { id: job.id, taskName: 'work' }, attempt: 1, isAborted: false });
    expect(log.of('info')).toContain(`at work on ${job.id}`);
  });

  it('of one job is never seen by another, over 2,000 jobs that interleave', async () => {
    const random = seededRandom(7);
    const strayed: string[] = [];
    let running = 0;
    let most = 0;
    const work = task('work', { quotas: [] }, async (index: number, turns: number) => {
      const { job } = currentTask();
      most = Math.max(most, ++running);
      for (let turn = 0; turn < turns; turn++) {
        if (turn % 3 === 0) await firstValueFrom(timer(turn, bundle.clock.scheduler));
        else await Promise.resolve();
        if (currentTask().job.id !== job.id) strayed.push(job.id);
      }
      currentTask().progress(index);
      running--;
      return currentTask().job.id;
    });
    const bundle = await setup({ tasks: [work], dispatcher: { agents: [{ concurrency: 500 }] } });
    const drafts = Array.from({ length: 2_000 }, (_, index) => makeJob(work, index, 1 + Math.floor(random() * 6)));
    const jobs = await bundle.async.queueJobs(drafts);
    await bundle.waitForAllJobs();
    for (const [index, job] of jobs.entries()) {
      expect(await job.waitForResult()).toBe(job.id);
      expect(job.progress).toBe(index);
    }
    expect(strayed).toEqual([]);
    expect(most).toBeGreaterThan(100);
  });

  it('follows the task through streams and promises made inside', async () => {
    const work = task('work', async () => {
      const { id } = currentTask().job;
      const ids = from([1, 2, 3]).pipe(
        mergeMap(async () => {
          await Promise.resolve();
          return currentTask().job.id;
        }),
        toArray(),
      );
      return (await firstValueFrom(ids)).every((one) => one === id);
    });
    const { async } = await setup({ tasks: [work] });
    expect(await (await async.queueJob(work)).waitForResult()).toBe(true);
  });

  it('of a callback is the callback, not its job', async () => {
    const work = task('work', () => currentTask().job.id);
    const note = task('note', (parent: string) => [parent, currentTask().job.id]);
    const { async } = await setup({ tasks: [work, note] });
    const job = await async.queueJob(work);
    const added = await job.addCallbacks({ success: note });
    expect(await added.waitForResult()).toEqual([job.id, added.id]);
  });

  it('of the job that queues is not seen in the job that is queued, nor in its handlers', async () => {
    const inner = task('inner', { quotas: [] }, () => currentTask().job.taskName);
    const outer = task('outer', { quotas: [] }, async () => {
      const job = await bundle.async.queueJob(inner);
      return [await job.waitForResult(), currentTask().job.taskName];
    });
    const bundle = await setup({ tasks: [inner, outer] });
    expect(await (await bundle.async.queueJob(outer)).waitForResult()).toEqual(['inner', 'outer']);
  });

  it("does not carry an application's own context of the one who queued into the job", async () => {
    const tenant = new AsyncLocalStorage<string>();
    const work = task('work', { quotas: [] }, () => tenant.getStore() ?? 'nobody');
    const { async } = await setup({ tasks: [work] });
    const jobs = await tenant.run('acme', async () => [await async.queueJob(work), await async.queueJob(work)]);
    for (const job of jobs) expect(await job.waitForResult()).toBe('nobody');
  });
});

describe('what a handle shows', () => {
  it('cannot be changed in the store through it', async () => {
    const fails = task('fails', { quotas: [] }, () => {
      throw new Error('as thrown');
    });
    const works = task('works', { quotas: [] }, () => currentTask().progress({ done: 1, total: 2 }));
    const { async } = await setup({ tasks: [fails, works] });
    const failed = await async.queueJob(fails);
    await failed.waitForOutcome();
    expect(() => Object.assign(failed.error ?? {}, { message: 'changed' })).toThrow(TypeError);
    const worked = await async.queueJob(works);
    await worked.waitForOutcome();
    expect(() => Object.assign(worked.progress as object, { done: 99 })).toThrow(TypeError);
    expect((await async.getJob(failed.id))?.error?.message).toBe('as thrown');
  });
});

describe('what a running task may say', () => {
  it('is limited in size', async () => {
    const large = 'x'.repeat(2_000);
    const notes = task('notes', { quotas: [] }, () => currentTask().progress({ done: 1, note: large }));
    const annotates = task('annotates', { quotas: [] }, () => currentTask().annotate('large', large));
    const { async } = await setup({ tasks: [notes, annotates], valueLimitBytes: 1_000 });
    for (const [what, path] of [
      [notes, '`progress`'],
      [annotates, '`annotations.large`'],
    ] as const) {
      // biome-ignore format: pairs
      const job = await async.queueJob(what);
      expect((await job.waitForOutcome()).status).toBe('failed');
      expect(job.error?.message).toContain(path);
    }
  });

  it('is cleaned up after at once where the attempt is over', async () => {
    const cleaned: string[] = [];
    const gate = deferred();
    const late = task('late', { quotas: [] }, () => {
      const { onEnd } = currentTask();
      onEnd(() => cleaned.push('in time'));
      void gate.promise.then(() => onEnd(() => cleaned.push('late')));
    });
    const { async, drain } = await setup({ tasks: [late] });
    await (await async.queueJob(late)).waitForResult();
    expect(cleaned).toEqual(['in time']);
    gate.resolve();
    await drain();
    expect(cleaned).toEqual(['in time', 'late']);
  });

  it('keeps the first reason of an error that has many', async () => {
    const any = task('any', { quotas: [] }, () =>
      Promise.any([Promise.reject(new Error('the first')), Promise.reject(new Error('the second'))]),
    );
    const { async } = await setup({ tasks: [any] });
    const job = await async.queueJob(any);
    await job.waitForOutcome();
    expect(job.error).toMatchObject({ name: 'AggregateError', cause: { message: 'the first' } });
  });
});
