import { describe, expect, it } from 'vitest';
import { exponential, fixedDelay, makeJob, OptionError, serial, task } from '../../src/index.js';
import { retryDelay } from '../../src/job/retry-policy.js';
import type { TestAsyncOptions } from '../../src/testing/index.js';
import { setup } from '../support/bundle.js';
import { deferred, untilAborted } from '../support/deferred.js';

const hang = task('hang', () => untilAborted());

/** A task that writes down when which job ran, in milliseconds from the start. */
async function stopwatch(options: TestAsyncOptions = {}) {
  const runs: [string, number][] = [];
  const work = task('work', { quotas: [] }, (name: string) => {
    runs.push([name, bundle.clock.now() - start]);
    return name;
  });
  const bundle = await setup({ ...options, tasks: [work, hang, ...(options.tasks ?? [])] });
  const start = bundle.clock.now();
  const at = (ms: number): Date => new Date(start + ms);
  return { ...bundle, work, runs, at };
}

describe('delayMs', () => {
  it('waits for this time, and not a millisecond less', async () => {
    const { async, advance, drain, work, runs } = await stopwatch();
    const job = await async.queueJob(makeJob(work, 'a').with({ delayMs: 5_000 }));
    expect(job.status).toBe('scheduled');
    await drain();
    await advance(4_999);
    expect(runs).toEqual([]);
    await advance(1);
    expect(runs).toEqual([['a', 5_000]]);
    expect(await job.waitForResult()).toBe('a');
  });

  it('of 0 is at once', async () => {
    const { async, work } = await stopwatch();
    const job = await async.queueJob(makeJob(work, 'a').with({ delayMs: 0 }));
    expect(job.status).toBe('pending');
    expect(await job.waitForResult()).toBe('a');
  });
});

