import { firstValueFrom, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  currentTask,
  isMillraceError,
  type Job,
  JobCancelledError,
  JobFailedError,
  JobNotFoundError,
  type JobSnapshot,
  makeJob,
  memoryStore,
  NotRunningError,
  OptionError,
  serial,
  task,
  WaitTimeoutError,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, Log, untilAborted } from '../support/deferred.js';

const addNumbers = task('addNumbers', { quotas: [] }, (x: number, y: number) => x + y);
const echo = task('echo', { quotas: [] }, (value: unknown) => value);
const boom = task('boom', { quotas: [] }, (message: string) => {
  throw new Error(message);
});
const hang = task('hang', { quotas: [] }, () => untilAborted());

describe('a job', () => {
  it('says what was last seen, and is brought up to date by `refresh`', async () => {
    const { async, drain } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    await drain();
    expect(job.status).toBe('pending');
    expect(job.result).toBeUndefined();
    expect(await job.refresh()).toMatchObject({ id: job.id, status: 'completed', result: 42, attempts: 1 });
    expect(job).toMatchObject({ status: 'completed', result: 42, attempts: 1, error: undefined });
  });

  it('is brought up to date by waiting', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    await job.waitForOutcome();
    expect(job.status).toBe('completed');
  });

  it('has as its outcome one of three', async () => {
    const { async } = await setup({ tasks: [addNumbers, boom, hang] });
    const done = await async.queueJob(addNumbers, 40, 2);
    const failed = await async.queueJob(boom, 'no');
    const cancelled = await async.queueJob(hang);
    expect(done.outcome).toBeUndefined();
    await cancelled.cancel('not needed');
    expect(await done.waitForOutcome()).toEqual({ status: 'completed', result: 42 });
    expect(await failed.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'Error', message: 'no' } });
    expect(await cancelled.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'not needed' });
    expect([done.outcome?.status, failed.outcome?.status, cancelled.outcome?.status]).toEqual(['completed', 'failed', 'cancelled']);
    expect([done.error, failed.result, cancelled.result]).toEqual([undefined, undefined, undefined]);
  });

  it('is not a thenable, so that a promise can resolve with it', async () => {
    const { async } = await setup({ tasks: [hang], dispatcher: false });
    const job = await async.queueJob(hang);
    expect('then' in job).toBe(false);
    expect(await Promise.resolve(job)).toBe(job);
  });

  it('hands out a copy of its result to each handle', async () => {
    const { async } = await setup({ tasks: [echo] });
    const job = await async.queueJob(echo, { list: [1] });
    const one = (await job.waitForResult()) as { list: number[] };
    one.list.push(2);
    const other = await async.getJob(job.id);
    expect(other?.result).toEqual({ list: [1] });
    expect(await other?.waitForResult()).toEqual({ list: [1] });
  });

  it('is not harmed by a task that goes on to change what it returned', async () => {
    const kept: number[][] = [];
    const leak = task('leak', () => {
      const list = [1];
      kept.push(list);
      return list;
    });
    const { async } = await setup({ tasks: [leak] });
    const job = await async.queueJob(leak);
    await job.waitForResult();
    kept[0]?.push(2);
    expect((await async.getJob(job.id))?.result).toEqual([1]);
  });

  it('is gone when its retention is over, and says so', async () => {
    const { async, drain } = await setup({ tasks: [echo], store: memoryStore({ keepEnded: 2 }) });
    const job = await async.queueJob(echo, 1);
    await job.waitForResult();
    await async.queueJobs(Array.from({ length: 5 }, () => makeJob(echo, 2)));
    await drain();
    expect(await async.getJob(job.id)).toBeUndefined();
    expect(await failureOf(job.refresh())).toBeInstanceOf(JobNotFoundError);
    expect(job.result).toBe(1);
    expect(await job.waitForResult()).toBe(1);
  });
});

