import { concat, firstValueFrom, from, Observable, of, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../src/clock.js';
import {
  currentTask,
  exponential,
  fixedDelay,
  type IAsyncService,
  type Job,
  JobCancelledError,
  type JobStore,
  makeJob,
  memoryStore,
  RetryLater,
  type RetryPolicy,
  serial,
  TaskTimeoutError,
  task,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, Log, untilAborted } from '../support/deferred.js';

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);

const stateOf = async (store: JobStore, { id }: Job<unknown>) => (await store.find({ ids: [id] }))[0]?.state;

describe('a timeout', () => {
  it('aborts the signal, and fails the job of a method that heeds it', async () => {
    let reason: unknown;
    const heeds = task('heeds', { quotas: [], timeoutMs: 1_000 }, () =>
      untilAborted().catch((error: unknown) => {
        reason = error;
        throw error;
      }),
    );
    const { async, advance, drain } = await setup({ tasks: [heeds] });
    const job = await async.queueJob(heeds);
    await drain();
    await advance(999);
    expect((await job.refresh()).status).toBe('active');
    await advance(1);
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(job.error).toMatchObject({ name: 'TaskTimeoutError', code: 'MILLRACE_TASK_TIMEOUT' });
    expect(job.error?.message).toContain(`job ${job.id} (heeds) ran longer than its \`timeoutMs\` of 1000`);
    expect(reason).toBeInstanceOf(TaskTimeoutError);
  });

  it('fails the job also where the method returns a value after it', async () => {
    const late = task('late', { quotas: [], timeoutMs: 1_000 }, () => untilAborted().catch(() => 'too late'));
    const { async, advance } = await setup({ tasks: [late] });
    const job = await async.queueJob(late);
    await advance(1_000);
    expect((await job.waitForOutcome()).status).toBe('failed');
  });

  it('is none for a method that ends in time, and leaves no timer', async () => {
    const quick = task('quick', { quotas: [], timeoutMs: 1_000 }, () => 'in time');
    const { async, advance, clock, stop } = await setup({ tasks: [quick] });
    const job = await async.queueJob(quick);
    expect(await job.waitForResult()).toBe('in time');
    await advance(2_000);
    expect((await job.refresh()).status).toBe('completed');
    await stop();
    expect(clock.scheduler.actions).toHaveLength(0);
  });

  it('leaves a method that ignores its signal its slot and its quota place until it returns', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: ['press'], timeoutMs: 1_000 }, () => gate.promise);
    const press = task('press', { quotas: ['press'] }, () => 'pressed');
    const log = new Log();
    const { async, advance, drain } = await setup({
      tasks: [deaf, press],
      quotas: { press: 1 },
      logger: log,
    });
    const job = await async.queueJob(deaf);
    const next = await async.queueJob(press);
    await advance(1_000);
    expect((await job.waitForOutcome()).status).toBe('failed');
    await advance(5_000);
    expect((await next.refresh()).status).toBe('pending');
    expect(async.dispatcher?.running.map(({ id }) => id)).toEqual([job.id]);
    expect(log.of('warn').join()).toContain(`job ${job.id} (deaf) ran into its timeout and ignores its signal`);
    gate.resolve();
    expect(await next.waitForResult()).toBe('pressed');
    await drain();
    expect(async.dispatcher?.running).toEqual([]);
  });

  it('leaves a method that ignores its signal its slot', async () => {
    const gate = deferred();
    const deaf = task('deaf', { quotas: [], timeoutMs: 1_000 }, () => gate.promise);
    const { async, advance, drain } = await setup({ tasks: [deaf, add], dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(deaf);
    await advance(1_000);
    expect((await job.waitForOutcome()).status).toBe('failed');
    const next = await async.queueJob(add, 1, 2);
    await drain();
    expect((await next.refresh()).status).toBe('pending');
    gate.resolve();
    expect(await next.waitForResult()).toBe(3);
  });

  it('does not warn of a method that heeds its signal', async () => {
    const heeds = task('heeds', { quotas: [], timeoutMs: 1_000 }, () => untilAborted());
    const log = new Log();
    const { async, advance, drain } = await setup({ tasks: [heeds], logger: log });
    await async.queueJob(heeds);
    await advance(1_000);
    await drain();
    expect(log.of('warn')).toEqual([]);
  });

  it('runs the method again only when it has returned', async () => {
    const gate = deferred();
    let running = 0;
    let most = 0;
    const deaf = task('deaf', { quotas: [], timeoutMs: 1_000, retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, async () => {
      most = Math.max(most, ++running);
      if (currentTask().attempt === 1) await gate.promise;
      running--;
      return currentTask().attempt;
    });
    const { async, advance, drain } = await setup({ tasks: [deaf] });
    const job = await async.queueJob(deaf);
    await advance(60_000);
    expect(await job.refresh()).toMatchObject({ status: 'active', attempts: 1 });
    gate.resolve();
    expect(await job.waitForResult()).toBe(2);
    await drain();
    expect(most).toBe(1);
  });

  it('is counted anew for each attempt', async () => {
    const heeds = task('heeds', { quotas: [], timeoutMs: 1_000, retry: fixedDelay({ attempts: 3, delayMs: 500 }) }, () => untilAborted());
    const { async, advance } = await setup({ tasks: [heeds] });
    const job = await async.queueJob(heeds);
    await advance(3_999);
    expect((await job.refresh()).status).toBe('active');
    await advance(1);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TASK_TIMEOUT' } });
    expect(job.attempts).toBe(3);
  });

  it('records the progress that was told just before it', async () => {
    const gate = deferred();
    const memory = memoryStore();
    const slow = new Proxy(memory, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (key === 'report')
          return async (reports: Parameters<JobStore['report']>[0]) => {
            await gate.promise;
            return memory.report(reports);
          };
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const told = task('told', { quotas: [], timeoutMs: 1_000 }, () => {
      currentTask().progress(0.5);
      return untilAborted();
    });
    const { async, clock } = await setup({ store: slow, tasks: [told] });
    const job = await async.queueJob(told);
    const turns = async (): Promise<void> => {
      for (let count = 0; count < 5; count++) await firstValueFrom(nextTurn());
    };
    await clock.advance(1_000, turns);
    gate.resolve();
    await job.waitForOutcome();
    expect(job.progress).toBe(0.5);
  });
});

describe('cancelling a running job', () => {
  it('aborts its signal with the reason, and cancels a job that throws then', async () => {
    let reason: unknown;
    const watch = task('watch', { quotas: [] }, () =>
      untilAborted().catch((error: unknown) => {
        reason = error;
        throw new Error('something else');
      }),
    );
    const { async, drain } = await setup({ tasks: [watch] });
    const job = await async.queueJob(watch);
    await drain();
    await job.cancel('not needed');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'not needed' });
    expect(reason).toBeInstanceOf(JobCancelledError);
    expect(reason).toMatchObject({ jobId: job.id, taskName: 'watch', reason: 'not needed' });
  });

  it('completes a job that returns all the same: work that was done, is done', async () => {
    const tidy = task('tidy', { quotas: [] }, () => untilAborted().catch(() => 'as far as I got'));
    const { async, drain } = await setup({ tasks: [tidy] });
    const job = await async.queueJob(tidy);
    await drain();
    await job.cancel();
    expect(await job.waitForResult()).toBe('as far as I got');
  });

  it('runs it no more, whatever its policy says and whatever it throws', async () => {
    const stubborn = task('stubborn', { quotas: [], retry: { attempts: 9, retries: 'any' } }, () =>
      untilAborted().catch(() => {
        throw new RetryLater(0);
      }),
    );
    const { async, drain } = await setup({ tasks: [stubborn] });
    const job = await async.queueJob(stubborn);
    await drain();
    await job.cancel();
    expect((await job.waitForOutcome()).status).toBe('cancelled');
    expect(job.attempts).toBe(1);
  });

  it('ends the pause before its next attempt', async () => {
    const boom = task('boom', { quotas: [], retry: fixedDelay({ attempts: 9, delayMs: 60_000 }) }, () => {
      throw new Error('no');
    });
    const { async, drain } = await setup({ tasks: [boom] });
    const job = await async.queueJob(boom);
    await drain();
    await job.cancel();
    expect((await job.refresh()).status).toBe('cancelled');
  });

  it('shows in a signal that is only asked for afterwards', async () => {
    const gate = deferred();
    const late = task('late', { quotas: [] }, async () => {
      await gate.promise;
      currentTask().signal.throwIfAborted();
    });
    const { async, drain } = await setup({ tasks: [late] });
    const job = await async.queueJob(late);
    await drain();
    await job.cancel('late');
    gate.resolve();
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'late' });
  });

  it('gives the first cause as the reason when its timeout comes after it', async () => {
    const gate = deferred();
    const slow = task('slow', { quotas: [], timeoutMs: 1_000 }, async () => {
      await gate.promise;
      throw currentTask().signal.reason;
    });
    const { async, advance, drain } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await drain();
    await job.cancel();
    await advance(2_000);
    gate.resolve();
    expect((await job.waitForOutcome()).status).toBe('cancelled');
  });
});

