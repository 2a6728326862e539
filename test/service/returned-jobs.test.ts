import { Container, inject, injectable } from 'inversify';
import { filter, firstValueFrom, from, NEVER, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  callback,
  currentTask,
  type FunctionTask,
  IAsyncService,
  type Job,
  makeJob,
  memoryStore,
  parallel,
  type StoredError,
  serial,
  Task,
  task,
  tasks,
} from '../../src/index.js';
import type { TestAsync } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, untilAborted } from '../support/deferred.js';

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const boom = task('boom', { quotas: [] }, (message: string): number => {
  throw Object.assign(new RangeError(message), { code: 'E_BOOM' });
});
const hang = task('hang', { quotas: [] }, () => untilAborted());

describe('a task that returns a job', () => {
  it('has the result of that job as its own', async () => {
    const outer = task('outer', () => bundle.async.queueJob(add, 40, 2));
    const bundle = await setup({ tasks: [add, outer] });
    const job = await bundle.async.queueJob(outer);
    const result: number = await job.waitForResult();
    expect(result).toBe(42);
    expect(job.status).toBe('completed');
  });

  it('may return one that has ended already', async () => {
    const outer = task('outer', async () => {
      const inner = await bundle.async.queueJob(add, 40, 2);
      await inner.waitForResult();
      return inner;
    });
    const bundle = await setup({ tasks: [add, outer] });
    expect(await (await bundle.async.queueJob(outer)).waitForResult()).toBe(42);
  });

  it('may return a draft, which is queued for it', async () => {
    const outer = task('outer', () => makeJob(add, 40, 2));
    const { async } = await setup({ tasks: [add, outer] });
    const result: number = await (await async.queueJob(outer)).waitForResult();
    expect(result).toBe(42);
  });

  it('may return a batch, whose children it then gives', async () => {
    const outer = task('outer', () => parallel(makeJob(add, 1, 2), makeJob(add, 3, 4)));
    const { async } = await setup({ tasks: [add, outer] });
    const [first, second] = await (await async.queueJob(outer)).waitForResult();
    expect([first.result, second.result]).toEqual([3, 7]);
  });

  it('chains to any depth, and cascades back', async () => {
    const down: FunctionTask<(depth: number) => Promise<Job<unknown>> | number> = task('down', (depth: number) =>
      depth === 0 ? 42 : bundle.async.queueJob(down, depth - 1),
    );
    const bundle = await setup({ tasks: [down], dispatcher: { agents: [{ concurrency: 1 }] } });
    expect(await (await bundle.async.queueJob(down, 50)).waitForResult()).toBe(42);
  });

  it('fails as that job fails, with its error', async () => {
    const outer = task('outer', () => makeJob(boom, 'inner failed'));
    const { async } = await setup({ tasks: [boom, outer] });
    const job = await async.queueJob(outer);
    const error = await failureOf(job.waitForResult());
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'inner failed', code: 'E_BOOM' });
  });

  it('is not retried on account of that job', async () => {
    let runs = 0;
    const outer = task('outer', { retry: { attempts: 5, retries: 'any' } }, () => {
      runs++;
      return makeJob(boom, 'inner failed');
    });
    const { async } = await setup({ tasks: [boom, outer] });
    expect((await (await async.queueJob(outer)).waitForOutcome()).status).toBe('failed');
    expect(runs).toBe(1);
  });

  it('is cancelled as that job is, with its reason', async () => {
    const outer = task('outer', () => makeJob(hang));
    const { async, drain } = await setup({ tasks: [hang, outer] });
    const job = await async.queueJob(outer);
    await drain();
    const [inner] = await async.getQueues().get('').jobs({ task: hang });
    await inner?.cancel('inner');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'inner' });
  });

  it('can be cancelled while it waits for that job', async () => {
    const outer = task('outer', () => makeJob(hang));
    const { async, drain } = await setup({ tasks: [hang, outer] });
    const job = await async.queueJob(outer);
    await drain();
    await job.cancel('outer');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'outer' });
  });

  it('is active meanwhile, holds no slot, and its quota is free for others', async () => {
    const inner = task('inner', () => gate.promise);
    const gate = deferred<number>();
    const outer = task('outer', () => bundle.async.queueJob(inner));
    const bundle = await setup({ tasks: [inner, outer], dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await bundle.async.queueJob(outer);
    await bundle.drain();
    await job.refresh();
    expect(job.status).toBe('active');
    gate.resolve(42);
    expect(await job.waitForResult()).toBe(42);
  });

  it('waits for a job that is not due yet, or that somebody else will run', async () => {
    const outer = task('outer', () => makeJob(add, 40, 2).with({ delayMs: 60_000 }));
    const { async, advance } = await setup({ tasks: [add, outer] });
    const job = await async.queueJob(outer);
    await advance(59_999);
    await job.refresh();
    expect(job.status).toBe('active');
    await advance(1);
    expect(await job.waitForResult()).toBe(42);
  });

  it('waits for the callbacks of that job, and runs its own after them', async () => {
    const order: string[] = [];
    const note = task('note', (_value: unknown, name: string) => {
      order.push(name);
    });
    const outer = task('outer', () => makeJob(add, 40, 2).withCallbacks({ success: callback(note, 'inner') }));
    const { async } = await setup({ tasks: [add, note, outer] });
    const job = await async.queueJob(makeJob(outer).withCallbacks({ success: callback(note, 'outer') }));
    expect(await job.waitForResult()).toBe(42);
    expect(order).toEqual(['inner', 'outer']);
  });

  it('may give the same job as others do', async () => {
    const shared = task('shared', (job: Job<number>) => job);
    const { async } = await setup({ tasks: [add, shared] });
    const inner = await async.queueJob(makeJob(add, 40, 2).with({ delayMs: 0 }));
    const jobs = await async.queueJobs(Array.from({ length: 20 }, () => makeJob(shared, inner)));
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual(jobs.map(() => 42));
  });

  it('gives callbacks and batches its value, not the job', async () => {
    const outer = task('outer', () => makeJob(add, 40, 2).with({ quotas: [] }));
    const show = task('show', (value: number) => `value ${value}`);
    const { async } = await setup({ tasks: [add, outer, show] });
    const shown = await (await async.queueJob(outer)).addCallbacks({ success: show });
    expect(await shown.waitForResult()).toBe('value 42');
    const [child] = await (await async.queueSerialJobs(makeJob(outer))).waitForResult();
    expect(child.result).toBe(42);
  });

  it('fails where the draft cannot be queued, saying why', async () => {
    const outer = task('outer', () => makeJob(add, 1, 2).with({ quotas: ['gone'] }));
    const { async } = await setup({ tasks: [add, outer] });
    const job = await async.queueJob(outer);
    await job.waitForOutcome();
    expect(job.error?.code).toBe('MILLRACE_UNKNOWN_QUOTA');
  });

  it('may return it from a callback', async () => {
    const handle = task('handle', (_error: StoredError) => makeJob(add, 40, 2));
    const { async } = await setup({ tasks: [add, boom, handle] });
    const handled = await (await async.queueJob(boom, 'no')).addCallbacks({ failure: handle });
    expect(await handled.waitForResult()).toBe(42);
  });
});

