/** Events of the attempts that run in this process. */

import { firstValueFrom, merge, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, makeJob, RetryLater, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { setup } from '../support/bundle.js';
import { Log } from '../support/deferred.js';

const flaky = task('flaky', { quotas: [], retry: fixedDelay({ delayMs: 0 }) }, () => {
  const { attempt, progress } = currentTask();
  progress(0.5);
  if (attempt === 1) throw new TypeError('not yet');
  progress({ done: 1, total: 1 });
  return 42;
});

onBothStores((stage) => {
  it('come in the order of the life of a job: started, progress, retrying, then the end', async () => {
    const { async } = await stage.start({ tasks: [flaky] });
    const seen: unknown[] = [];
    async.events.started.subscribe(({ type, job }) => seen.push(`${type} ${job.attempt}`));
    async.events.progress.subscribe(({ type, job, progress }) => seen.push(`${type} ${job.attempt} ${JSON.stringify(progress)}`));
    async.events.retrying.subscribe(({ type, job, error, delayMs }) => seen.push(`${type} ${job.attempt} ${error?.message} ${delayMs}`));
    const ended = firstValueFrom(async.events.success);
    await async.queueJob(flaky);
    seen.push(`success ${(await ended).result}`);
    const first = ['started 1', 'progress 1 0.5', 'retrying 1 not yet 0'];
    expect(seen).toEqual([...first, 'started 2', 'progress 2 0.5', 'progress 2 {"done":1,"total":1}', 'success 42']);
  });
});

describe('an event of an attempt', () => {
  it('names the job, with its queue and its metadata', async () => {
    const { async } = await setup({ tasks: [flaky] });
    const seen: unknown[] = [];
    async.events.started.subscribe(({ job }) => seen.push(job));
    const job = await async.queueJob(makeJob(flaky).with({ metadata: { tenant: 'acme' } }));
    await job.waitForResult();
    const each = { id: job.id, taskName: 'flaky', queue: '', metadata: { tenant: 'acme' } };
    expect(seen).toEqual([1, 2].map((attempt) => ({ ...each, attempt })));
  });

  it('has no error where the task asked to run again later', async () => {
    const later = task('later', { quotas: [] }, () => {
      if (currentTask().attempt === 1) throw new RetryLater(60_000);
    });
    const { async, advance } = await setup({ tasks: [later] });
    const seen: unknown[] = [];
    async.events.retrying.subscribe(({ error, delayMs }) => seen.push({ error, delayMs }));
    const job = await async.queueJob(later);
    await advance(61_000);
    await job.waitForResult();
    expect(seen).toEqual([{ error: undefined, delayMs: 60_000 }]);
  });

  it('does not reach the attempt where its handler throws, which is logged with the job', async () => {
    const log = new Log();
    const { async } = await setup({ tasks: [flaky], logger: log });
    async.events.started.subscribe(() => {
      throw new RangeError('bad handler');
    });
    const job = await async.queueJob(flaky);
    expect(await job.waitForResult()).toBe(42);
    expect(JSON.stringify(log)).toContain('a handler threw');
    expect(JSON.stringify(log)).toContain(job.id);
  });

  it('comes no more once the service has stopped, and the streams complete', async () => {
    const { async, stop } = await setup({ tasks: [flaky] });
    const { started, progress, retrying } = async.events;
    const seen = firstValueFrom(merge(started, progress, retrying).pipe(toArray()));
    await stop();
    expect(await seen).toEqual([]);
  });

  it('is seen by subscribers that come in the middle of a job', async () => {
    const { async } = await setup({ tasks: [flaky] });
    const seen: string[] = [];
    async.events.retrying.subscribe(() => async.events.started.subscribe(({ job }) => seen.push(`started ${job.attempt}`)));
    await (await async.queueJob(flaky)).waitForResult();
    expect(seen).toEqual(['started 2']);
  });
});