describe('RetryLater', () => {
  it('runs the job again after the delay, counting no failure', async () => {
    const store = memoryStore();
    const polls = task('polls', { quotas: [] }, () => {
      if (currentTask().attempt < 4) throw new RetryLater(1_000);
      return 'ready';
    });
    const { async, advance, drain } = await setup({ store, tasks: [polls] });
    const job = await async.queueJob(polls);
    await drain();
    expect((await job.refresh()).status).toBe('scheduled');
    await advance(2_999);
    expect((await job.refresh()).attempts).toBe(3);
    await advance(1);
    expect(await job.waitForResult()).toBe('ready');
    expect(await stateOf(store, job)).toMatchObject({ failures: 0, attempts: 4 });
  });

  it('uses up no attempt of the policy, not even of `never`', async () => {
    const twice = task('twice', { quotas: [], retry: { attempts: 2, retries: 'any' } }, () => {
      const { attempt } = currentTask();
      if (attempt <= 5) throw new RetryLater(0);
      if (attempt === 6) throw new Error('the first failure');
      return attempt;
    });
    const { async } = await setup({ tasks: [twice] });
    expect(await (await async.queueJob(twice)).waitForResult()).toBe(7);
  });

  it('gives its quota up while it waits', async () => {
    const again = task('again', () => {
      if (currentTask().attempt === 1) throw new RetryLater(60_000);
    });
    const other = task('other', () => 'ran');
    const { async } = await setup({ tasks: [again, other] });
    await async.queueJob(again);
    expect(await (await async.queueJob(other)).waitForResult()).toBe('ran');
  });

  it('fails the job readably when it asks for a time that no date can hold', async () => {
    const never = task('never', { quotas: [] }, () => {
      throw new RetryLater(Number.MAX_VALUE);
    });
    const { async, advance } = await setup({ tasks: [never] });
    const job = await async.queueJob(never);
    await advance(1_000);
    expect((await job.refresh()).status).toBe('failed');
  });
});