describe('jobs inside values', () => {
  it('pass as arguments, and are jobs in the task', async () => {
    const look = task('look', { quotas: [] }, async (jobs: { first: Job<number> }) => (await jobs.first.waitForResult()) + 1);
    const { async } = await setup({ tasks: [addNumbers, look] });
    const first = await async.queueJob(addNumbers, 40, 1);
    expect(await (await async.queueJob(look, { first })).waitForResult()).toBe(42);
  });

  it('come back inside results, as jobs', async () => {
    const spawn = task('spawn', async () => {
      const { async } = bundle;
      return { jobs: [await async.queueJob(addNumbers, 1, 2), await async.queueJob(addNumbers, 3, 4)] };
    });
    const bundle = await setup({ tasks: [addNumbers, spawn] });
    const { jobs } = await (await bundle.async.queueJob(spawn)).waitForResult();
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([3, 7]);
  });

  it('of a store that does not have them are refused nowhere, but say that they are gone', async () => {
    const mine = await setup({ tasks: [echo] });
    const theirs = await setup({ tasks: [echo], dispatcher: false, seed: 2 });
    const stranger = await theirs.async.queueJob(echo, 1);
    const job = (await (await mine.async.queueJob(echo, stranger)).waitForOutcome()) as { status: string };
    // The task returned the job, so its outcome would be that of a job that is not there.
    expect(job.status).toBe('failed');
    const boxed = (await (await mine.async.queueJob(echo, [stranger])).waitForResult()) as [Job<unknown>];
    expect(boxed[0].id).toBe(stranger.id);
    expect(await failureOf(boxed[0].waitForResult())).toBeInstanceOf(JobNotFoundError);
    expect(await failureOf(boxed[0].refresh())).toBeInstanceOf(JobNotFoundError);
    expect(() => boxed[0].status).toThrow(JobNotFoundError);
  });
});

describe('changes', () => {
  it('gives the job as it is, then each change, and completes with its end', async () => {
    const gate = deferred();
    const work = task('work', async () => {
      await gate.promise;
      return 42;
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    const seen: JobSnapshot<number>[] = [];
    const ended = deferred();
    job.changes.subscribe({ next: (snapshot) => seen.push(snapshot), complete: () => ended.resolve() });
    expect(seen.map(({ status }) => status)).toEqual(['pending']);
    await drain();
    expect(seen.map(({ status }) => status)).toEqual(['pending', 'active']);
    gate.resolve();
    await ended.promise;
    expect(seen.map(({ status }) => status)).toEqual(['pending', 'active', 'completed']);
    expect(seen.at(-1)).toMatchObject({ status: 'completed', result: 42, attempts: 1 });
    expect(seen.every((snapshot) => Object.isFrozen(snapshot))).toBe(true);
  });

  it('shows callbacks, retries and the reports of a task', async () => {
    const work = task('work', { quotas: [], retry: { attempts: 2, retries: 'any', delayMs: 1_000 } }, async () => {
      const { attempt, progress, annotate } = currentTask();
      progress({ done: attempt, total: 2 });
      annotate('attempt', attempt);
      if (attempt === 1) throw new Error('once more');
    });
    const { async, advance } = await setup({ tasks: [work, echo] });
    const job = await async.queueJob(makeJob(work).withCallbacks({ success: echo }));
    const statuses: string[] = [];
    const progress: unknown[] = [];
    const ended = deferred();
    job.changes.subscribe({
      next: (snapshot) => {
        if (statuses.at(-1) !== snapshot.status) statuses.push(snapshot.status);
        progress.push(snapshot.progress);
      },
      complete: () => ended.resolve(),
    });
    await advance(2_000);
    await ended.promise;
    expect(statuses).toEqual(['pending', 'active', 'scheduled', 'pending', 'active', 'callbacks', 'completed']);
    expect(progress).toContainEqual({ done: 1, total: 2 });
    expect(progress.at(-1)).toEqual({ done: 2, total: 2 });
    expect(job.annotations).toEqual({ attempt: 2 });
  });

  it('gives the end alone to one who comes after it', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    await job.waitForResult();
    const seen: string[] = [];
    let isComplete = false;
    job.changes.subscribe({
      next: ({ status }) => seen.push(status),
      complete: () => {
        isComplete = true;
      },
    });
    expect(seen).toEqual(['completed']);
    expect(isComplete).toBe(true);
  });

  it('keeps the job up to date while somebody watches', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    const ended = deferred();
    job.changes.subscribe({ complete: () => ended.resolve() });
    await ended.promise;
    expect(job.result).toBe(42);
  });

  it('logs a handler that throws, at once or later, and goes on', async () => {
    const log = new Log();
    const { async } = await setup({ tasks: [addNumbers], logger: log });
    const job = await async.queueJob(addNumbers, 40, 2);
    const seen: string[] = [];
    job.changes.subscribe(({ status }) => {
      seen.push(status);
      throw new Error('handler');
    });
    job.changes.subscribe((async () => {
      throw new Error('async handler');
    }) as () => void);
    expect(await job.waitForResult()).toBe(42);
    expect(seen).toEqual(['pending', 'active', 'completed']);
    const errors = log.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ details }) => (details as { err: Error }).err.message)).toContain('handler');
    expect(errors.map(({ details }) => (details as { err: Error }).err.message)).toContain('async handler');
  });

  it('says nothing more after it was unsubscribed from', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    const seen: string[] = [];
    job.changes.subscribe(({ status }) => seen.push(status)).unsubscribe();
    await job.waitForResult();
    expect(seen).toEqual(['pending']);
  });

  it('completes at `stop`, for jobs that have not ended too', async () => {
    const { async, stop } = await setup({ tasks: [], dispatcher: false });
    const job = await async.queueJob(addNumbers, 40, 2);
    const ended = deferred<string>();
    job.changes.subscribe({ error: () => ended.resolve('error'), complete: () => ended.resolve('complete') });
    await stop();
    expect(await ended.promise).toBe('complete');
  });
});

