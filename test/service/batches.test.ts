import { describe, expect, it } from 'vitest';
import {
  callback,
  currentTask,
  type Draft,
  type FunctionTask,
  type Job,
  JobNotFoundError,
  JobStateError,
  makeJob,
  OptionError,
  parallel,
  serial,
  task,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, untilAborted } from '../support/deferred.js';

/** A task that writes down what ran, and fails where it is told to. */
function steps() {
  const order: string[] = [];
  const step = task('step', (name: string) => {
    order.push(name);
    if (name.startsWith('boom')) throw new Error(name);
    return name;
  });
  return { order, step };
}

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const hang = task('hang', () => untilAborted());

describe('a serial batch', () => {
  it('runs its jobs one after another, in their order', async () => {
    const { order, step } = steps();
    const { async } = await setup({ tasks: [step] });
    await (await async.queueSerialJobs(makeJob(step, 'a'), makeJob(step, 'b'), makeJob(step, 'c'))).waitForResult();
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('never runs two of them at once, with awaits in between', async () => {
    let running = 0;
    let most = 0;
    const step = task('step', async () => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      running--;
    });
    const { async } = await setup({ tasks: [step] });
    await (await async.queueSerialJobs(...Array.from({ length: 20 }, () => makeJob(step)))).waitForResult();
    expect(most).toBe(1);
  });

  it('has as its result the child jobs, each with the type of its result', async () => {
    const length = task('length', (text: string) => text.length);
    const upper = task('upper', (text: string) => text.toUpperCase());
    const { async } = await setup({ tasks: [length, upper] });
    const batch = await async.queueSerialJobs(makeJob(length, 'four'), makeJob(upper, 'text'));
    const [first, second] = await batch.waitForResult();
    const number: number | undefined = first.result;
    const text: string | undefined = second.result;
    expect([number, text]).toEqual([4, 'TEXT']);
    expect([first.status, second.status]).toEqual(['completed', 'completed']);
    expect(await second.waitForResult()).toBe('TEXT');
  });

  it('runs the rest after a failure in the middle', async () => {
    const { order, step } = steps();
    const collect = task('collect', (jobs: readonly Job<unknown>[]) => {
      order.push('postprocess');
      return jobs.map((job) => job.result ?? job.error?.message);
    });
    const { async } = await setup({ tasks: [step, collect] });
    const drafts = [makeJob(step, 'a'), makeJob(step, 'boom'), makeJob(step, 'c')] as const;
    const batch = await async.queueJob(serial(...drafts).postprocess(collect));
    expect(await batch.waitForResult()).toEqual(['a', 'boom', 'c']);
    expect(order).toEqual(['a', 'boom', 'c', 'postprocess']);
    const plain = await async.queueSerialJobs(...drafts);
    const [a, boom, c] = await plain.waitForResult();
    expect([a.status, boom.status, c.status]).toEqual(['completed', 'failed', 'completed']);
    expect(boom.error?.message).toBe('boom');
  });

  it('with `onFailure: stop` cancels the rest, saying why, and completes', async () => {
    const { order, step } = steps();
    const { async } = await setup({ tasks: [step] });
    const drafts = [makeJob(step, 'a'), makeJob(step, 'boom'), makeJob(step, 'c'), serial(makeJob(step, 'd'))] as const;
    const batch = await async.queueJob(serial(...drafts).with({ onFailure: 'stop' }));
    const [a, boom, c, d] = await batch.waitForResult();
    expect([a.status, boom.status, c.status, d.status]).toEqual(['completed', 'failed', 'cancelled', 'cancelled']);
    expect(order).toEqual(['a', 'boom']);
    const reason = c.outcome?.status === 'cancelled' ? c.outcome.reason : undefined;
    expect(reason).toBe('step-failed');
    await expect(c.waitForResult()).rejects.toThrow('was cancelled: another job of its batch failed');
  });

  it('with `onFailure: fail` runs the rest and fails, with the first error as the cause', async () => {
    const { order, step } = steps();
    const { async } = await setup({ tasks: [step] });
    const drafts = [makeJob(step, 'a'), makeJob(step, 'boom 1'), makeJob(step, 'boom 2'), makeJob(step, 'd')];
    const batch = await async.queueJob(serial(...drafts).with({ onFailure: 'fail' }));
    await batch.waitForOutcome();
    expect(batch.error).toMatchObject({ name: 'BatchFailedError', code: 'MILLRACE_BATCH_FAILED', cause: { message: 'boom 1' } });
    expect(order).toEqual(['a', 'boom 1', 'boom 2', 'd']);
    const error = await failureOf(batch.waitForResult());
    expect(((error.cause as Error).cause as Error).message).toBe('boom 1');
  });

  it('runs the callbacks of a child before it advances', async () => {
    const { order, step } = steps();
    const note = task('note', (value: unknown) => {
      order.push(`callback of ${String(value)}`);
    });
    const { async } = await setup({ tasks: [step, note] });
    const a = makeJob(step, 'a').withCallbacks({ success: note });
    await (await async.queueSerialJobs(a, makeJob(step, 'b').withCallbacks({ success: note }), makeJob(step, 'c'))).waitForResult();
    expect(order).toEqual(['a', 'callback of a', 'b', 'callback of b', 'c']);
  });

  it('waits for a child that is retried later, before it advances', async () => {
    const order: string[] = [];
    const step = task('step', { retry: { attempts: 3, retries: 'any', delayMs: 10_000 } }, (name: string, failures: number) => {
      const { attempt } = currentTask();
      order.push(`${name}${attempt}`);
      if (attempt <= failures) throw new Error('once more');
    });
    const { async, advance } = await setup({ tasks: [step] });
    const batch = await async.queueSerialJobs(makeJob(step, 'a', 2), makeJob(step, 'b', 1), makeJob(step, 'c', 0));
    await advance(60_000);
    await batch.waitForResult();
    expect(order).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']);
  });

  it('waits for a job that a child returned, before it advances', async () => {
    const order: string[] = [];
    const inner = task('inner', (name: string) => {
      order.push(name);
      return name;
    });
    const outer = task('outer', (name: string) => {
      order.push(`outer ${name}`);
      return makeJob(inner, name).with({ quotas: [] });
    });
    const { async } = await setup({ tasks: [inner, outer] });
    const [a, b] = await (await async.queueSerialJobs(makeJob(outer, 'a'), makeJob(inner, 'b'))).waitForResult();
    expect(order).toEqual(['outer a', 'a', 'b']);
    expect([a.result, b.result]).toEqual(['a', 'b']);
  });
});

describe('a parallel batch', () => {
  it('runs its jobs side by side, and gives them in declared order', async () => {
    const gates = { a: deferred<string>(), b: deferred<string>(), c: deferred<string>() };
    const order: string[] = [];
    const step = task('step', async (name: keyof typeof gates) => {
      const value = await gates[name].promise;
      order.push(name);
      return value;
    });
    const { async, drain } = await setup({ tasks: [step] });
    const batch = await async.queueParallelJobs(makeJob(step, 'a'), makeJob(step, 'b'), makeJob(step, 'c'));
    await drain();
    expect(async.dispatcher?.running).toHaveLength(3);
    for (const name of ['c', 'a', 'b'] as const) gates[name].resolve(name);
    const jobs = await batch.waitForResult();
    expect(jobs.map((job) => job.result)).toEqual(['a', 'b', 'c']);
    expect(order).toEqual(['c', 'a', 'b']);
  });

  it('with a failed child completes all the same, or fails where it is told to', async () => {
    const { step } = steps();
    const { async } = await setup({ tasks: [step] });
    const drafts = [makeJob(step, 'a'), makeJob(step, 'boom')];
    expect((await (await async.queueParallelJobs(...drafts)).waitForOutcome()).status).toBe('completed');
    const strict = await async.queueJob(parallel(...drafts).with({ onFailure: 'fail' }));
    expect((await strict.waitForOutcome()).status).toBe('failed');
  });

  it('with `onFailure: stop` cancels what is left, the running ones by their signals', async () => {
    const { step } = steps();
    const gate = deferred();
    const fail = task('fail', () => gate.promise);
    const { async, drain } = await setup({ tasks: [fail, hang, step], dispatcher: { agents: [{ concurrency: 2 }] } });
    const drafts = [makeJob(fail), makeJob(hang), makeJob(step, 'never')] as const;
    const batch = await async.queueJob(parallel(...drafts).with({ onFailure: 'stop' }));
    await drain();
    gate.reject(new Error('boom'));
    const [failed, aborted, never] = await batch.waitForResult();
    expect([failed.status, aborted.status, never.status]).toEqual(['failed', 'cancelled', 'cancelled']);
  });

  it('takes 2,000 children', async () => {
    const square = task('square', (x: number) => x * x);
    const { async } = await setup({ tasks: [square] });
    const batch = await async.queueParallelJobs(...Array.from({ length: 2_000 }, (_, index) => makeJob(square, index)));
    const jobs = await batch.waitForResult();
    expect(jobs.map((job) => job.result)).toEqual(Array.from({ length: 2_000 }, (_, index) => index * index));
  });
});

describe('a serial batch of many', () => {
  it('takes 2,000 children, and keeps their order', async () => {
    const { order, step } = steps();
    const { async } = await setup({ tasks: [step] });
    await (await async.queueSerialJobs(...Array.from({ length: 2_000 }, (_, index) => makeJob(step, `${index}`)))).waitForResult();
    expect(order).toEqual(Array.from({ length: 2_000 }, (_, index) => `${index}`));
  });
});

describe('an empty batch', () => {
  it('completes with none, serial or parallel', async () => {
    const { async } = await setup();
    expect(await (await async.queueSerialJobs()).waitForResult()).toEqual([]);
    expect(await (await async.queueParallelJobs()).waitForResult()).toEqual([]);
    expect(await (await async.queueJob(serial().with({ onFailure: 'fail' }))).waitForResult()).toEqual([]);
  });

  it('runs its postprocess with none, and its callbacks', async () => {
    const count = task('count', (jobs: readonly unknown[]) => jobs.length);
    const seen = deferred<unknown>();
    const note = task('note', (value: unknown) => {
      seen.resolve(value);
    });
    const { async } = await setup({ tasks: [count, note] });
    const draft = parallel().postprocess(count).withCallbacks({ success: note });
    expect(await (await async.queueJob(draft)).waitForResult()).toBe(0);
    expect(await seen.promise).toBe(0);
  });

  it('is a step like any other', async () => {
    const { step } = steps();
    const { async } = await setup({ tasks: [step] });
    const [a, none, b] = await (await async.queueSerialJobs(makeJob(step, 'a'), serial(), makeJob(step, 'b'))).waitForResult();
    expect([a.result, none.result, b.result]).toEqual(['a', [], 'b']);
  });
});

describe('nested batches', () => {
  it('give their results in the shape they were written in', async () => {
    const { step, order } = steps();
    const { async } = await setup({ tasks: [step] });
    const batch = await async.queueSerialJobs(
      makeJob(step, 'a'),
      parallel(makeJob(step, 'b'), makeJob(step, 'c')),
      serial(makeJob(step, 'd'), makeJob(step, 'e')),
    );
    const [a, bc, de] = await batch.waitForResult();
    expect([a.result, bc.result?.map((job) => job.result), de.result?.map((job) => job.result)]).toEqual(['a', ['b', 'c'], ['d', 'e']]);
    expect(order[0]).toBe('a');
    expect(new Set(order.slice(1, 3))).toEqual(new Set(['b', 'c']));
    expect(order.slice(3)).toEqual(['d', 'e']);
  });

  it('finish ten levels deep with a concurrency of 1', async () => {
    const { step, order } = steps();
    const { async } = await setup({ tasks: [step], dispatcher: { agents: [{ concurrency: 1 }] } });
    let draft: Draft<unknown> = makeJob(step, 'core');
    for (let level = 0; level < 10; level++) draft = (level % 2 === 0 ? serial : parallel)(draft, makeJob(step, `${level}`));
    const job = await async.queueJob(draft);
    expect((await job.waitForOutcome()).status).toBe('completed');
    expect(new Set(order)).toEqual(new Set(['core', ...Array.from({ length: 10 }, (_, level) => `${level}`)]));
  });

  it('occupy no slot: three open batches and a concurrency of 3 leave room', async () => {
    const { step } = steps();
    const { async } = await setup({ tasks: [step], dispatcher: { agents: [{ concurrency: 3 }] } });
    const drafts = Array.from({ length: 30 }, (_, index) =>
      serial(makeJob(step, `${index}`), makeJob(step, `${index}`)).with({ quotas: [] }),
    );
    const jobs = await async.queueJobs(drafts);
    for (const job of jobs) expect(await job.waitForResult()).toHaveLength(2);
  });

  it('have a postprocess that is given more than the jobs, by `callback(task, …rest)`', async () => {
    const { step } = steps();
    const join = task('join', (jobs: readonly Job<unknown>[], between: string) => jobs.map(({ result }) => result).join(between));
    const { async } = await setup({ tasks: [step, join] });
    const draft = parallel(makeJob(step, 'a'), makeJob(step, 'b')).postprocess(callback(join, ' and ').with({ priority: 1 }));
    const batch = await async.queueJob(draft);
    expect(await batch.waitForResult()).toBe('a and b');
    const [post] = await async.getJobs({ task: join });
    expect(post?.snapshot).toMatchObject({ parent: batch.id, priority: 1 });
  });

  it('wait for the callbacks and the postprocess of an inner batch', async () => {
    const { step, order } = steps();
    const after = task('after', (what: unknown) => {
      order.push(Array.isArray(what) ? 'postprocess' : `callback`);
      return 'post';
    });
    const { async } = await setup({ tasks: [step, after] });
    const inner = serial(makeJob(step, 'a')).postprocess(after).withCallbacks({ success: after });
    await (await async.queueSerialJobs(inner, makeJob(step, 'b'))).waitForResult();
    expect(order).toEqual(['a', 'postprocess', 'callback', 'b']);
  });

  it('tell `stop` from what happens inside an inner batch', async () => {
    const { step, order } = steps();
    const { async } = await setup({ tasks: [step] });
    const inner = serial(makeJob(step, 'boom'), makeJob(step, 'never')).with({ onFailure: 'stop' });
    const [first, second] = await (await async.queueJob(serial(inner, makeJob(step, 'b')).with({ onFailure: 'stop' }))).waitForResult();
    expect([first.status, second.status]).toEqual(['completed', 'completed']);
    expect(order).toEqual(['boom', 'b']);
  });
});

describe('postprocess', () => {
  const total = task('total', async (jobs: readonly Job<number>[]) => {
    let sum = 0;
    for (const job of jobs) sum += await job.waitForResult();
    return sum;
  });
  const number = task('number', (x: number) => x);

  it("gets the child jobs, ended, and makes the batch's result", async () => {
    const { async } = await setup({ tasks: [total, number] });
    const batch = await async.queueJob(parallel(makeJob(number, 25), makeJob(number, 17)).postprocess(total));
    const sum: number = await batch.waitForResult();
    expect(sum).toBe(42);
  });

  it('that fails makes the batch fail', async () => {
    const fail = task('fail', (_jobs: readonly unknown[]): string => {
      throw new Error('cannot add up');
    });
    const { async } = await setup({ tasks: [fail, number] });
    const batch = await async.queueJob(serial(makeJob(number, 1)).postprocess(fail));
    expect(await batch.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'cannot add up' } });
  });

  it('may return a job, or a draft', async () => {
    const later = task('later', (_jobs: readonly unknown[]) => makeJob(number, 7));
    const { async } = await setup({ tasks: [later, number] });
    expect(await (await async.queueJob(serial(makeJob(number, 1)).with({ quotas: [] }).postprocess(later))).waitForResult()).toBe(7);
  });

  it('does not run where the batch fails on account of a child, or is cancelled', async () => {
    const { step } = steps();
    const ran: string[] = [];
    const post = task('post', (_jobs: readonly unknown[]) => {
      ran.push('post');
    });
    const { async, drain } = await setup({ tasks: [step, post, hang] });
    const strict = await async.queueJob(serial(makeJob(step, 'boom')).with({ onFailure: 'fail' }).postprocess(post));
    expect((await strict.waitForOutcome()).status).toBe('failed');
    const cancelled = await async.queueJob(serial(makeJob(hang)).postprocess(post));
    await drain();
    await cancelled.cancel('enough');
    expect(await cancelled.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(ran).toEqual([]);
  });

  it('sees failed and cancelled children as such', async () => {
    const { step } = steps();
    const statuses = task('statuses', (jobs: readonly Job<unknown>[]) => jobs.map((job) => job.status));
    const { async } = await setup({ tasks: [step, statuses] });
    const drafts = [makeJob(step, 'a'), makeJob(step, 'boom'), makeJob(step, 'c')];
    const batch = await async.queueJob(
      serial(...drafts)
        .with({ onFailure: 'stop' })
        .postprocess(statuses),
    );
    expect(await batch.waitForResult()).toEqual(['completed', 'failed', 'cancelled']);
  });
});