describe('a retry', () => {
  it('at once keeps the slot and the quota place', async () => {
    const order: string[] = [];
    const boom = task('boom', { retry: fixedDelay({ attempts: 3, delayMs: 0 }) }, () => {
      order.push(`boom ${currentTask().attempt}`);
      throw new Error('no');
    });
    const next = task('next', () => order.push('next'));
    const { async, drain } = await setup({ tasks: [boom, next] });
    await async.queueJobs([makeJob(boom), makeJob(next)]);
    await drain();
    expect(order).toEqual(['boom 1', 'boom 2', 'boom 3', 'next']);
  });

  it('later waits for its delay, and gives the quota place up', async () => {
    const order: string[] = [];
    const boom = task('boom', { retry: exponential({ attempts: 3, firstMs: 1_000, jitter: 0 }) }, () => {
      order.push(`boom ${currentTask().attempt}`);
      throw new Error('no');
    });
    const next = task('next', () => order.push('next'));
    const { async, advance, drain } = await setup({ tasks: [boom, next] });
    await async.queueJobs([makeJob(boom), makeJob(next)]);
    await drain();
    expect(order).toEqual(['boom 1', 'next']);
    await advance(1_000);
    expect(order).toHaveLength(3);
    await advance(1_999);
    expect(order).toHaveLength(3);
    await advance(1);
    expect(order).toEqual(['boom 1', 'next', 'boom 2', 'boom 3']);
  });

  it('stores the last error of an attempt that was tried again', async () => {
    const store = memoryStore();
    const boom = task('boom', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 1_000 }) }, () => {
      throw new Error(`no ${currentTask().attempt}`);
    });
    const { async, drain } = await setup({ store, tasks: [boom] });
    const job = await async.queueJob(boom);
    await drain();
    expect(await stateOf(store, job)).toMatchObject({ failures: 1, lastError: { message: 'no 1' } });
  });

  it('takes the policy of the job in place of the task', async () => {
    const boom = task('boom', { quotas: [] }, () => {
      throw new Error('no');
    });
    const { async } = await setup({ tasks: [boom] });
    const job = await async.queueJob(makeJob(boom).with({ retry: fixedDelay({ attempts: 4, delayMs: 0 }) }));
    await job.waitForOutcome();
    expect(job.attempts).toBe(4);
  });

  it('without end does not keep other jobs from running', async () => {
    let isEnough = false;
    const boom = task('boom', { quotas: [], retry: fixedDelay({ attempts: Number.POSITIVE_INFINITY, delayMs: 0 }) }, () => {
      if (!isEnough) throw new Error('no');
    });
    const { async } = await setup({ tasks: [boom, add] });
    const job = await async.queueJob(boom);
    expect(await (await async.queueJob(add, 1, 2)).waitForResult()).toBe(3);
    isEnough = true;
    expect((await job.waitForOutcome()).status).toBe('completed');
  });

  const broken: readonly [string, RetryPolicy][] = [
    [
      'whose `retries` throws',
      {
        retries: () => {
          throw new Error('broken');
        },
      },
    ],
    [
      'whose `delayMs` throws',
      {
        retries: 'any',
        delayMs: () => {
          throw new Error('broken');
        },
      },
    ],
    ['whose `delayMs` gives NaN', { retries: 'any', delayMs: () => Number.NaN }],
    ['whose `delayMs` gives a negative number', { retries: 'any', delayMs: () => -1 }],
    ['whose `delayMs` gives Infinity', { retries: 'any', delayMs: () => Number.POSITIVE_INFINITY }],
    ['whose `delayMs` gives more than a date can hold', { retries: 'any', delayMs: () => 1e300 }],
    ['whose `delayMs` gives null', { retries: 'any', delayMs: () => null as unknown as number }],
    ['whose `delayMs` gives a string', { retries: 'any', delayMs: () => '1000' as unknown as number }],
    ['whose `delayMs` gives a promise', { retries: 'any', delayMs: () => Promise.resolve(1) as unknown as number }],
  ];

  it.each(broken)('by a policy %s is none: the job fails with its own error, and the log says why', async (_how, retry) => {
    const boom = task('boom', { quotas: [], retry }, () => {
      throw new Error('my own');
    });
    const log = new Log();
    const { async, drain } = await setup({ tasks: [boom, add], logger: log, dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(boom);
    await drain();
    expect(await job.refresh()).toMatchObject({ status: 'failed', error: { message: 'my own' } });
    expect(log.of('error').join()).toContain(`the retry policy of boom failed, so job ${job.id} is not retried`);
    expect(await (await async.queueJob(add, 1, 2)).waitForResult()).toBe(3);
  });
});