describe('beginAfter', () => {
  it('is not before', async () => {
    const { async, advance, work, runs, at } = await stopwatch();
    await async.queueJob(makeJob(work, 'a').with({ beginAfter: at(86_400_000) }));
    await advance(86_399_999);
    expect(runs).toEqual([]);
    await advance(1);
    expect(runs).toEqual([['a', 86_400_000]]);
  });

  it('in the past is at once, at the end of the line', async () => {
    const order: string[] = [];
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const { async, drain, at } = await stopwatch({ tasks: [step] });
    await async.queueJob(step, 'first');
    const late = await async.queueJob(makeJob(step, 'past').with({ beginAfter: at(-3_600_000) }));
    await async.queueJob(step, 'last');
    expect(late.status).toBe('pending');
    await drain();
    expect(order).toEqual(['first', 'past', 'last']);
  });

  it('orders jobs by when they are due, not by when they were queued', async () => {
    const order: string[] = [];
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const { async, advance, at } = await stopwatch({ tasks: [step] });
    for (const [name, ms] of Object.entries({ c: 3_000, a: 1_000, d: 4_000, b: 2_000 }))
      await async.queueJob(makeJob(step, name).with({ beginAfter: at(ms) }));
    await advance(10_000);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('brings a due job before those queued a second or more after its time', async () => {
    const order: string[] = [];
    const gate = deferred();
    const block = task('block', () => gate.promise);
    const step = task('step', (name: string) => {
      order.push(name);
    });
    const { async, advance, drain, at } = await stopwatch({ tasks: [step, block] });
    await async.queueJob(block);
    await async.queueJob(makeJob(step, 'due at 5 s').with({ beginAfter: at(5_000) }));
    await advance(4_000);
    await async.queueJob(step, 'queued at 4 s');
    await advance(2_100);
    await async.queueJob(step, 'queued at 6.1 s');
    gate.resolve();
    await drain();
    expect(order.indexOf('due at 5 s')).toBeLessThan(order.indexOf('queued at 6.1 s'));
    expect(order).toEqual(['queued at 4 s', 'due at 5 s', 'queued at 6.1 s']);
  });

  it('may be far away', async () => {
    const { async, advance, work, runs } = await stopwatch();
    await async.queueJob(makeJob(work, 'a').with({ beginAfter: new Date(Date.UTC(3000, 0, 1)) }));
    await advance(365 * 86_400_000);
    expect(runs).toEqual([]);
    expect(await async.getQueues().get('').size()).toBe(1);
  });

  it('never blocks those behind', async () => {
    const { async, work, at } = await stopwatch();
    for (let index = 0; index < 100; index++) await async.queueJob(makeJob(work, 'later').with({ beginAfter: at(60_000) }));
    expect(await (await async.queueJob(work, 'now')).waitForResult()).toBe('now');
  });
});

describe('beginBy', () => {
  it('fails a pending job behind a full quota when its time is over, and its task is not called', async () => {
    const { async, advance, runs, work, at, drain } = await stopwatch();
    const holder = await async.queueJob(hang);
    const job = await async.queueJob(makeJob(work, 'late').with({ quotas: ['default'], beginBy: at(5_000) }));
    await advance(4_999);
    await job.refresh();
    expect(job.status).toBe('pending');
    await advance(1);
    await job.refresh();
    expect(job).toMatchObject({ status: 'failed', error: { name: 'ExpiredError', code: 'MILLRACE_EXPIRED' }, attempts: 0 });
    expect(job.error?.message).toContain(job.id);
    await holder.cancel();
    await drain();
    expect(runs).toEqual([]);
  });

  it('fails a job of a task that nobody here accepts', async () => {
    const unknown = task('unknown', () => {});
    const { async, advance, at } = await stopwatch();
    const job = await async.queueJob(makeJob(unknown).with({ beginBy: at(5_000) }));
    await advance(5_000);
    await job.refresh();
    expect(job.error?.code).toBe('MILLRACE_EXPIRED');
  });

  it('fails a job in a queue that nobody serves', async () => {
    const { async, advance, at, work } = await stopwatch();
    const job = await async.queueJob(makeJob(work, 'a').with({ queue: 'nobody', beginBy: at(5_000) }));
    await advance(5_000);
    await job.refresh();
    expect(job.error?.code).toBe('MILLRACE_EXPIRED');
  });

  it('in the past fails the job, which is never run', async () => {
    const { async, drain, at, work, runs } = await stopwatch();
    const job = await async.queueJob(makeJob(work, 'a').with({ beginAfter: at(-10_000), beginBy: at(-5_000) }));
    await drain();
    await job.refresh();
    expect(job.error?.code).toBe('MILLRACE_EXPIRED');
    expect(runs).toEqual([]);
  });

  it('limits the start only', async () => {
    const gate = deferred<string>();
    const slow = task('slow', () => gate.promise);
    const { async, drain, advance, at } = await stopwatch({ tasks: [slow] });
    const job = await async.queueJob(makeJob(slow).with({ beginBy: at(1_000) }));
    await drain();
    await advance(60_000);
    gate.resolve('done');
    expect(await job.waitForResult()).toBe('done');
  });

  it('lets a retry go on before it', async () => {
    let runs = 0;
    const flaky = task('flaky', { retry: fixedDelay({ attempts: 3, delayMs: 1_000 }) }, () => {
      if (++runs < 3) throw new Error('again');
      return runs;
    });
    const { async, advance, at } = await stopwatch({ tasks: [flaky] });
    const job = await async.queueJob(makeJob(flaky).with({ beginBy: at(60_000) }));
    await advance(5_000);
    expect(await job.waitForResult()).toBe(3);
  });

  it('lets a retry go on after it, for the job was started in time', async () => {
    let runs = 0;
    const flaky = task('flaky', { retry: fixedDelay({ attempts: 3, delayMs: 10_000 }) }, () => {
      if (++runs < 3) throw new Error('again');
      return runs;
    });
    const { async, advance, at } = await stopwatch({ tasks: [flaky] });
    const job = await async.queueJob(makeJob(flaky).with({ beginBy: at(1_000) }));
    await advance(60_000);
    expect(await job.waitForResult()).toBe(3);
  });

  it('runs the callbacks for failure', async () => {
    const seen = deferred<string | undefined>();
    const note = task('note', { quotas: [] }, (error: { code?: string }) => seen.resolve(error.code));
    const { async, advance, at, work } = await stopwatch({ tasks: [note] });
    const holder = await async.queueJob(hang);
    const draft = makeJob(work, 'late')
      .with({ quotas: ['default'], beginBy: at(1_000) })
      .withCallbacks({ failure: note });
    const job = await async.queueJob(draft);
    await advance(1_000);
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(await seen.promise).toBe('MILLRACE_EXPIRED');
    await holder.cancel();
  });

  it('fails a scheduled job that may not begin before', async () => {
    const { async, advance, at, work, runs } = await stopwatch();
    const job = await async.queueJob(makeJob(work, 'a').with({ delayMs: 10_000, beginBy: at(5_000) }));
    await advance(5_000);
    await job.refresh();
    expect(job.error?.code).toBe('MILLRACE_EXPIRED');
    await advance(60_000);
    expect(runs).toEqual([]);
  });

  it('fails a blocked step in its time, and the batch goes on to complete', async () => {
    const { async, advance, at, work } = await stopwatch();
    const late = makeJob(work, 'late').with({ beginBy: at(1_000) });
    const batch = await async.queueJob(serial(makeJob(hang), late).with({ quotas: [] }));
    await advance(1_000);
    const [step] = await async.getQueues().get('').jobs({ task: work });
    expect(step?.error?.code).toBe('MILLRACE_EXPIRED');
    const [running] = await async.getQueues().get('').jobs({ task: hang });
    await running?.cancel();
    expect((await batch.waitForResult()).map((job) => job.status)).toEqual(['cancelled', 'failed']);
  });

  it('exactly at the time of a free slot is over', async () => {
    const { async, advance, at, work, drain } = await stopwatch();
    const holder = await async.queueJob(hang);
    const job = await async.queueJob(makeJob(work, 'a').with({ quotas: ['default'], beginBy: at(1_000) }));
    await drain();
    await advance(999);
    await holder.cancel();
    expect(await job.waitForResult()).toBe('a');
  });
});

describe('a retry in time', () => {
  it('takes its place by when it is due', async () => {
    const order: string[] = [];
    const flaky = task('flaky', { retry: fixedDelay({ attempts: 2, delayMs: 5_000 }) }, (name: string) => {
      order.push(name);
      if (order.filter((one) => one === name).length === 1 && name.startsWith('fails')) throw new Error('again');
    });
    const { async, advance, at } = await stopwatch({ tasks: [flaky] });
    await async.queueJob(flaky, 'fails');
    await async.queueJob(makeJob(flaky, 'at 3 s').with({ beginAfter: at(3_000) }));
    await async.queueJob(makeJob(flaky, 'at 7 s').with({ beginAfter: at(7_000) }));
    await advance(10_000);
    expect(order).toEqual(['fails', 'at 3 s', 'fails', 'at 7 s']);
  });
});

describe('times that are further away than any date', () => {
  const nothing = task('nothing', { quotas: [] }, () => {});

  it.each([Number.MAX_SAFE_INTEGER, 1e300, Number.POSITIVE_INFINITY, Number.NaN])('are refused as a delay: %d', (delayMs) => {
    expect(() => makeJob(nothing).with({ delayMs })).toThrow('from 0 to a hundred years');
    expect(() => makeJob(nothing).with({ retry: { interruptionDelayMs: delayMs } })).toThrow('interruptionDelayMs');
    expect(() => fixedDelay({ delayMs })).toThrow(OptionError);
  });

  it('are never reached by a backoff, however many attempts have failed', () => {
    const delay = (failures: number): number | undefined =>
      retryDelay(exponential({ attempts: 5_000, firstMs: 0 }), { failures, error: new Error('again'), random: 0 });
    expect(delay(2_000)).toBe(0);
    const grown = retryDelay(exponential({ attempts: 5_000 }), { failures: 4_000, error: new Error('again'), random: 0 });
    expect(grown).toBe(3_600_000);
  });
});

describe('beginBy of the side of a callback', () => {
  it('is watched from when that side is chosen', async () => {
    const nothing = task('nothing', { quotas: [] }, () => {});
    const { async, clock, drain, advance } = await setup({ tasks: [nothing] });
    const success = makeJob(nothing).with({ queue: 'nobody', beginBy: new Date(clock.now() + 5_000) });
    const job = await async.queueJob(makeJob(nothing).withCallbacks({ success }));
    await drain();
    expect((await job.refresh()).status).toBe('callbacks');
    await advance(5_001);
    expect((await job.refresh()).status).toBe('completed');
  });
});

describe('waitForAllJobs', () => {
  it('moves time as far as it takes', async () => {
    const nothing = task('nothing', { quotas: [] }, () => {});
    const { async, waitForAllJobs } = await setup({ tasks: [nothing] });
    const job = await async.queueJob(makeJob(nothing).with({ delayMs: 500 * 86_400_000 }));
    await waitForAllJobs();
    expect((await job.refresh()).status).toBe('completed');
  });
});

describe('the virtual clock', () => {
  it.each([-5, Number.NaN, Number.POSITIVE_INFINITY])('is not moved by %d', async (ms) => {
    const { advance, clock } = await setup();
    const before = clock.now();
    await expect(advance(ms)).rejects.toThrow(OptionError);
    expect(clock.now()).toBe(before);
  });

  it('is moved by the sum of two moves at once', async () => {
    const { advance, clock } = await setup();
    const before = clock.now();
    await Promise.all([advance(1_000), advance(500)]);
    expect(clock.now() - before).toBe(1_500);
  });
});