describe('callbacks of batches', () => {
  it('get the child jobs, or the postprocess result, and run before waiting ends', async () => {
    const { step, order } = steps();
    const note = task('note', (jobs: readonly Job<unknown>[]) => {
      order.push(`batch of ${jobs.map((job) => String(job.result)).join()}`);
    });
    const { async } = await setup({ tasks: [step, note] });
    const draft = serial(makeJob(step, 'a'), makeJob(step, 'b')).withCallbacks({ success: note });
    await (await async.queueJob(draft)).waitForResult();
    expect(order).toEqual(['a', 'b', 'batch of a,b']);
  });

  it('run on failure with the error of the batch', async () => {
    const { step } = steps();
    const seen = deferred<unknown>();
    const note = task('note', (error: { code?: string }) => {
      seen.resolve(error.code);
    });
    const { async } = await setup({ tasks: [step, note] });
    const draft = serial(makeJob(step, 'boom')).with({ onFailure: 'fail' }).withCallbacks({ failure: note });
    await (await async.queueJob(draft)).waitForOutcome();
    expect(await seen.promise).toBe('MILLRACE_BATCH_FAILED');
  });
});

describe('cancelling a batch', () => {
  it('before its start ends it and all its children at once', async () => {
    const { step } = steps();
    const { async } = await setup({ tasks: [step], dispatcher: false });
    const batch = await async.queueSerialJobs(makeJob(step, 'a'), parallel(makeJob(step, 'b')), makeJob(step, 'c'));
    await batch.cancel('no');
    expect(batch.outcome).toEqual({ status: 'cancelled', reason: 'no' });
    const jobs = await async.getQueues().get('').jobs();
    expect(jobs.map((job) => job.status)).toEqual(jobs.map(() => 'cancelled'));
  });

  it('while it runs aborts the running child, and cancels those that are blocked', async () => {
    const { step, order } = steps();
    const { async, drain } = await setup({ tasks: [step, hang] });
    const batch = await async.queueSerialJobs(makeJob(step, 'a'), makeJob(hang), makeJob(step, 'c'));
    await drain();
    await batch.cancel('enough');
    expect(await batch.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    const jobs = await async.getQueues().get('').jobs();
    expect(Object.fromEntries(jobs.map((job) => [job.taskName, job.status]))).toMatchObject({ serial: 'cancelled', hang: 'cancelled' });
    expect(jobs.map((job) => job.outcome?.status)).toEqual(['cancelled', 'completed', 'cancelled', 'cancelled']);
    expect(order).toEqual(['a']);
  });

  it('does not end it before a child that ignores its signal has returned', async () => {
    const gate = deferred<string>();
    const deaf = task('deaf', () => gate.promise);
    const { async, drain } = await setup({ tasks: [deaf] });
    const batch = await async.queueSerialJobs(makeJob(deaf));
    await drain();
    await batch.cancel();
    expect(batch.outcome).toBeUndefined();
    gate.resolve('done');
    expect((await batch.waitForOutcome()).status).toBe('cancelled');
  });

  it('of a child alone lets the batch go on', async () => {
    const { step, order } = steps();
    const { async, drain } = await setup({ tasks: [step, hang] });
    const batch = await async.queueSerialJobs(makeJob(hang), makeJob(step, 'b'), makeJob(step, 'c'));
    await drain();
    const blocked = await async
      .getQueues()
      .get('')
      .jobs({ statuses: ['blocked'] });
    const running = await async.getQueues().get('').jobs({ task: hang });
    await blocked[0]?.cancel();
    await running[0]?.cancel();
    const jobs = await batch.waitForResult();
    expect(jobs.map((job) => job.status)).toEqual(['cancelled', 'cancelled', 'completed']);
    expect(order).toEqual(['c']);
  });

  it('frees its quota', async () => {
    const { step } = steps();
    const { async, drain } = await setup({ tasks: [step, hang] });
    const batch = await async.queueSerialJobs(makeJob(hang));
    const next = await async.queueJob(step, 'next');
    await drain();
    await batch.cancel();
    expect(await next.waitForResult()).toBe('next');
  });
});

describe('what children take over from their batch', () => {
  it('is its queue and its priority, unless they say otherwise', async () => {
    const { step } = steps();
    const { async, store } = await setup({ tasks: [step], dispatcher: false });
    const own = makeJob(step, 'own').with({ queue: 'own', priority: 7 });
    await async.queueJob(serial(makeJob(step, 'a'), parallel(makeJob(step, 'b')), own).with({ queue: 'big', priority: -2 }));
    const records = (await store.find({})).filter(({ job }) => job.taskName === 'step');
    expect(records.map(({ job }) => [job.queue, job.priority])).toEqual([
      ['big', -2],
      ['big', -2],
      ['own', 7],
    ]);
  });

  it('is neither its times nor its deadline nor its name', async () => {
    const { step } = steps();
    const { async, store, clock } = await setup({ tasks: [step], dispatcher: false });
    const times = { beginAfter: new Date(clock.now() + 1_000), beginBy: new Date(clock.now() + 2_000), name: 'batch' };
    await async.queueJob(serial(makeJob(step, 'a')).with(times));
    const child = (await store.find({})).find(({ job }) => job.taskName === 'step');
    expect(child).toBeDefined();
    expect([child?.job.beginAfter, child?.job.beginBy, child?.job.delayMs, child?.job.name]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('waits where the batch is not due, and runs once it is', async () => {
    const { step, order } = steps();
    const { async, advance, drain } = await setup({ tasks: [step] });
    const batch = await async.queueJob(serial(makeJob(step, 'a'), makeJob(step, 'b')).with({ delayMs: 5_000 }));
    await drain();
    expect(batch.status).toBe('scheduled');
    expect(order).toEqual([]);
    await advance(5_000);
    await batch.waitForResult();
    expect(order).toEqual(['a', 'b']);
  });

  it("counts a child's `delayMs` from when it could begin, after the step before it", async () => {
    const at: number[] = [];
    const step = task('step', () => {
      at.push(bundle.clock.now());
    });
    const bundle = await setup({ tasks: [step] });
    const { async, advance, clock } = bundle;
    const begin = clock.now();
    const batch = await async.queueSerialJobs(
      makeJob(step).with({ delayMs: 1_000 }),
      makeJob(step).with({ delayMs: 2_000 }),
      makeJob(step),
    );
    await advance(10_000);
    await batch.waitForResult();
    expect(at.map((time) => time - begin)).toEqual([1_000, 3_000, 3_000]);
  });

  it('fails a batch that was not started by its `beginBy`, with all its children never run', async () => {
    const { step, order } = steps();
    const gate = deferred();
    const block = task('block', () => gate.promise);
    const { async, advance, clock } = await setup({ tasks: [step, block] });
    await async.queueJob(block);
    const batch = await async.queueJob(serial(makeJob(step, 'a')).with({ beginBy: new Date(clock.now() + 1_000) }));
    await advance(2_000);
    await batch.refresh();
    expect(batch.status).toBe('failed');
    expect(batch.error?.code).toBe('MILLRACE_EXPIRED');
    gate.resolve();
    const children = await async.getQueues().get('').jobs({ task: step });
    expect(children.map(({ status }) => status)).toEqual(['cancelled']);
    expect(order).toEqual([]);
  });

  it("fails a child that was not started by its `beginBy`, while its batch's rest runs", async () => {
    const { step, order } = steps();
    const gate = deferred();
    const block = task('block', () => gate.promise);
    const { async, advance, clock } = await setup({ tasks: [step, block] });
    const late = makeJob(step, 'late').with({ beginBy: new Date(clock.now() + 1_000) });
    const batch = await async.queueSerialJobs(makeJob(block), late, makeJob(step, 'c'));
    await advance(2_000);
    gate.resolve();
    const jobs = await batch.waitForResult();
    expect(jobs.map((job) => job.status)).toEqual(['completed', 'failed', 'completed']);
    expect(jobs[1].error?.code).toBe('MILLRACE_EXPIRED');
    expect(order).toEqual(['c']);
  });

  it('refuses `onFailure` of another kind', () => {
    expect(() => serial().with({ onFailure: 'ignore' as never })).toThrow(OptionError);
    expect(() => serial().with({ onFailure: 'ignore' as never })).toThrow("'continue', 'stop', 'fail'");
  });
});

describe('many batches', () => {
  it('10,000 waiting ones hold up nothing', async () => {
    const { step } = steps();
    const gate = deferred();
    const block = task('block', () => gate.promise);
    const { async } = await setup({ tasks: [step, block] });
    await async.queueJob(block);
    await async.queueJobs(Array.from({ length: 10_000 }, () => serial(makeJob(step, 'waits'))));
    const quick = await async.queueJob(makeJob(step, 'quick').with({ quotas: [] }));
    expect(await quick.waitForResult()).toBe('quick');
    const batch = await async.queueJob(parallel(makeJob(step, 'a'), makeJob(step, 'b')).with({ quotas: [] }));
    expect(await batch.waitForResult()).toHaveLength(2);
    await async.quiet();
    gate.resolve();
  });

  it('10,000 open ones, each waiting for a child that is not due, hold up nothing', async () => {
    const { step } = steps();
    const { async, drain } = await setup({ tasks: [step] });
    const draft = serial(makeJob(step, 'later').with({ delayMs: 3_600_000 })).with({ quotas: [] });
    await async.queueJobs(Array.from({ length: 10_000 }, () => draft));
    await drain();
    const quick = await async.queueJob(makeJob(step, 'quick').with({ quotas: [] }));
    expect(await quick.waitForResult()).toBe('quick');
    await drain();
    expect(async.dispatcher?.running).toHaveLength(0);
  });
});

describe('a batch that is extended', () => {
  const pages = ['one', 'two', 'three'];

  it('by one of its own steps runs that as well, and has it in its result', async () => {
    const ran: string[] = [];
    const page: FunctionTask<(name: string) => Promise<string>> = task('page', { quotas: [] }, async (name: string) => {
      ran.push(name);
      const next = pages[pages.indexOf(name) + 1];
      if (next !== undefined) await bundle.async.extendBatch(currentTask().batch ?? '', makeJob(page, next));
      return name;
    });
    const bundle = await setup({ tasks: [page] });
    const batch = await bundle.async.queueSerialJobs(makeJob(page, 'one'));
    await bundle.drain();
    const steps: readonly Job<string>[] = await batch.waitForResult();
    expect(ran).toEqual(pages);
    expect(steps.map(({ result }) => result)).toEqual(pages);
  });

  it('gets all of the jobs, or none', async () => {
    const gate = deferred<number>();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await setup({ tasks: [slow] });
    const batch = await async.queueParallelJobs(makeJob(slow));
    await drain();
    const [one, two] = await async.extendBatch(batch, makeJob(slow), makeJob(slow));
    await drain();
    expect([(await one.refresh()).status, (await two.refresh()).status]).toEqual(['active', 'active']);
    expect((await failureOf(async.extendBatch(batch, makeJob(slow), makeJob(slow).with({ quotas: ['nowhere'] })))).message).toContain(
      'nowhere',
    );
    gate.resolve(1);
    await drain();
    expect((await batch.waitForResult()).length).toBe(3);
    const error = await failureOf(async.extendBatch(batch, makeJob(slow), makeJob(slow)));
    expect(error).toBeInstanceOf(JobStateError);
    expect(error.message).toContain('the jobs of job');
    expect((await async.getJobs({ task: slow })).length).toBe(3);
  });

  it('is refused where there is none', async () => {
    const { async, drain } = await setup({ tasks: [add] });
    const job = await async.queueJob(makeJob(add, 1, 2).with({ delayMs: 5 }));
    await drain();
    expect((await failureOf(async.extendBatch(job, makeJob(add, 1, 2)))).message).toContain('is not a batch');
    expect(await failureOf(async.extendBatch('f'.repeat(24), makeJob(add, 1, 2)))).toBeInstanceOf(JobNotFoundError);
  });

  it('in the transaction in which it is queued', async () => {
    const { async, drain } = await setup({ tasks: [add] });
    const batch = await async.transaction(async () => {
      const queued = await async.queueSerialJobs(makeJob(add, 1, 2));
      await async.extendBatch(queued, makeJob(add, 3, 4), makeJob(add, 5, 6));
      return queued;
    });
    await drain();
    const steps: readonly Job<number>[] = await batch.waitForResult();
    expect(steps.map(({ result }) => result)).toEqual([3, 7, 11]);
  });
});
