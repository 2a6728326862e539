import { describe, expect, it } from 'vitest';
import {
  currentTask,
  exponential,
  fixedDelay,
  forever,
  JobCancelledError,
  makeJob,
  never,
  OptionError,
  RetryLater,
  type RetryPolicy,
  retryCommon,
  type StoredRetry,
  TaskTimeoutError,
  task,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, Log, untilAborted } from '../support/deferred.js';

const transient = (): Error => Object.assign(new Error('write conflict'), { errorLabels: ['TransientTransactionError'] });

/** A task that fails a number of times, and the moments of its runs, in milliseconds from the start. */
function flaky(retry: RetryPolicy | undefined, failures: number, error: () => unknown = () => new Error('once more')) {
  const runs: number[] = [];
  const clock = { now: (): number => 0 };
  const options = retry === undefined ? {} : { retry };
  const work = task('flaky', options, () => {
    runs.push(clock.now());
    if (runs.length <= failures) throw error();
    return runs.length;
  });
  const begin = async (seed = 1) => {
    const bundle = await setup({ tasks: [work], seed });
    const start = bundle.clock.now();
    clock.now = () => bundle.clock.now() - start;
    return bundle;
  };
  return { work, runs, begin };
}

describe('retryCommon, the default', () => {
  it('runs five times in all on conflicts of database transactions', async () => {
    const { work, runs, begin } = flaky(undefined, 99, transient);
    const { async } = await begin();
    const job = await async.queueJob(work);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'write conflict' } });
    expect(runs).toHaveLength(5);
    expect(job.attempts).toBe(5);
  });

  it('completes where the third run works', async () => {
    const { work, runs, begin } = flaky(retryCommon, 2, transient);
    const { async } = await begin();
    expect(await (await async.queueJob(work)).waitForResult()).toBe(3);
    expect(runs).toHaveLength(3);
  });

  it("never repeats the application's own errors", async () => {
    const { work, runs, begin } = flaky(undefined, 99, () => new TypeError('mine'));
    const { async } = await begin();
    expect((await (await async.queueJob(work)).waitForOutcome()).status).toBe('failed');
    expect(runs).toHaveLength(1);
  });

  it('reads the labels of every thrown value', async () => {
    const set = { errorLabelSet: new Set(['TransientTransactionError']) };
    const { work, runs, begin } = flaky(undefined, 1, () => Object.assign(new Error('driver'), set));
    const { async } = await begin();
    expect(await (await async.queueJob(work)).waitForResult()).toBe(2);
    expect(runs).toHaveLength(2);
    const odd = flaky(undefined, 1, () => Object.assign(new Error('odd'), { errorLabels: 7 }));
    const bundle = await odd.begin();
    expect((await (await bundle.async.queueJob(odd.work)).waitForOutcome()).status).toBe('failed');
  });
});

describe('fixedDelay', () => {
  it('repeats any error, always as far apart, and then fails with the last one', async () => {
    let count = 0;
    const { work, runs, begin } = flaky(fixedDelay({ attempts: 4, delayMs: 5_000 }), 99, () => new Error(`no ${++count}`));
    const { async, advance } = await begin();
    const job = await async.queueJob(work);
    await advance(60_000);
    await job.refresh();
    expect(runs).toEqual([0, 5_000, 10_000, 15_000]);
    expect(job).toMatchObject({ status: 'failed', attempts: 4, error: { message: 'no 4' } });
  });

  it('leaves the job scheduled meanwhile, and never runs it early', async () => {
    const { work, runs, begin } = flaky(fixedDelay({ delayMs: 5_000 }), 1);
    const { async, advance } = await begin();
    const job = await async.queueJob(work);
    await advance(4_999);
    await job.refresh();
    expect(job.status).toBe('scheduled');
    expect(runs).toHaveLength(1);
    await advance(1);
    expect(await job.waitForResult()).toBe(2);
  });
});

describe('exponential', () => {
  it('waits 1 s, 2 s, 4 s, 8 s by default, each up to a tenth shorter', async () => {
    const { work, runs, begin } = flaky(exponential(), 99);
    const { async, advance } = await begin();
    await async.queueJob(work);
    await advance(60_000);
    expect(runs).toHaveLength(5);
    const waits = runs.slice(1).map((at, index) => at - (runs[index] ?? 0));
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(900 * 2 ** index);
      expect(wait).toBeLessThanOrEqual(1_000 * 2 ** index);
    }
  });

  it('grows by its factor up to its maximum, exactly so without jitter', async () => {
    const policy = exponential({ attempts: 7, firstMs: 100, factor: 3, maxMs: 2_000, jitter: 0 });
    const { work, runs, begin } = flaky(policy, 99);
    const { async, advance } = await begin();
    await async.queueJob(work);
    await advance(60_000);
    expect(runs).toEqual([0, 100, 400, 1_300, 3_300, 5_300, 7_300]);
  });

  it('waits as long for the same seed, and otherwise for another', async () => {
    const runsOf = async (seed: number): Promise<readonly number[]> => {
      const { work, runs, begin } = flaky(exponential({ jitter: 1 }), 99);
      const { async, advance } = await begin(seed);
      await async.queueJob(work);
      await advance(60_000);
      return runs;
    };
    const [one, same, other] = [await runsOf(5), await runsOf(5), await runsOf(6)];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });
});

