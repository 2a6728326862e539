import { filter, firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Job, JobNotFoundError, makeJob, memoryStore, parallel, serial, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';

const work = task('work', { quotas: [] }, (value: number) => value);

describe('a store that remembers few jobs that have ended, or none', () => {
  it('still tells those who were waiting, with everything below', async () => {
    const { async } = await setup({ tasks: [work], store: memoryStore({ keepEnded: 0 }) });
    const batch = await async.queueParallelJobs(makeJob(work, 1), makeJob(work, 2));
    const [first, second] = await batch.waitForResult();
    expect([first.result, second.result]).toEqual([1, 2]);
  });

  it('hands them the jobs below, however deep, as they ended', async () => {
    const { async } = await setup({ tasks: [work], store: memoryStore({ keepEnded: 0 }) });
    const batch = await async.queueParallelJobs(parallel(serial(makeJob(work, 1))));
    const [middle] = await batch.waitForResult();
    const [inner] = await middle.waitForResult();
    const [deepest] = await inner.waitForResult();
    expect(await deepest.waitForResult()).toBe(1);
    expect([middle.status, inner.status, deepest.result]).toEqual(['completed', 'completed', 1]);
    await expect(deepest.refresh()).rejects.toThrow(JobNotFoundError);
  });

  it('hands them the jobs below also where callbacks were waited for', async () => {
    const { async } = await setup({ tasks: [work], store: memoryStore({ keepEnded: 0 }) });
    const callbacks = [{ success: makeJob(work, 3) }, { failure: makeJob(work, 4) }];
    for (const callback of callbacks) {
      const batch = await async.queueJob(serial(parallel(makeJob(work, 1))).withCallbacks(callback));
      const [inner] = await batch.waitForResult();
      const [deepest] = await inner.waitForResult();
      expect(await deepest.waitForResult()).toBe(1);
    }
  });

  it('tells events and those who watch with the jobs below', async () => {
    const { async, advance } = await setup({ tasks: [work], store: memoryStore({ keepEnded: 0 }) });
    const batch = await async.queueJob(serial(parallel(makeJob(work, 1))).with({ delayMs: 1 }));
    const told = firstValueFrom(async.events.success.pipe(filter(({ job }) => job.id === batch.id)));
    const seen = lastValueFrom(batch.changes);
    await advance(1);
    const last = await seen;
    const results = [(await told).result, last.status === 'completed' ? last.result : []] as readonly (readonly Job<Job<number>[]>[])[];
    for (const [inner] of results) expect(inner?.result?.map(({ result }) => result)).toEqual([1]);
  });

  it('remembers a batch that a job returned until that job is forgotten', async () => {
    const returns = task('returns', { quotas: [] }, () => parallel(makeJob(work, 1), serial(makeJob(work, 2))));
    const look = task('look', { quotas: [] }, async ([one, two]: readonly [Job<number>, Job<readonly [Job<number>]>]) => {
      const [inner] = await two.waitForResult();
      return [await one.waitForResult(), await inner.waitForResult()];
    });
    const store = memoryStore({ keepEnded: 0 });
    const { async, drain } = await setup({ tasks: [work, returns, look], store });
    const [first, second] = await (
      await async.queueSerialJobs(makeJob(returns).withCallbacks({ success: look }), makeJob(work, 3))
    ).waitForResult();
    expect(second.result).toBe(3);
    const [one, two] = await first.waitForResult();
    expect([one.result, two.result?.map(({ result }) => result)]).toEqual([1, [2]]);
    const job = await async.queueJob(returns);
    const looked = await job.addCallbacks({ success: look });
    expect(await looked.waitForResult()).toEqual([1, 2]);
    await drain();
    expect(await store.count({})).toBe(0);
  });

  it('counts such a batch with the job that returned it', async () => {
    const returns = task('returns', { quotas: [] }, () => parallel(makeJob(work, 1), makeJob(work, 2)));
    const store = memoryStore({ keepEnded: 2 });
    const { async, drain } = await setup({ tasks: [work, returns], store });
    const first = await async.queueJob(work, 1);
    await drain();
    await async.queueJob(returns);
    await drain();
    expect((await first.refresh()).status).toBe('completed');
    expect(await store.count({})).toBe(5);
    await async.queueJobs([makeJob(work, 3), makeJob(work, 4)]);
    await drain();
    expect(await store.count({})).toBe(2);
  });

  it('says of a job that is gone that it is not there', async () => {
    const { async, drain } = await setup({ tasks: [work], store: memoryStore({ keepEnded: 0 }) });
    const job = await async.queueJob(work, 1);
    await drain();
    await expect(job.waitForResult()).rejects.toThrow(JobNotFoundError);
  });
});