describe('onEnd', () => {
  it('runs the clean-ups after the method, the last one added first, one after another', async () => {
    const order: string[] = [];
    const tidy = task('tidy', { quotas: [] }, async () => {
      const { onEnd } = currentTask();
      onEnd(() => order.push('first'));
      onEnd(async () => {
        await firstValueFrom(nextTurn());
        order.push('second');
      });
      onEnd(() => order.push('third'));
      await firstValueFrom(nextTurn());
      order.push('method');
    });
    const { async } = await setup({ tasks: [tidy] });
    await (await async.queueJob(tidy)).waitForResult();
    expect(order).toEqual(['method', 'third', 'second', 'first']);
  });

  it('runs before the job ends, as the task, and when the method threw too', async () => {
    const seen: string[] = [];
    const boom = task('boom', { quotas: [] }, () => {
      currentTask().onEnd(() => seen.push(currentTask().job.taskName));
      throw new Error('no');
    });
    const { async } = await setup({ tasks: [boom] });
    const job = await async.queueJob(boom);
    job.changes.subscribe(({ status }) => seen.push(status));
    await job.waitForOutcome();
    expect(seen.indexOf('boom')).toBeLessThan(seen.indexOf('failed'));
    expect(seen).toContain('boom');
  });

  it('runs for each attempt its own clean-ups', async () => {
    const seen: number[] = [];
    const boom = task('boom', { quotas: [], retry: fixedDelay({ attempts: 3, delayMs: 0 }) }, () => {
      const { attempt, onEnd } = currentTask();
      onEnd(() => seen.push(attempt));
      throw new Error('no');
    });
    const { async } = await setup({ tasks: [boom] });
    await (await async.queueJob(boom)).waitForOutcome();
    expect(seen).toEqual([1, 2, 3]);
  });

  it('logs a clean-up that throws, runs the others, and changes nothing of the outcome', async () => {
    const seen: string[] = [];
    const tidy = task('tidy', { quotas: [] }, () => {
      const { onEnd } = currentTask();
      onEnd(() => seen.push('other'));
      onEnd(() => {
        throw new Error('stuck');
      });
      onEnd(() => Promise.reject(new Error('stuck as well')));
      return 'done';
    });
    const log = new Log();
    const { async } = await setup({ tasks: [tidy], logger: log });
    const job = await async.queueJob(tidy);
    expect(await job.waitForResult()).toBe('done');
    expect(seen).toEqual(['other']);
    expect(log.of('error')).toEqual(Array(2).fill(`a clean-up of job ${job.id} (tidy) threw, which changes nothing`));
  });

  it('runs a clean-up that a clean-up added', async () => {
    const seen: string[] = [];
    const tidy = task('tidy', { quotas: [] }, () => {
      const { onEnd } = currentTask();
      onEnd(() => onEnd(() => seen.push('added')));
    });
    const { async } = await setup({ tasks: [tidy] });
    await (await async.queueJob(tidy)).waitForResult();
    expect(seen).toEqual(['added']);
  });

  it('refuses a value that is not a function', async () => {
    const wrong = task('wrong', { quotas: [] }, () => currentTask().onEnd('close' as never));
    const { async } = await setup({ tasks: [wrong] });
    const job = await async.queueJob(wrong);
    expect((await failureOf(job.waitForResult())).message).toContain(
      '`onEnd(fn)` of currentTask() must be a function, but is the string "close"',
    );
  });
});