describe('waitForResult', () => {
  it('serves many waiters, before and after the end', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    expect(await Promise.all(Array.from({ length: 100 }, () => job.waitForResult()))).toEqual(Array.from({ length: 100 }, () => 42));
    expect(await job.waitForResult()).toBe(42);
    expect(await (await async.getJob(job.id))?.waitForResult({ timeoutMs: 0 })).toBe(42);
  });

  it('gives up after `timeoutMs`, while the job goes on', async () => {
    const gate = deferred<number>();
    const slow = task('slow', () => gate.promise);
    const { async, drain, advance, clock } = await setup({ tasks: [slow] });
    const job = await async.queueJob(slow);
    await drain();
    const failure = failureOf(job.waitForResult({ timeoutMs: 5_000 }));
    await advance(4_999);
    const stillWaiting = await Promise.race([failure, Promise.resolve('waits')]);
    expect(stillWaiting).toBe('waits');
    await advance(1);
    const error = await failure;
    expect(error).toBeInstanceOf(WaitTimeoutError);
    expect(error.message).toContain(job.id);
    expect(error.message).toContain('5000 ms');
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1) + 5_000);
    gate.resolve(42);
    expect(await job.waitForResult()).toBe(42);
  });

  it('gives up with the reason of its signal, before or while it waits', async () => {
    const { async, drain } = await setup({ tasks: [hang] });
    const job = await async.queueJob(hang);
    await drain();
    const controller = new AbortController();
    const failure = failureOf(job.waitForResult({ signal: controller.signal, timeoutMs: 5_000 }));
    controller.abort(new Error('the user left'));
    expect((await failure).message).toBe('the user left');
    expect((await failureOf(job.waitForResult({ signal: controller.signal }))).message).toBe('the user left');
    await job.refresh();
    expect(job.status).toBe('active');
  });

  it('refuses options that there are not', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 1, 2);
    expect(await failureOf(job.waitForResult({ timeout: 5 } as never))).toBeInstanceOf(OptionError);
    expect(await failureOf(job.waitForResult({ timeoutMs: -5 }))).toBeInstanceOf(OptionError);
  });

  it("rejects with JobFailedError, with the task's error as its cause, causes and code included", async () => {
    const fail = task('fail', () => {
      const root = Object.assign(new RangeError('disk full'), { code: 'ENOSPC' });
      throw new TypeError('cannot save', { cause: new Error('cannot write', { cause: root }) });
    });
    const { async } = await setup({ tasks: [fail] });
    const job = await async.queueJob(fail);
    const error = await failureOf(job.waitForResult());
    expect(error).toBeInstanceOf(JobFailedError);
    expect(isMillraceError(error)).toBe(true);
    expect(error).toMatchObject({ jobId: job.id, taskName: 'fail', code: 'MILLRACE_JOB_FAILED' });
    expect(error.message).toContain('cannot save');
    const cause = error.cause as Error;
    expect(cause).toBeInstanceOf(Error);
    expect(cause).toMatchObject({ name: 'TypeError', message: 'cannot save' });
    expect(cause.stack).toContain('jobs.test.ts');
    expect((cause.cause as Error).message).toBe('cannot write');
    expect((cause.cause as Error).cause).toMatchObject({ name: 'RangeError', message: 'disk full', code: 'ENOSPC' });
    expect(job.error).toMatchObject({ name: 'TypeError', message: 'cannot save', cause: { cause: { code: 'ENOSPC' } } });
  });

  it('rejects with JobCancelledError, with the reason', async () => {
    const { async } = await setup({ tasks: [hang] });
    const job = await async.queueJob(hang);
    await job.cancel('too late');
    const error = await failureOf(job.waitForResult());
    expect(error).toBeInstanceOf(JobCancelledError);
    expect(error).toMatchObject({ jobId: job.id, taskName: 'hang', reason: 'too late' });
    expect(error.message).toContain('too late');
  });

  it('rejects clearly at `stop`, where the job has not ended', async () => {
    const { async, stop } = await setup({ dispatcher: false });
    const job = await async.queueJob(addNumbers, 1, 2);
    const failures = [failureOf(job.waitForResult()), failureOf(job.waitForOutcome({ timeoutMs: 60_000 }))];
    await stop();
    for (const error of await Promise.all(failures)) {
      expect(error).toBeInstanceOf(NotRunningError);
      expect(error.message).toContain(job.id);
      expect(error.message).toContain('the service was stopped');
    }
  });

  it('rejects clearly after `stop`, instead of waiting without end', async () => {
    const { async, stop } = await setup({ dispatcher: false });
    const job = await async.queueJob(addNumbers, 1, 2);
    await stop();
    expect(await failureOf(job.waitForResult())).toBeInstanceOf(NotRunningError);
  });
});

