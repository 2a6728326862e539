/** Events of the attempts that run in this process. */

import { firstValueFrom, merge, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, type IAsyncService, type JobStore, makeJob, memoryStore, RetryLater, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { setup } from '../support/bundle.js';
import { deferred, Log } from '../support/deferred.js';

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

/** Notes each event of attempts and each end, in order. */
function watch({ events }: IAsyncService): string[] {
  const seen: string[] = [];
  events.started.subscribe(({ type, job }) => seen.push(`${type} ${job.attempt}`));
  events.progress.subscribe(({ type, progress }) => seen.push(`${type} ${progress}`));
  events.retrying.subscribe(({ type, because, error, delayMs }) => seen.push(`${type} ${because} ${error?.message} ${delayMs}`));
  events.all.subscribe(({ outcome }) => seen.push(outcome.status));
  return seen;
}

onBothStores((stage) => {
  it('`retrying` is not emitted where the job is cancelled before the store gives it another attempt', async () => {
    const cancelledBefore = (store: JobStore): Partial<JobStore> => ({
      reschedule: async (again) => {
        await store.cancel(
          again.map(({ id }) => id),
          'enough',
        );
        return store.reschedule(again);
      },
    });
    const { async, drain } = await stage.start({ tasks: [flaky], faults: cancelledBefore });
    const seen = watch(async);
    await async.queueJob(flaky);
    await drain();
    expect(seen).toEqual(['started 1', 'progress 0.5', 'cancelled']);
  });

  it('`retrying` says that the job met a conflict, which is not counted as a failure', async () => {
    const meets = task('meets', { quotas: [], transactional: true, redactErrors: true }, () => {
      if (currentTask().attempt === 1) throw Object.assign(new Error('of Ann'), { errorLabels: ['TransientTransactionError'] });
    });
    const { async, stateOf, drain } = await stage.start({ tasks: [meets] });
    const seen = watch(async);
    const job = await async.queueJob(meets);
    await drain();
    expect(seen).toEqual(['started 1', expect.stringMatching(/^retrying conflict .* 0$/), 'started 2', 'completed']);
    expect(seen.join()).not.toContain('Ann');
    expect(await stateOf(job)).toMatchObject({ attempts: 2, failures: 0 });
  });

  it('`retrying` is emitted for a job that waits for its next attempt, since its task is paused', async () => {
    const paused = (store: JobStore): Partial<JobStore> => ({
      reschedule: async (again) => {
        await store.controls.pause({ taskNames: ['flaky'] }, true);
        return store.reschedule(again);
      },
    });
    const { async, drain } = await stage.start({ tasks: [flaky], faults: paused });
    const seen = watch(async);
    await async.queueJob(flaky);
    await drain();
    expect(seen).toEqual(['started 1', 'progress 0.5', 'retrying failed not yet 0']);
  });
});

onBothStores((stage) => {
  it('`progress` of a method that ignores its timeout is neither emitted nor stored after the end', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: [], timeoutMs: 1_000, failureLogLevel: 'none' }, async () => {
      const { progress } = currentTask();
      progress(1);
      await gate.promise;
      progress(2);
    });
    const { async, advance, drain, stateOf } = await stage.start({ tasks: [deaf] });
    const seen = watch(async);
    const job = await async.queueJob(deaf);
    await drain();
    await advance(1_000);
    gate.resolve();
    await drain();
    expect(seen).toEqual(['started 1', 'progress 1', 'failed']);
    expect(await stateOf(job)).toMatchObject({ status: 'failed', progress: 1 });
  });

  it('`progress` of code that goes on after its method is neither emitted nor stored, before the next attempt and in it', async () => {
    const left: ((value: number) => void)[] = [];
    const careless = task('careless', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 1_000 }) }, () => {
      const { progress } = currentTask();
      left.push(progress);
      for (const late of left) late(left.length);
      if (left.length === 1) throw new TypeError('not yet');
    });
    const { async, advance, drain, stateOf } = await stage.start({ tasks: [careless] });
    const seen = watch(async);
    const job = await async.queueJob(careless);
    await drain();
    for (const late of left) late(10);
    await advance(1_000);
    for (const late of left) late(20);
    await drain();
    const [first, second] = [
      ['started 1', 'progress 1', 'retrying failed not yet 1000'],
      ['started 2', 'progress 2', 'completed'],
    ];
    expect(seen).toEqual([...first, ...second]);
    expect(await stateOf(job)).toMatchObject({ progress: 2 });
  });

  it('`progress` that a clean-up reports comes before the end', async () => {
    const cleans = task('cleans', { quotas: [] }, () => {
      const { onEnd, progress } = currentTask();
      onEnd(() => progress(3));
    });
    const { async, drain, stateOf } = await stage.start({ tasks: [cleans] });
    const seen = watch(async);
    const job = await async.queueJob(cleans);
    await drain();
    expect(seen).toEqual(['started 1', 'progress 3', 'completed']);
    expect(await stateOf(job)).toMatchObject({ progress: 3 });
  });
});

describe('an event of an attempt', () => {
  it('does not say that a job is tried again where the store never recorded that', async () => {
    const store = memoryStore();
    const asked = deferred();
    store.reschedule = async () => {
      asked.resolve();
      throw new Error('the network');
    };
    const { async, stop } = await setup({ store, tasks: [flaky] });
    const seen = watch(async);
    await async.queueJob(flaky);
    await asked.promise;
    await stop();
    expect(seen).toEqual(['started 1', 'progress 0.5']);
  });

  it('names the job, with its queue and its metadata', async () => {
    const { async } = await setup({ tasks: [flaky] });
    const seen: unknown[] = [];
    async.events.started.subscribe(({ job }) => seen.push(job));
    const job = await async.queueJob(makeJob(flaky).with({ metadata: { tenant: 'acme' } }));
    await job.waitForResult();
    const each = { id: job.id, taskName: 'flaky', queue: '', isTransactional: false, metadata: { tenant: 'acme' } };
    expect(seen).toEqual([1, 2].map((attempt) => ({ ...each, attempt })));
  });

  it('has no error where the task asked to run again later', async () => {
    const later = task('later', { quotas: [] }, () => {
      if (currentTask().attempt === 1) throw new RetryLater(60_000);
    });
    const { async, advance } = await setup({ tasks: [later] });
    const seen: unknown[] = [];
    async.events.retrying.subscribe(({ because, error, delayMs }) => seen.push({ because, error, delayMs }));
    const job = await async.queueJob(later);
    await advance(61_000);
    await job.waitForResult();
    expect(seen).toEqual([{ because: 'retry-later', error: undefined, delayMs: 60_000 }]);
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