describe('an observable as the result', () => {
  const results: readonly [string, () => Observable<unknown>, object][] = [
    ['gives its last value', () => of(1, 2, 3), { status: 'completed', result: 3 }],
    ['gives `undefined` when it is empty', () => of(), { status: 'completed', result: undefined }],
    ['fails the job by its error', () => throwError(() => new Error('no')), { status: 'failed', error: { message: 'no' } }],
    [
      'fails the job by its error after values',
      () =>
        concat(
          of(1),
          throwError(() => new Error('no')),
        ),
      { status: 'failed', error: { message: 'no' } },
    ],
  ];

  it.each(results)('%s', async (_what, make, outcome) => {
    const values = task('values', { quotas: [] }, () => make());
    const later = task('later', { quotas: [] }, async () => make());
    const { async } = await setup({ tasks: [values, later] });
    expect(await (await async.queueJob(values)).waitForOutcome()).toMatchObject(outcome);
    expect(await (await async.queueJob(later)).waitForOutcome()).toMatchObject(outcome);
  });

  it('keeps the task running until it completes', async () => {
    const gate = deferred<number>();
    const values = task('values', { quotas: [] }, () => from(gate.promise));
    const { async, drain } = await setup({ tasks: [values] });
    const job = await async.queueJob(values);
    await drain();
    expect((await job.refresh()).status).toBe('active');
    gate.resolve(7);
    expect(await job.waitForResult()).toBe(7);
  });

  it('is unsubscribed from when the job is cancelled', async () => {
    let isOpen = false;
    const endless = task('endless', { quotas: [] }, () => {
      isOpen = true;
      return new Observable<number>(() => () => {
        isOpen = false;
      });
    });
    const { async, drain } = await setup({ tasks: [endless] });
    const job = await async.queueJob(endless);
    await drain();
    expect(isOpen).toBe(true);
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(isOpen).toBe(false);
  });

  it('is unsubscribed from when it runs into a timeout, and when the service stops', async () => {
    let open = 0;
    const watched = new Observable<number>(() => {
      open++;
      return () => open--;
    });
    const timed = task('timed', { quotas: [], timeoutMs: 1_000 }, () => watched);
    const endless = task('endless', { quotas: [] }, () => watched);
    const { async, advance, drain, stop } = await setup({ tasks: [timed, endless] });
    await async.queueJob(endless);
    const job = await async.queueJob(timed);
    await drain();
    expect(open).toBe(2);
    await advance(1_000);
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(open).toBe(1);
    await stop();
    expect(open).toBe(0);
  });

  it('is left at once when its own subscribing cancels the job', async () => {
    const fatal = task('fatal', { quotas: [] }, () => new Observable<number>((to) => void cancel().then(() => to.next(1))));
    const { async, drain } = await setup({ tasks: [fatal] });
    let own: Job<unknown> | undefined;
    const cancel = async (): Promise<void> => own?.cancel('mine');
    own = await async.queueJob(fatal);
    await drain();
    expect(await own.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'mine' });
  });
});