describe('jobs that would wait for themselves', () => {
  const returns = task('returns', { quotas: [] }, async (id: string): Promise<unknown> => circle.async.getJob(id));
  const circle = { async: undefined as never as TestAsync['async'] };

  async function begin(...more: Parameters<typeof setup>[0] extends infer O ? (O & object)[] : never) {
    const bundle = await setup({ tasks: [returns, add], ...more[0] });
    circle.async = bundle.async;
    return bundle;
  }

  it('fail where a task returns its own job', async () => {
    const self = task('self', async (): Promise<unknown> => bundle.async.getJob(currentTask().job.id));
    const bundle = await setup({ tasks: [self] });
    const job = await bundle.async.queueJob(self);
    await bundle.drain();
    await job.refresh();
    expect(job.outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
    expect(job.error?.message).toContain(job.id);
  });

  it('fail where two return each other', async () => {
    const both: FunctionTask<(other?: string) => Promise<unknown>> = task('both', { quotas: [] }, async (other?: string) =>
      other === undefined ? bundle.async.queueJob(both, currentTask().job.id) : bundle.async.getJob(other),
    );
    const bundle = await setup({ tasks: [both] });
    const job = await bundle.async.queueJob(both);
    await bundle.drain();
    await job.refresh();
    expect(job.outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
  });

  it('fail where a child returns its batch', async () => {
    const parent = task('parent', { quotas: [] }, async (): Promise<unknown> => {
      const [batch] = await bundle.async
        .getQueues()
        .get('')
        .jobs({ statuses: ['active'], limit: 1 });
      return batch;
    });
    const bundle = await setup({ tasks: [parent] });
    const batch = await bundle.async.queueSerialJobs(makeJob(parent));
    await bundle.drain();
    await batch.refresh();
    expect(batch.status).toBe('completed');
    const [child] = await bundle.async.getQueues().get('').jobs({ task: parent });
    expect(child?.error?.code).toBe('MILLRACE_CIRCULAR_JOB');
  });

  it('fail where a step returns a later step of its batch', async () => {
    const first = task('first', { quotas: [] }, async (): Promise<unknown> => {
      const [next] = await bundle.async.getQueues().get('').jobs({ task: add });
      return next;
    });
    const bundle = await setup({ tasks: [first, add] });
    const batch = await bundle.async.queueSerialJobs(makeJob(first), makeJob(add, 1, 2));
    await bundle.drain();
    await batch.refresh();
    expect(batch.status).toBe('completed');
    const [child] = await bundle.async.getQueues().get('').jobs({ task: first });
    expect(child?.error?.code).toBe('MILLRACE_CIRCULAR_JOB');
  });

  it('do not form a circle if the job of a callback had ended before the callback was added', async () => {
    const { async } = await begin();
    const job = await async.queueJob(add, 1, 2);
    await job.waitForResult();
    const late = await job.addCallbacks({ success: makeJob(returns, job.id) });
    expect(await late.waitForResult()).toBe(3);
  });

  it('fail where a batch that is returned holds a step that waits for the one who returns it', async () => {
    const outer: FunctionTask<() => Promise<unknown>> = task('outer', { quotas: [] }, async () => {
      const batch = await bundle.async.queueSerialJobs(makeJob(add, 1, 2), makeJob(returns, currentTask().job.id));
      const [step] = await bundle.async.getQueues().get('').jobs({ task: returns });
      const changes = bundle.store.changes({ job: step?.id ?? '' });
      await firstValueFrom(changes.pipe(filter((change) => change.type === 'job' && change.record.state.waitsFor !== undefined)));
      return batch;
    });
    const bundle = await begin({ tasks: [outer, returns, add] });
    const job = await bundle.async.queueJob(outer);
    await bundle.drain();
    await job.refresh();
    expect(job.outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
  });

  it('fail where a callback that holds up its job returns it', async () => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await begin({ tasks: [returns, slow] });
    const job = await async.queueJob(slow);
    const added = await job.addCallbacks({ success: makeJob(returns, job.id) });
    gate.resolve(42);
    await drain();
    await job.refresh();
    expect(job.outcome).toEqual({ status: 'completed', result: 42 });
    expect((await added.waitForOutcome()).status).toBe('failed');
    expect(added.error?.code).toBe('MILLRACE_CIRCULAR_JOB');
  });

  it('fail where a job returns a callback of its own', async () => {
    const work = task('work', { quotas: [] }, async (): Promise<unknown> => {
      const self = await bundle.async.getJob(currentTask().job.id);
      return self?.addCallbacks({ success: makeJob(add, 1, 2) });
    });
    const bundle = await setup({ tasks: [work, add] });
    const job = await bundle.async.queueJob(work);
    await bundle.drain();
    await job.refresh();
    expect(job.outcome).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
  });
});

describe('a task that returns an observable', () => {
  it('has its last value as the result', async () => {
    const stream = task('stream', () => from([1, 2, 3]));
    const none = task('none', () => of<number[]>());
    const { async } = await setup({ tasks: [stream, none] });
    const last: number = await (await async.queueJob(stream)).waitForResult();
    expect(last).toBe(3);
    expect(await (await async.queueJob(none)).waitForResult()).toBeUndefined();
  });

  it('is unsubscribed from when the job is cancelled', async () => {
    const endless = task('endless', () => NEVER);
    const { async, drain } = await setup({ tasks: [endless] });
    const job = await async.queueJob(endless);
    await drain();
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
  });
});

describe('tasks that queue jobs', () => {
  @injectable()
  class Reports {
    constructor(@inject(IAsyncService) private readonly async: IAsyncService) {}

    @Task() async split(parts: number): Promise<Job<number>[]> {
      return this.async.queueJobs(Array.from({ length: parts }, (_, index) => makeJob(add, index, 1)));
    }

    @Task() async whole(parts: number): Promise<number> {
      const jobs = await this.split(parts);
      let sum = 0;
      for (const job of jobs) sum += await job.waitForResult();
      return sum;
    }

    @Task() async later(): Promise<Job<number>> {
      return this.async.queueJob(add, 40, 2);
    }
  }
  const reports = tasks(Reports);

  it('do so through the service that is injected', async () => {
    const { async } = await setup({ tasks: [Reports, add], container: new Container() });
    const jobs = await (await async.queueJob(reports.split, 3)).waitForResult();
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([1, 2, 3]);
  });

  it('may wait for them, where slots and quotas are left', async () => {
    const { async } = await setup({ tasks: [Reports, add] });
    expect(await (await async.queueJob(reports.whole, 100)).waitForResult()).toBe(5_050);
  });

  it('may return one', async () => {
    const { async } = await setup({ tasks: [Reports, add] });
    const result: number = await (await async.queueJob(reports.later)).waitForResult();
    expect(result).toBe(42);
  });

  it('may add steps to come as callbacks of their own job', async () => {
    const order: string[] = [];
    const step = task('step', { quotas: [] }, async (name: string) => {
      order.push(name);
      const self = await bundle.async.getJob(currentTask().job.id);
      if (name === 'a') await self?.addCallback(serial(makeJob(step2, 'b'), makeJob(step2, 'c')));
    });
    const step2 = task('step2', { quotas: [] }, (name: string) => {
      order.push(name);
    });
    const bundle = await setup({ tasks: [step, step2] });
    await (await bundle.async.queueJob(step, 'a')).waitForResult();
    expect(order).toEqual(['a', 'b', 'c']);
  });
});

describe('a draft that a step of a batch returns', () => {
  const inner = task('inner', () => 'inner');

  it('takes no place that the batch holds, unless it names one', async () => {
    const outer = task('outer', () => makeJob(inner));
    const { async } = await setup({ tasks: [outer, inner] });
    const batch = await async.queueJob(serial(makeJob(outer)).with({ quotas: ['default'] }));
    const [step] = await batch.waitForResult();
    expect(step.outcome).toEqual({ status: 'completed', result: 'inner' });
  });

  it('is refused where it could never run', async () => {
    const outer = task('outer', () => makeJob(inner).with({ quotas: ['default'] }));
    const { async } = await setup({ tasks: [outer, inner] });
    const batch = await async.queueJob(serial(makeJob(outer)).with({ quotas: ['default'] }));
    const [step] = await batch.waitForResult();
    expect(step.error?.code).toBe('MILLRACE_QUOTA');
  });

  it('goes to the queue of the one who returned it', async () => {
    const outer = task('outer', () => makeJob(inner));
    const { async } = await setup({ tasks: [outer, inner], dispatcher: { agents: [{ queue: 'q' }] } });
    const job = await async.queueJob(makeJob(outer).with({ queue: 'q' }));
    expect(await job.waitForResult()).toBe('inner');
  });

  it('is refused as a job as well that needs what its batch holds', async () => {
    const outer = task('outer', async () => bundle.async.queueJob(inner));
    const bundle = await setup({ tasks: [outer, inner] });
    const batch = await bundle.async.queueJob(serial(makeJob(outer)).with({ quotas: ['default'] }));
    const [step] = await batch.waitForResult();
    expect(step.error?.code).toBe('MILLRACE_QUOTA');
  });
});

describe('a job that waits, over other jobs, for places that a batch around it holds', () => {
  const work = task('work', () => 42);

  it.each([
    ['that was returned before', true],
    ['that is returned later', false],
  ])('fails, with one %s', async (_when, isFirst) => {
    const gate = deferred();
    const relay = task('relay', { quotas: [] }, async () => {
      if (!isFirst) await gate.promise;
      return makeJob(work);
    });
    const step = task('step', { quotas: [] }, async () => {
      const job = await bundle.async.queueJob(relay);
      if (isFirst) await bundle.async.getJob(job.id).then(() => gate.promise);
      return job;
    });
    const bundle = await setup({ tasks: [work, relay, step] });
    const batch = await bundle.async.queueJob(serial(makeJob(step)).with({ quotas: ['default'] }));
    await bundle.drain();
    gate.resolve();
    const [child] = await batch.waitForResult();
    expect(child.error?.code).toBe('MILLRACE_QUOTA');
  });

  it('fails where a callback of a step follows a batch that is not open yet', async () => {
    let batch: Job<unknown> | undefined;
    const nothing = task('nothing', { quotas: [] }, () => {});
    const back = task('back', { quotas: [] }, () => batch);
    const { async, drain, advance } = await setup({ tasks: [nothing, back] });
    batch = await async.queueJob(parallel(makeJob(nothing).withCallback(back)).with({ delayMs: 10_000, quotas: [] }));
    const [step] = await async.getQueues().get('').jobs({ task: nothing });
    await step?.cancel();
    await drain();
    await advance(60_000);
    expect((await batch.refresh()).status).toBe('completed');
    const [callback] = await async.getQueues().get('').jobs({ task: back });
    expect(callback?.error?.code).toBe('MILLRACE_CIRCULAR_JOB');
  });
});

describe('a draft that is returned while the store cannot be reached', () => {
  it('is queued once it can', async () => {
    const store = memoryStore();
    const insert = store.insert.bind(store);
    let failures = 0;
    const inner = task('inner', { quotas: [] }, () => 'inner');
    const outer = task('outer', { quotas: [] }, () => {
      store.insert = (trees) => (failures++ < 2 ? Promise.reject(new Error('connection lost')) : insert(trees));
      return makeJob(inner);
    });
    const { async, drain, advance } = await setup({ tasks: [inner, outer], store });
    const job = await async.queueJob(outer);
    await drain();
    await advance(5_000);
    expect(await job.waitForResult()).toBe('inner');
  });
});