describe('forever', () => {
  it('repeats any error a second apart until it works', async () => {
    const { work, runs, begin } = flaky(forever(), 49);
    const { async, advance } = await begin();
    const job = await async.queueJob(work);
    await advance(49_000);
    expect(await job.waitForResult()).toBe(50);
    expect(runs.at(-1)).toBe(49_000);
  });

  it('at once hinders nothing else', async () => {
    const work = task('work', { quotas: [] }, () => 'done');
    const loop = task('loop', { quotas: [], retry: forever(0) }, () => {
      throw new Error('again');
    });
    const { async } = await setup({ tasks: [work, loop] });
    const looping = await async.queueJob(loop);
    expect(await (await async.queueJob(work)).waitForResult()).toBe('done');
    await looping.cancel();
    expect((await looping.waitForOutcome()).status).toBe('cancelled');
  });
});

describe('never', () => {
  it('repeats nothing, not even conflicts', async () => {
    const { work, runs, begin } = flaky(never, 99, transient);
    const { async } = await begin();
    expect((await (await async.queueJob(work)).waitForOutcome()).status).toBe('failed');
    expect(runs).toHaveLength(1);
  });
});

describe('a policy of functions', () => {
  it('decides by the error, and how long to wait by the number of failures', async () => {
    const asked: number[] = [];
    const policy: RetryPolicy = {
      attempts: 10,
      retries: (error) => (error as Error).message !== 'fatal',
      delayMs: (failures) => {
        asked.push(failures);
        return failures * 100;
      },
    };
    let count = 0;
    const { work, runs, begin } = flaky(policy, 99, () => new Error(++count === 4 ? 'fatal' : 'again'));
    const { async, advance } = await begin();
    const job = await async.queueJob(work);
    await advance(5_000);
    await job.refresh();
    expect(asked).toEqual([1, 2, 3]);
    expect(runs).toEqual([0, 100, 300, 600]);
    expect(job.error?.message).toBe('fatal');
  });

  it.each<[string, RetryPolicy]>([
    [
      'throws',
      {
        retries: () => {
          throw new Error('broken');
        },
      },
    ],
    ['gives no number', { retries: 'any', delayMs: () => Number.NaN }],
    ['gives a number below 0', { retries: 'any', delayMs: () => -1 }],
    ['gives an endless time', { retries: 'any', delayMs: () => Number.POSITIVE_INFINITY }],
  ])('that %s is logged, and the job fails with its own error', async (_what, policy) => {
    const log = new Log();
    const work = task('work', { retry: policy }, () => {
      throw new Error('mine');
    });
    const { async, drain } = await setup({ tasks: [work], logger: log });
    const job = await async.queueJob(work);
    await drain();
    await job.refresh();
    expect(job.outcome).toMatchObject({ status: 'failed', error: { message: 'mine' } });
    expect(log.of('error').some((message) => message.includes('retry policy of work'))).toBe(true);
  });
});