describe('whatever a task throws', () => {
  const strange: [string, () => unknown][] = [
    ['a string', () => 'just text'],
    ['null', () => null],
    ['undefined', () => undefined],
    ['a number', () => 7],
    ['a symbol', () => Symbol('x')],
    ['a function', () => () => {}],
    [
      'an object of many keys below others',
      () => ({ data: Object.fromEntries(Array.from({ length: 1_000 }, (_, key) => [`k${key}`, key])) }),
    ],
    ['a map of objects', () => new Map([[1, { a: 1 }]])],
    ['a frozen object', () => Object.freeze({ message: 'frozen' })],
    [
      'a circular object',
      () => {
        const circular: Record<string, unknown> = {};
        circular['self'] = circular;
        return circular;
      },
    ],
    [
      'an error whose getters throw',
      () =>
        Object.defineProperties(new Error('x'), {
          message: {
            get: () => {
              throw new Error('getter');
            },
          },
          stack: {
            get: () => {
              throw new Error('getter');
            },
          },
          code: {
            get: () => {
              throw new Error('getter');
            },
          },
        }),
    ],
    [
      'an error that is its own cause',
      () => {
        const error = new Error('ouroboros');
        error.cause = error;
        return error;
      },
    ],
    [
      'a proxy that throws at everything',
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error('trap');
            },
            has: () => {
              throw new Error('trap');
            },
            getPrototypeOf: () => {
              throw new Error('trap');
            },
          },
        ),
    ],
    ['an error with a message of a million characters', () => new Error('x'.repeat(1_000_000))],
    ['a rejected promise in an object', () => ({ message: 7, code: {} })],
  ];

  it.each(strange)('fails the job and harms nothing else: %s', async (_what, make) => {
    const fling = task('fling', () => {
      throw make();
    });
    const { async, drain } = await setup({ tasks: [fling, addNumbers], dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(fling);
    const next = await async.queueJob(addNumbers, 1, 1);
    await drain();
    await Promise.all([job.refresh(), next.refresh()]);
    expect([job.status, next.status]).toEqual(['failed', 'completed']);
    const error = await failureOf(job.waitForResult());
    expect(error).toBeInstanceOf(JobFailedError);
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('fails a thousand jobs at once, one of them with 50 MB, and goes on serving', async () => {
    const makers = [...strange.map(([, make]) => make), () => new Error('x'.repeat(50 * 1024 * 1024))];
    const fling = task('fling', { quotas: [] }, (index: number) => {
      throw (makers[index % makers.length] ?? makers[0])?.();
    });
    const { async } = await setup({ tasks: [fling, addNumbers], dispatcher: { agents: [{ concurrency: 50 }] } });
    const jobs = await async.queueJobs(Array.from({ length: 1_000 }, (_, index) => makeJob(fling, index % (makers.length - 1))));
    const huge = await async.queueJob(fling, makers.length - 1);
    for (const { status, error } of await Promise.all([...jobs, huge].map((job) => job.waitForOutcome().then(() => job)))) {
      expect(status).toBe('failed');
      expect(error?.message.length).toBeGreaterThan(0);
      expect(error?.message.length).toBeLessThan(20_000);
    }
    expect(await (await async.queueJob(addNumbers, 40, 2)).waitForResult()).toBe(42);
  });

  it('nor does a result that throws when it is read', async () => {
    const give = task('give', { quotas: [] }, (): unknown => {
      const get = (_target: object, key: string | symbol): unknown => {
        if (typeof key === 'symbol') throw new Error('trap');
        return undefined;
      };
      return new Proxy({}, { get });
    });
    const { async, drain } = await setup({ tasks: [give, addNumbers], dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(give);
    const next = await async.queueJob(addNumbers, 1, 1);
    await drain();
    await Promise.all([job.refresh(), next.refresh()]);
    expect([job.status, next.status]).toEqual(['failed', 'completed']);
  });

  it('says of a string what it was, and bounds what is long', async () => {
    const fling = task('fling', (text: string) => {
      throw text;
    });
    const { async } = await setup({ tasks: [fling] });
    const short = await async.queueJob(fling, 'just text');
    expect((await failureOf(short.waitForResult())).message).toContain('just text');
    const long = await async.queueJob(fling, 'y'.repeat(100_000));
    await long.waitForOutcome();
    expect(long.error?.message.length).toBeLessThan(20_000);
  });
});

describe('cancel', () => {
  it('ends a job that waits at once, and its task is never called', async () => {
    const runs: string[] = [];
    const work = task('work', (name: string) => {
      runs.push(name);
    });
    const { async, drain, clock } = await setup({ tasks: [work, hang] });
    const holder = await async.queueJob(makeJob(hang).with({ quotas: ['default'] }));
    const pending = await async.queueJob(work, 'pending');
    const scheduled = await async.queueJob(makeJob(work, 'scheduled').with({ beginAfter: new Date(clock.now() + 1_000) }));
    await drain();
    await pending.cancel();
    await scheduled.cancel('no');
    expect(pending.outcome).toEqual({ status: 'cancelled', reason: undefined });
    expect(scheduled.outcome).toEqual({ status: 'cancelled', reason: 'no' });
    await holder.cancel();
    await holder.waitForOutcome();
    await drain();
    expect(runs).toEqual([]);
  });

  it('aborts the signal of a job that runs, with the reason', async () => {
    const reasons: unknown[] = [];
    const work = task('work', async () => {
      try {
        await untilAborted();
      } catch (error) {
        reasons.push(error);
        throw error;
      }
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    await job.cancel('changed my mind');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'changed my mind' });
    expect(reasons[0]).toBeInstanceOf(JobCancelledError);
    expect(reasons[0]).toMatchObject({ jobId: job.id, reason: 'changed my mind' });
  });

  it('counts a running job that throws anything after its cancellation as cancelled', async () => {
    const work = task('work', async () => {
      await untilAborted().catch(() => {});
      throw new Error('could not finish');
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    await job.cancel();
    expect((await job.waitForOutcome()).status).toBe('cancelled');
  });

  it('leaves a job completed that finished its work all the same', async () => {
    const work = task('work', async () => {
      await untilAborted().catch(() => {});
      return 'done anyway';
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    await job.cancel();
    expect(await job.waitForOutcome()).toEqual({ status: 'completed', result: 'done anyway' });
  });

  it('stops a job between two attempts', async () => {
    const work = task('work', { retry: { attempts: 5, retries: 'any', delayMs: 60_000 } }, () => {
      throw new Error('once more');
    });
    const { async, drain, advance } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    await job.refresh();
    expect(job.status).toBe('scheduled');
    await job.cancel();
    expect(job.status).toBe('cancelled');
    await advance(120_000);
    await job.refresh();
    expect(job.attempts).toBe(1);
  });

  it('stops a job that fails and is run again at once', async () => {
    const begun = deferred();
    const work = task('work', { retry: { attempts: 1_000_000, retries: 'any' } }, () => {
      if (currentTask().attempt === 3) begun.resolve();
      throw new Error('once more');
    });
    const { async } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await begun.promise;
    await job.cancel('enough');
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
  });

  it('has no effect on a job that has ended, nor the second time', async () => {
    const { async } = await setup({ tasks: [addNumbers] });
    const job = await async.queueJob(addNumbers, 40, 2);
    await job.waitForResult();
    await job.cancel('too late');
    expect(job.outcome).toEqual({ status: 'completed', result: 42 });
    const other = await setup({ dispatcher: false });
    const waiting = await other.async.queueJob(addNumbers, 1, 2);
    await waiting.cancel('first');
    await waiting.cancel('second');
    expect(waiting.outcome).toEqual({ status: 'cancelled', reason: 'first' });
  });

  it('has no effect on a job whose callbacks are running', async () => {
    const gate = deferred();
    const slow = task('slow', { quotas: [] }, () => gate.promise);
    const { async, drain } = await setup({ tasks: [addNumbers, slow] });
    const job = await async.queueJob(makeJob(addNumbers, 40, 2).withCallbacks({ success: makeJob(slow) }));
    await drain();
    await job.cancel();
    expect(job.status).toBe('callbacks');
    gate.resolve();
    expect(await job.waitForResult()).toBe(42);
  });

  it('refuses a reason that is not a text', async () => {
    const { async } = await setup({ dispatcher: false });
    const job = await async.queueJob(addNumbers, 1, 2);
    expect(await failureOf(job.cancel(new Error('x') as never))).toBeInstanceOf(OptionError);
  });

  it('frees the slot and the quota', async () => {
    const { async, drain } = await setup({ tasks: [hang, addNumbers], dispatcher: { agents: [{ concurrency: 1 }] } });
    const job = await async.queueJob(makeJob(hang).with({ quotas: ['default'] }));
    const next = await async.queueJob(makeJob(addNumbers, 1, 2).with({ quotas: ['default'] }));
    await drain();
    await job.cancel();
    expect(await next.waitForResult()).toBe(3);
  });
});

describe('progress and annotations', () => {
  it('are seen while the job runs, and after it has ended', async () => {
    const gate = deferred();
    const work = task('work', async () => {
      const { progress, annotate } = currentTask();
      progress(0.5);
      annotate('file', { name: 'a.pdf', pages: [1, 2] });
      annotate('note', 'half');
      await gate.promise;
      annotate('note', 'whole');
      progress({ done: 2, total: 2, note: 'ready' });
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    await job.refresh();
    expect(job.progress).toBe(0.5);
    expect(job.annotations).toEqual({ file: { name: 'a.pdf', pages: [1, 2] }, note: 'half' });
    gate.resolve();
    await job.waitForResult();
    expect(job.progress).toEqual({ done: 2, total: 2, note: 'ready' });
    expect(job.annotations).toEqual({ file: { name: 'a.pdf', pages: [1, 2] }, note: 'whole' });
  });

  it('refuse what cannot be stored, in the task', async () => {
    const work = task('work', { quotas: [] }, (what: 'progress' | 'annotation' | 'key') => {
      const { progress, annotate } = currentTask();
      if (what === 'progress') progress(Number.NaN);
      if (what === 'annotation') annotate('x', { deep: [() => {}] });
      if (what === 'key') annotate('', 1);
    });
    const { async } = await setup({ tasks: [work] });
    expect((await failureOf((await async.queueJob(work, 'progress')).waitForResult())).message).toContain('progress');
    const annotated = await async.queueJob(work, 'annotation');
    await annotated.waitForOutcome();
    expect(annotated.error?.message).toContain('annotations.x.deep[0]');
    expect((await (await async.queueJob(work, 'key')).waitForOutcome()).status).toBe('failed');
  });

  it('are given as copies', async () => {
    const work = task('work', () => {
      const list = [1];
      currentTask().annotate('list', list);
      list.push(2);
    });
    const { async } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await job.waitForResult();
    (job.annotations['list'] as number[]).push(3);
    expect(job.annotations['list']).toEqual([1]);
  });

  it('of an attempt that has ended change nothing any more', async () => {
    const late = deferred<(value: number) => void>();
    const work = task('work', () => {
      late.resolve(currentTask().progress);
    });
    const { async, drain } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await job.waitForResult();
    (await late.promise)(0.9);
    await drain();
    await job.refresh();
    expect(job.progress).toBeUndefined();
  });
});

describe('clean-ups', () => {
  it('run when the attempt is over, the last one added first, however it ended', async () => {
    const log = new Log();
    const done: string[] = [];
    const work = task('work', { quotas: [] }, async (fails: boolean) => {
      const { onEnd } = currentTask();
      onEnd(() => done.push('first'));
      onEnd(async () => {
        done.push('second');
        throw new Error('clean-up');
      });
      done.push('work');
      if (fails) throw new Error('x');
      return 42;
    });
    const { async } = await setup({ tasks: [work], logger: log });
    expect(await (await async.queueJob(work, false)).waitForResult()).toBe(42);
    expect(done.splice(0)).toEqual(['work', 'second', 'first']);
    expect((await (await async.queueJob(work, true)).waitForOutcome()).status).toBe('failed');
    expect(done).toEqual(['work', 'second', 'first']);
    expect(log.of('error')).toHaveLength(3);
  });
});

describe('stop', () => {
  it('interrupts a job that honours its signal, and it is pending again', async () => {
    const { async, drain, stop, store } = await setup({ tasks: [hang] });
    const job = await async.queueJob(hang);
    await drain();
    const waiter = failureOf(job.waitForResult());
    await stop();
    expect(await waiter).toBeInstanceOf(NotRunningError);
    const [record] = await store.find({ ids: [job.id] });
    expect(record?.state).toMatchObject({ status: 'pending', interruptions: 1 });
  });

  it('gives up a job that ignores its signal, says so, and drops what it does later', async () => {
    const log = new Log();
    const gate = deferred<number>();
    const deaf = task('deaf', () => gate.promise);
    const { async, drain, stop, store } = await setup({ tasks: [deaf], logger: log });
    const job = await async.queueJob(deaf);
    await drain();
    await stop();
    gate.resolve(42);
    await gate.promise;
    expect(log.of('warn').some((message) => message.includes(job.id) && message.includes('ignored its signal'))).toBe(true);
    const [record] = await store.find({ ids: [job.id] });
    expect(record?.state.status).toBe('pending');
  });

  it('waits for running jobs as long as `stopMs` says', async () => {
    const slow = task('slow', () => firstValueFrom(timer(50_000, bundle.clock.scheduler)));
    const bundle = await setup({ tasks: [slow], dispatcher: { stopMs: 60_000 } });
    const job = await bundle.async.queueJob(slow);
    const outcome = job.waitForOutcome();
    await bundle.drain();
    await bundle.stop();
    expect((await outcome).status).toBe('completed');
  });

  it('leaves no unhandled rejection of waiters with a timeout and a signal', async () => {
    const { async, stop, clock } = await setup({ dispatcher: false });
    const job = await async.queueJob(serial(makeJob(addNumbers, 1, 2)));
    const waiters = Array.from({ length: 20 }, () =>
      failureOf(job.waitForResult({ timeoutMs: 1e9, signal: new AbortController().signal })),
    );
    await stop();
    expect((await Promise.all(waiters)).every((error) => error instanceof NotRunningError)).toBe(true);
    expect(clock.scheduler.actions).toHaveLength(0);
  });
});