describe('a job as the result', () => {
  let service: IAsyncService | undefined;
  const queueing = () => {
    if (service === undefined) throw new Error('the service is not there yet');
    return service;
  };

  it('makes the outcome of that job this one’s', async () => {
    const boom = task('boom', { quotas: [] }, () => {
      throw new Error('no');
    });
    const follows = task('follows', { quotas: [] }, (good: boolean) =>
      good ? queueing().queueJob(add, 40, 2) : queueing().queueJob(boom),
    );
    const { async } = await setup({ tasks: [follows, add, boom] });
    service = async;
    expect(await (await async.queueJob(follows, true)).waitForResult()).toBe(42);
    expect(await (await async.queueJob(follows, false)).waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'no' } });
  });

  it('that was cancelled cancels this one', async () => {
    const gate = deferred();
    const waits = task('waits', { quotas: [] }, () => gate.promise);
    const follows = task('follows', { quotas: [] }, async () => {
      const job = await queueing().queueJob(makeJob(waits).with({ delayMs: 60_000 }));
      await job.cancel('off');
      return job;
    });
    const { async } = await setup({ tasks: [follows, waits] });
    service = async;
    expect(await (await async.queueJob(follows)).waitForOutcome()).toEqual({ status: 'cancelled', reason: 'off' });
    gate.resolve();
  });

  it('that has ended already is followed as well', async () => {
    const follows = task('follows', { quotas: [] }, async () => {
      const job = await queueing().queueJob(add, 40, 2);
      await job.waitForResult();
      return job;
    });
    const { async } = await setup({ tasks: [follows, add] });
    service = async;
    expect(await (await async.queueJob(follows)).waitForResult()).toBe(42);
  });

  it('lets go of the slot and the quota while it is waited for', async () => {
    const inner = task('inner', () => 'deep');
    const outer = task('outer', () => queueing().queueJob(inner));
    const { async } = await setup({ tasks: [outer, inner], dispatcher: { agents: [{ concurrency: 1 }] } });
    service = async;
    expect(await (await async.queueJob(outer)).waitForResult()).toBe('deep');
  });

  it('may be a draft, which is queued then', async () => {
    const outer = task('outer', () => makeJob(add, 40, 2));
    const batch = task('batch', { quotas: [] }, async () => serial(makeJob(add, 1, 2), makeJob(add, 3, 4)));
    const { async } = await setup({ tasks: [outer, batch, add] });
    expect(await (await async.queueJob(outer)).waitForResult()).toBe(42);
    const jobs = (await (await async.queueJob(batch)).waitForResult()) as readonly Job<number>[];
    expect(jobs.map(({ result }) => result)).toEqual([3, 7]);
  });

  it('that is a draft of an unknown quota fails the job', async () => {
    const outer = task('outer', { quotas: [] }, () => makeJob(add, 40, 2).with({ quotas: ['nowhere'] }));
    const { async } = await setup({ tasks: [outer, add] });
    expect(await (await async.queueJob(outer)).waitForOutcome()).toMatchObject({
      status: 'failed',
      error: { code: 'MILLRACE_UNKNOWN_QUOTA' },
    });
  });

  it('may follow another job in turn, a hundred deep', async () => {
    const down = task('down', { quotas: [] }, (depth: number): unknown => (depth === 0 ? 'bottom' : makeJob(down, depth - 1)));
    const { async } = await setup({ tasks: [down] });
    expect(await (await async.queueJob(down, 100)).waitForResult()).toBe('bottom');
  });

  it('cannot be the job itself', async () => {
    const self = task('self', { quotas: [] }, () => queueing().getJob(currentTask().job.id));
    const { async } = await setup({ tasks: [self] });
    service = async;
    const job = await async.queueJob(self);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
    expect(job.error?.message).toContain(job.id);
  });

  it('cannot be one that waits for this one by another', async () => {
    const ids: string[] = [];
    const gate = deferred();
    const ring = task('ring', { quotas: [] }, async (index: number) => {
      await gate.promise;
      return queueing().getJob(ids[(index + 1) % 2] ?? '');
    });
    const { async, drain } = await setup({ tasks: [ring] });
    service = async;
    const jobs = await async.queueJobs([makeJob(ring, 0), makeJob(ring, 1)]);
    ids.push(...jobs.map(({ id }) => id));
    gate.resolve();
    await drain();
    const statuses = await Promise.all(jobs.map(async (job) => (await job.waitForOutcome()).status));
    expect(statuses).toEqual(['failed', 'failed']);
  });

  it('cannot be the batch that this one is a step of', async () => {
    const parents: string[] = [];
    const gate = deferred();
    const up = task('up', { quotas: [] }, async () => {
      await gate.promise;
      return queueing().getJob(parents[0] ?? '');
    });
    const { async, drain } = await setup({ tasks: [up] });
    service = async;
    const batch = await async.queueSerialJobs(makeJob(up));
    parents.push(batch.id);
    gate.resolve();
    await drain();
    const [child] = await Promise.all((await async.getQueues().get('').jobs({ task: up })).map((job) => job.refresh()));
    expect(child).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_CIRCULAR_JOB' } });
  });

  it('cannot be the job that this one is a callback of', async () => {
    const parents: string[] = [];
    const gate = deferred();
    const back = task('back', { quotas: [] }, async (_sum: number) => {
      await gate.promise;
      return queueing().getJob(parents[0] ?? '');
    });
    const { async, drain } = await setup({ tasks: [add, back] });
    service = async;
    const job = await async.queueJob(makeJob(add, 1, 2).withCallbacks({ success: back }));
    parents.push(job.id);
    gate.resolve();
    await drain();
    expect((await job.refresh()).status).toBe('completed');
  });

  it('cannot be one that is not there', async () => {
    const foreign = await setup({ tasks: [add] });
    const stranger = await foreign.async.queueJob(add, 1, 2);
    const follows = task('follows', { quotas: [] }, () => stranger);
    const { async } = await setup({ tasks: [follows], seed: 2 });
    expect(await (await async.queueJob(follows)).waitForOutcome()).toMatchObject({
      status: 'failed',
      error: { code: 'MILLRACE_JOB_NOT_FOUND' },
    });
  });
});