describe('a policy of one job', () => {
  it('goes before that of its task', async () => {
    const { work, runs, begin } = flaky(never, 2);
    const { async, advance } = await begin();
    const job = await async.queueJob(makeJob(work).with({ retry: fixedDelay({ attempts: 3, delayMs: 10 }) }));
    await advance(100);
    expect(await job.waitForResult()).toBe(3);
    expect(runs).toEqual([0, 10, 20]);
  });

  it('may say less than all: the defaults hold for the rest', async () => {
    const { work, runs, begin } = flaky(never, 99);
    const { async } = await begin();
    expect((await (await async.queueJob(makeJob(work).with({ retry: { retries: 'any' } }))).waitForOutcome()).status).toBe('failed');
    expect(runs).toHaveLength(5);
  });

  it('is refused with functions, since it is stored', () => {
    const { work } = flaky(undefined, 0);
    const draft = makeJob(work);
    expect(() => draft.with({ retry: { delayMs: () => 5 } as never })).toThrow(OptionError);
    expect(() => draft.with({ retry: { delayMs: () => 5 } as never })).toThrow('`retry.delayMs`');
    expect(() => draft.with({ retry: { retries: () => true } as never })).toThrow('`retry.retries`');
    expect(() => draft.with({ retry: { retries: () => true } as never })).toThrow('@Task({ retry })');
  });

  it.each<[unknown, string]>([
    [{ attempts: 0 }, 'attempts'],
    [{ attempts: 1.5 }, 'attempts'],
    [{ interruptions: -1 }, 'interruptions'],
    [{ delayMs: -1 }, 'delayMs'],
    [{ delayMs: Number.POSITIVE_INFINITY }, 'delayMs'],
    [{ delayMs: 'soon' }, 'delayMs'],
    [{ delayMs: { firstMs: -1 } }, 'firstMs'],
    [{ retries: 'all' }, 'retries'],
    [{ attemps: 3 }, 'attempts'],
  ])('is refused as %j, naming the option', (retry, path) => {
    const { work } = flaky(undefined, 0);
    expect(() => makeJob(work).with({ retry: retry as StoredRetry })).toThrow(OptionError);
    expect(() => makeJob(work).with({ retry: retry as StoredRetry })).toThrow(path);
    expect(() => task('bad', { retry: retry as StoredRetry }, () => {})).toThrow(OptionError);
  });

  it('is refused with a backoff that lacks its numbers, before it could cost a job its retries', () => {
    const { work } = flaky(undefined, 0);
    expect(() => makeJob(work).with({ retry: { retries: 'any', delayMs: { firstMs: 5 } as never } })).toThrow(OptionError);
  });

  it('is refused with `null` for a delay', () => {
    const { work } = flaky(undefined, 0);
    expect(() => makeJob(work).with({ retry: { retries: 'any', delayMs: null as never } })).toThrow(OptionError);
  });

  it.each([
    ['exponential', () => exponential({ firstMs: -5 })],
    ['exponential', () => exponential({ factor: 0 })],
    ['exponential', () => exponential({ jitter: 2 })],
    ['fixedDelay', () => fixedDelay({ delayMs: -1 })],
    ['forever', () => forever(-1)],
  ])('made by %s with wrong numbers is refused at the latest by the task', (_what, make) => {
    expect(() => task('bad', { retry: make() }, () => {})).toThrow(OptionError);
  });
});

describe('RetryLater', () => {
  it('runs the job again after its time, and counts as no failure', async () => {
    const runs: number[] = [];
    const work = task('work', { retry: { attempts: 2, retries: 'any' } }, () => {
      runs.push(bundle.clock.now());
      if (runs.length <= 10) throw new RetryLater(1_000);
      if (runs.length <= 11) throw new Error('a failure');
      return runs.length;
    });
    const bundle = await setup({ tasks: [work] });
    const job = await bundle.async.queueJob(work);
    await bundle.advance(20_000);
    expect(await job.waitForResult()).toBe(12);
    expect((runs[10] ?? 0) - (runs[0] ?? 0)).toBe(10_000);
  });

  it('overrules a policy of none', async () => {
    const { work, begin } = flaky(never, 1, () => new RetryLater(500));
    const { async, advance } = await begin();
    const job = await async.queueJob(work);
    await advance(500);
    expect(await job.waitForResult()).toBe(2);
  });

  it('of 0 runs it again at once, and refuses a value that is not a time', async () => {
    const { work, runs, begin } = flaky(never, 3, () => new RetryLater(0));
    const { async } = await begin();
    expect(await (await async.queueJob(work)).waitForResult()).toBe(4);
    expect(runs).toEqual([0, 0, 0, 0]);
    expect(() => new RetryLater(-1)).toThrow(OptionError);
    expect(() => new RetryLater(Number.NaN)).toThrow(OptionError);
  });

  it('gives the quota to others meanwhile', async () => {
    const order: string[] = [];
    const work = task('work', (name: string) => {
      order.push(`${name}${currentTask().attempt}`);
      if (name === 'a' && currentTask().attempt === 1) throw new RetryLater(1_000);
    });
    const { async, advance } = await setup({ tasks: [work] });
    await async.queueJob(work, 'a');
    await async.queueJob(work, 'b');
    await advance(2_000);
    expect(order).toEqual(['a1', 'b1', 'a2']);
  });
});