describe('a result', () => {
  it('that cannot be stored fails the job, naming the path', async () => {
    const wrong = task('wrong', { quotas: [] }, () => ({ list: [1, () => 2] }));
    const { async } = await setup({ tasks: [wrong] });
    expect(await (await async.queueJob(wrong)).waitForOutcome()).toMatchObject({
      status: 'failed',
      error: { code: 'MILLRACE_UNSTORABLE', message: '`result.list[1]` is a function' },
    });
  });

  it('that is too large fails the job, naming both sizes', async () => {
    const large = task('large', { quotas: [] }, (length: number) => 'x'.repeat(length));
    const { async } = await setup({ tasks: [large], valueLimitBytes: 1_000 });
    const job = await async.queueJob(large, 1_001);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TOO_LARGE' } });
    expect(job.error?.message).toMatch(/takes \d+ bytes, but the limit is 1000/);
    expect(await (await async.queueJob(large, 500)).waitForResult()).toHaveLength(500);
  });

  it('that is not stored is not tried again, since the work was done', async () => {
    const wrong = task('wrong', { quotas: [], retry: fixedDelay({ attempts: 5, delayMs: 0 }) }, () => Symbol('no'));
    const { async } = await setup({ tasks: [wrong] });
    const job = await async.queueJob(wrong);
    await job.waitForOutcome();
    expect(job.attempts).toBe(1);
  });
});