describe('an attempt', () => {
  it('has its number, and the job keeps count', async () => {
    const numbers: number[] = [];
    const work = task('work', { retry: { attempts: 3, retries: 'any' } }, () => {
      numbers.push(currentTask().attempt);
      throw new Error('again');
    });
    const { async } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    expect(job.attempts).toBe(0);
    await job.waitForOutcome();
    expect(numbers).toEqual([1, 2, 3]);
    expect(job.attempts).toBe(3);
  });

  it('that works after failures leaves no trace of them in the outcome', async () => {
    const { work, begin } = flaky({ attempts: 5, retries: 'any' }, 3);
    const { async } = await begin();
    const job = await async.queueJob(work);
    expect(await job.waitForResult()).toBe(4);
    expect(job.error).toBeUndefined();
  });

  it('whose result cannot be stored is not repeated', async () => {
    let runs = 0;
    const work = task('work', { retry: { attempts: 5, retries: 'any' } }, () => {
      runs++;
      return () => {};
    });
    const { async } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(runs).toBe(1);
  });
});

describe('timeoutMs', () => {
  it('aborts the signal and fails the attempt', async () => {
    const reasons: unknown[] = [];
    const slow = task('slow', { timeoutMs: 5_000 }, () =>
      untilAborted().catch((error: unknown) => {
        reasons.push(error);
        throw error;
      }),
    );
    const { async, advance } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await advance(4_999);
    await job.refresh();
    expect(job.status).toBe('active');
    await advance(1);
    expect(await job.waitForOutcome()).toMatchObject({
      status: 'failed',
      error: { name: 'TaskTimeoutError', code: 'MILLRACE_TASK_TIMEOUT' },
    });
    expect(job.error?.message).toContain('5000');
    expect(reasons[0]).toBeInstanceOf(TaskTimeoutError);
  });

  it('leaves alone what ends in time, and no timer behind', async () => {
    const quick = task('quick', { timeoutMs: 5_000 }, () => 'quick');
    const { async, clock } = await setup({ tasks: [quick] });
    const timers = clock.scheduler.actions.length;
    expect(await (await async.queueJob(quick)).waitForResult()).toBe('quick');
    expect(clock.scheduler.actions.length).toBe(timers);
  });

  it('is retried per the policy, each attempt with the whole time', async () => {
    const runs: number[] = [];
    const slow = task('slow', { timeoutMs: 1_000, retry: fixedDelay({ attempts: 3, delayMs: 500 }) }, () => {
      runs.push(bundle.clock.now());
      return untilAborted();
    });
    const bundle = await setup({ tasks: [slow] });
    const start = bundle.clock.now();
    const job = await bundle.async.queueJob(slow);
    await bundle.advance(10_000);
    await job.refresh();
    expect(runs.map((at) => at - start)).toEqual([0, 1_500, 3_000]);
    expect(job.error?.code).toBe('MILLRACE_TASK_TIMEOUT');
  });

  it('fails a job whose method ignores its signal at once; slot and quota are kept until it returns, and the log says so', async () => {
    const log = new Log();
    const gate = deferred<string>();
    const deaf = task('deaf', { timeoutMs: 1_000 }, () => gate.promise);
    const { async, advance, drain } = await setup({ tasks: [deaf], logger: log, dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(deaf);
    const next = await async.queueJob(makeJob(deaf).with({ quotas: [] }));
    await advance(1_500);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TASK_TIMEOUT' } });
    await next.refresh();
    expect(next.status).toBe('pending');
    expect(log.of('warn').some((message) => message.includes(job.id) && message.includes('ignores its signal'))).toBe(true);
    gate.resolve('too late');
    await drain();
    await job.refresh();
    expect(job.status).toBe('failed');
    expect(await next.waitForResult()).toBe('too late');
  });

  it('does not run out while a job waits for its retry or for its callbacks', async () => {
    const gate = deferred();
    const slow = task('slow', { quotas: [] }, (_value: unknown) => gate.promise);
    const quick = task('quick', { timeoutMs: 1_000 }, () => 'quick');
    const { async, advance } = await setup({ tasks: [slow, quick] });
    const job = await async.queueJob(makeJob(quick).withCallbacks({ success: slow }));
    await advance(5_000);
    gate.resolve();
    expect(await job.waitForResult()).toBe('quick');
  });

  it('of 0 and below is refused', () => {
    expect(() => task('bad', { timeoutMs: 0 }, () => {})).toThrow(OptionError);
    expect(() => task('bad', { timeoutMs: Number.POSITIVE_INFINITY }, () => {})).toThrow('`timeoutMs`');
  });

  it('after a cancellation leaves the job cancelled', async () => {
    const slow = task('slow', { timeoutMs: 1_000 }, async () => {
      await untilAborted().catch(() => {});
      await gate.promise;
      throw new Error('late');
    });
    const gate = deferred();
    const { async, drain, advance } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await drain();
    await job.cancel('enough');
    await advance(5_000);
    gate.resolve();
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(await failureOf(job.waitForResult())).toBeInstanceOf(JobCancelledError);
  });
});