describe('what a running task tells', () => {
  it('is seen while it runs, the latest of it', async () => {
    const gate = deferred();
    const told = task('told', { quotas: [] }, async () => {
      const { progress, annotate } = currentTask();
      progress(0.25);
      progress({ done: 2, total: 4, note: 'half way' });
      annotate('file', 'a.pdf');
      annotate('pages', [1, 2]);
      annotate('file', 'b.pdf');
      await gate.promise;
    });
    const { async, drain } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await drain();
    expect(await job.refresh()).toMatchObject({
      status: 'active',
      progress: { done: 2, total: 4, note: 'half way' },
      annotations: { file: 'b.pdf', pages: [1, 2] },
    });
    gate.resolve();
    await job.waitForOutcome();
    expect(job.annotations).toEqual({ file: 'b.pdf', pages: [1, 2] });
  });

  it('is written before its end', async () => {
    const told = task('told', { quotas: [] }, () => currentTask().progress({ done: 4, total: 4 }));
    const { async } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await job.waitForResult();
    expect(job.progress).toEqual({ done: 4, total: 4 });
  });

  it('is a copy', async () => {
    const told = task('told', { quotas: [] }, () => {
      const { progress, annotate } = currentTask();
      const how = { done: 1, total: 2 };
      const list = [1];
      progress(how);
      annotate('list', list);
      how.done = 2;
      list.push(2);
    });
    const { async } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await job.waitForResult();
    expect(job.progress).toEqual({ done: 1, total: 2 });
    expect(job.annotations).toEqual({ list: [1] });
  });

  const wrong: readonly [string, unknown, string][] = [
    ['a string', 'half', 'but is the string "half"'],
    ['NaN', Number.NaN, 'but is the number NaN'],
    ['a negative number', -1, 'but is the number -1'],
    ['Infinity', Number.POSITIVE_INFINITY, 'but is the number Infinity'],
    ['null', null, 'but is null'],
    ['an object without `done`', { total: 4 }, 'but is an object'],
    ['a note that is not a string', { done: 1, note: 7 }, 'but is an object'],
  ];

  it.each(wrong)('cannot be %s as progress', async (_what, value, words) => {
    const told = task('told', { quotas: [] }, () => currentTask().progress(value as number));
    const { async } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    const { message } = await failureOf(job.waitForResult());
    expect(message).toContain('`progress` of currentTask() must be a finite number of at least 0, or { done, total, note }');
    expect(message).toContain(words);
  });

  it('keeps of progress only what progress may have', async () => {
    const told = task('told', { quotas: [] }, () => currentTask().progress({ done: 1, then: () => 'no' } as never));
    const { async } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await job.waitForOutcome();
    expect(job.error?.message ?? job.progress).toEqual(job.error === undefined ? { done: 1 } : expect.stringContaining('progress'));
  });

  it('cannot be an annotation that is not storable, or without a name', async () => {
    const bad = task('bad', { quotas: [] }, () => currentTask().annotate('fn', { deep: () => 1 }));
    const nameless = task('nameless', { quotas: [] }, () => currentTask().annotate('', 1));
    const { async } = await setup({ tasks: [bad, nameless] });
    expect((await failureOf((await async.queueJob(bad)).waitForResult())).message).toContain('`annotations.fn.deep` is a function');
    expect((await failureOf((await async.queueJob(nameless)).waitForResult())).message).toContain(
      '`annotate(key)` of currentTask() must be a non-empty, well-formed string',
    );
  });

  it('may have any name, `__proto__` too', async () => {
    const told = task('told', { quotas: [] }, () => {
      currentTask().annotate('__proto__', 1);
      currentTask().annotate('constructor', 2);
    });
    const { async } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await job.waitForResult();
    expect(Object.entries(job.annotations)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
  });

  it('has no effect after its end', async () => {
    const gate = deferred();
    const written = deferred();
    const told = task('told', { quotas: [] }, () => {
      const { progress } = currentTask();
      void gate.promise.then(() => {
        progress(1);
        written.resolve();
      });
    });
    const { async, drain } = await setup({ tasks: [told] });
    const job = await async.queueJob(told);
    await job.waitForResult();
    gate.resolve();
    await written.promise;
    await drain();
    expect((await job.refresh()).progress).toBeUndefined();
  });

  it('of one job without a pause does not keep other jobs from ending', async () => {
    let isEnough = false;
    let told = 0;
    const memory = memoryStore();
    const slow = new Proxy(memory, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (key === 'report')
          return async (reports: Parameters<JobStore['report']>[0]) => {
            await firstValueFrom(nextTurn());
            await firstValueFrom(nextTurn());
            return memory.report(reports);
          };
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const chatty = task('chatty', { quotas: [] }, async () => {
      while (!isEnough && told < 500) {
        currentTask().progress(++told);
        await firstValueFrom(nextTurn());
      }
    });
    const { async } = await setup({ store: slow, tasks: [chatty, add] });
    await async.queueJob(chatty);
    const job = await async.queueJob(add, 1, 2);
    await job.waitForResult();
    isEnough = true;
    expect(told).toBeLessThan(100);
  });
});

describe('currentTask', () => {
  it('names the job and the attempt, and follows it through promises, timers and streams', async () => {
    const where = task('where', { quotas: [] }, async (ms: number) => {
      await firstValueFrom(nextTurn());
      await firstValueFrom(timer(ms, bundle.clock.scheduler));
      const { job, attempt } = currentTask();
      return { ...job, attempt };
    });
    const bundle = await setup({ tasks: [where] });
    const job = await bundle.async.queueJob(where, 1_000);
    await bundle.drain();
    await bundle.advance(1_000);
    expect(await job.waitForResult()).toEqual({ id: job.id, taskName: 'where', attempt: 1 });
  });

  it('gives the same signal whenever it is asked, not aborted after a good end', async () => {
    const signals: AbortSignal[] = [];
    const asks = task('asks', { quotas: [] }, () => void signals.push(currentTask().signal, currentTask().signal));
    const { async, stop } = await setup({ tasks: [asks] });
    await (await async.queueJob(asks)).waitForResult();
    await stop();
    expect(signals[0]).toBe(signals[1]);
    expect(signals[0]?.aborted).toBe(false);
  });

  it('is one for each of many jobs at once', async () => {
    const own = task('own', { quotas: [] }, async (name: string) => {
      await firstValueFrom(nextTurn());
      currentTask().annotate('name', name);
      return currentTask().job.id;
    });
    const { async } = await setup({ tasks: [own] });
    const jobs = await async.queueJobs(Array.from({ length: 50 }, (_, index) => makeJob(own, `n${index}`)));
    const results = await Promise.all(jobs.map((job) => job.waitForResult()));
    expect(results).toEqual(jobs.map(({ id }) => id));
    expect(jobs.map(({ annotations }) => annotations['name'])).toEqual(jobs.map((_, index) => `n${index}`));
  });
});
