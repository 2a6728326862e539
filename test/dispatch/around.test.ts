/** Middleware around each attempt. */

import { of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Around, currentTask, fixedDelay, makeJob, OptionError, type TaskOptions, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf } from '../support/deferred.js';

/** A middleware that notes when it begins and ends. */
function noting(seen: string[], name: string): Around {
  return async ({ attempt }, next) => {
    seen.push(`${name} begins ${attempt}`);
    try {
      seen.push(`${name} has ${await next()}`);
    } catch (error) {
      seen.push(`${name} fails: ${(error as Error).message}`);
      throw error;
    }
  };
}

const failing = task('failing', { quotas: [] }, () => {
  throw new TypeError('broken');
});
const add = task('add', { quotas: [] }, (a: number, b: number) => a + b);

async function outcomeOf(around: readonly Around[], work: typeof add | typeof failing = add) {
  const { async, ...rest } = await setup({ tasks: [add, failing], around });
  const job = work === add ? await async.queueJob(add, 40, 2) : await async.queueJob(failing);
  return { ...rest, outcome: await job.waitForOutcome() };
}

describe('middleware', () => {
  it('is around each attempt, the first outermost, and around `setUp`', async () => {
    const seen: string[] = [];
    let left = 1;
    const work = task(
      'work',
      {
        quotas: [],
        retry: fixedDelay({ delayMs: 0 }),
        setUp: () => {
          seen.push('set up');
          return () => seen.push('tear down');
        },
      },
      () => {
        if (left-- > 0) throw new TypeError('not yet');
        return 42;
      },
    );
    const { async } = await setup({ tasks: [work], around: [noting(seen, 'outer'), noting(seen, 'inner')] });
    await (await async.queueJob(work)).waitForResult();
    const first = ['outer begins 1', 'inner begins 1', 'set up', 'inner fails: not yet', 'outer fails: not yet', 'tear down'];
    const second = ['outer begins 2', 'inner begins 2', 'set up', 'inner has 42', 'outer has 42', 'tear down'];
    expect(seen).toEqual([...first, ...second]);
  });

  it('is told which job it is, with its metadata, and runs as the task', async () => {
    const seen: unknown[] = [];
    const around: Around = async (job, next) => {
      seen.push({ ...job, same: currentTask().job.id === job.id });
      await next();
    };
    const { async } = await setup({ tasks: [add], around: [around], dispatcher: { agents: [{ queue: 'sums' }] } });
    const job = await async.queueJob(makeJob(add, 1, 2).with({ queue: 'sums', metadata: { tenant: 'acme' } }));
    expect(await job.waitForResult()).toBe(3);
    const facts = { taskName: 'add', queue: 'sums', attempt: 1, isTransactional: false, metadata: { tenant: 'acme' } };
    expect(seen).toEqual([{ id: job.id, ...facts, same: true }]);
  });

  it('neither replaces the result nor hides an error', async () => {
    const hiding: Around = async (_job, next) => {
      await next().catch(() => undefined);
      return 'something else';
    };
    expect((await outcomeOf([hiding])).outcome).toMatchObject({ status: 'completed', result: 42 });
    expect((await outcomeOf([hiding], failing)).outcome).toMatchObject({ status: 'failed', error: { message: 'broken' } });
  });

  it('fails the attempt with what it throws, before or after the task', async () => {
    const before: Around = () => {
      throw new RangeError('no tenant');
    };
    const after: Around = async (_job, next) => {
      await next();
      throw new RangeError('not recorded');
    };
    expect((await outcomeOf([before])).outcome).toMatchObject({ status: 'failed', error: { name: 'RangeError', message: 'no tenant' } });
    expect((await outcomeOf([after])).outcome).toMatchObject({ status: 'failed', error: { message: 'not recorded' } });
  });

  it('that throws while the task runs is followed by the end of the task', async () => {
    const gate = deferred();
    let hasEnded = false;
    const slow = task('slow', { quotas: [] }, async () => {
      await gate.promise;
      hasEnded = true;
    });
    const hasty: Around = (_job, next) => {
      void next();
      gate.resolve();
      throw new RangeError('gone already');
    };
    const { async } = await setup({ tasks: [slow], around: [hasty] });
    expect(await (await async.queueJob(slow)).waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'gone already' } });
    expect(hasEnded).toBe(true);
  });

  it('that does not wait for `next` is waited for', async () => {
    const careless: Around = (_job, next) => void next();
    expect((await outcomeOf([careless])).outcome).toMatchObject({ status: 'completed', result: 42 });
    expect((await outcomeOf([careless], failing)).outcome).toMatchObject({ status: 'failed', error: { message: 'broken' } });
  });

  it('that calls `next` never, or twice, fails the attempt with an error that says so', async () => {
    async function forgetful(): Promise<void> {}
    async function eager(_job: unknown, next: () => Promise<unknown>): Promise<void> {
      await next();
      void next();
    }
    expect((await outcomeOf([forgetful])).outcome).toMatchObject({
      error: {
        code: 'MILLRACE_MIDDLEWARE',
        message: expect.stringMatching(/^the middleware `forgetful` of `around`, .* has not called `next`/),
      },
    });
    expect((await outcomeOf([eager])).outcome).toMatchObject({
      error: {
        code: 'MILLRACE_MIDDLEWARE',
        message: expect.stringMatching(/^the middleware `eager` of `around`, .* has called `next` twice/),
      },
    });
  });

  it.each<[string, () => unknown]>([
    ['returned', () => undefined],
    ['thrown', () => Promise.reject(new RangeError('no tenant'))],
  ])('that calls `next` after it has %s runs nothing, and gets an error that says so', async (_how, end) => {
    let runs = 0;
    const counted = task('counted', { quotas: [] }, () => runs++);
    const gate = deferred();
    const refused: Promise<Error>[] = [];
    const inner: Around = async (_job, next) => {
      runs++;
      await next();
    };
    function late(_job: unknown, next: () => Promise<unknown>): unknown {
      refused.push(failureOf(gate.promise.then(next)));
      return end();
    }
    const { async, drain } = await setup({ tasks: [counted], around: [late, inner] });
    const outcome = await (await async.queueJob(counted)).waitForOutcome();
    gate.resolve();
    expect(await Promise.all(refused)).toMatchObject([
      { code: 'MILLRACE_MIDDLEWARE', message: expect.stringMatching(/^the middleware `late` of `around`, .* after its own end/) },
    ]);
    await drain();
    expect({ runs, status: outcome.status }).toEqual({ runs: 0, status: 'failed' });
  });

  it('ends after the last value of an observable', async () => {
    const seen: string[] = [];
    const counting = task('counting', { quotas: [] }, () => of(1, 2, 3));
    const { async } = await setup({ tasks: [counting], around: [noting(seen, 'it')] });
    expect(await (await async.queueJob(counting)).waitForResult()).toBe(3);
    expect(seen).toEqual(['it begins 1', 'it has 3']);
  });

  it.each([
    ['a function', () => {}],
    ['a list with something else', [42]],
  ])('is refused as %s', async (_what, around) => {
    await expect(setup({ tasks: [], around: around as never })).rejects.toThrow(OptionError);
  });
});

/** A task that counts its runs, behind a middleware that waits for a gate, whatever becomes of the job. */
function gated(options: TaskOptions = {}) {
  const [reached, gate] = [deferred<AbortSignal>(), deferred()];
  const calls = { runs: 0, failures: [] as unknown[] };
  const around: Around = async (_job, next) => {
    reached.resolve(currentTask().signal);
    await gate.promise;
    await next().catch((error: unknown) => void calls.failures.push(error));
  };
  const counted = task('counted', { quotas: [], ...options }, () => calls.runs++);
  return { calls, around, counted, reached: reached.promise, open: () => gate.resolve() };
}

describe('a job that is over while its middleware waits runs no task', () => {
  it('where it ran into its timeout', async () => {
    const { calls, around, counted, reached, open } = gated({ timeoutMs: 1_000 });
    const { async, advance, drain } = await setup({ tasks: [counted], around: [around] });
    const job = await async.queueJob(counted);
    await reached;
    await advance(1_000);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TASK_TIMEOUT' } });
    open();
    await drain();
    expect(calls).toMatchObject({ runs: 0, failures: [{ code: 'MILLRACE_TASK_TIMEOUT' }] });
  });

  it('where it ran into its timeout and is tried again, until the next attempt', async () => {
    const { calls, around, counted, reached, open } = gated({ timeoutMs: 1_000, retry: fixedDelay({ attempts: 2, delayMs: 0 }) });
    const { async, advance } = await setup({ tasks: [counted], around: [around] });
    const job = await async.queueJob(counted);
    await reached;
    await advance(1_000);
    open();
    expect(await job.waitForOutcome()).toEqual({ status: 'completed', result: 0 });
    expect(calls).toMatchObject({ runs: 1, failures: [{ code: 'MILLRACE_TASK_TIMEOUT' }] });
    expect(job.attempts).toBe(2);
  });

  it('where its dispatcher stops', async () => {
    const { calls, around, counted, reached, open } = gated();
    const { async, store, stop } = await setup({ tasks: [counted], around: [around] });
    const job = await async.queueJob(counted);
    (await reached).addEventListener('abort', open);
    await stop();
    expect((await store.find({ ids: [job.id] }))[0]?.state).toMatchObject({ status: 'pending', interruptions: 1 });
    expect(calls.runs).toBe(0);
  });
});

onBothStores((stage) => {
  it.each([false, true])('a job that is cancelled while its middleware waits runs no task (transactional: %s)', async (transactional) => {
    const { calls, around, counted, reached, open } = gated({ transactional });
    const { async } = await stage.start({ tasks: [counted], around: [around] });
    const job = await async.queueJob(counted);
    await reached;
    await job.cancel('enough');
    open();
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(calls).toMatchObject({ runs: 0, failures: [{ code: 'MILLRACE_JOB_CANCELLED' }] });
  });

  it('is inside the transaction of a transactional task, and around callbacks', async () => {
    const seen: string[] = [];
    const around: Around = async ({ taskName, isTransactional }, next) => {
      await next();
      expect(isTransactional).toBe(taskName === 'pay');
      seen.push(`${taskName} ${Reflect.has(currentTask(), 'session') && taskName === 'pay' ? typeof currentTask().session : ''}`.trim());
    };
    const pay = task('pay', { quotas: [], transactional: true }, () => 'paid');
    const tell = task('tell', { quotas: [] }, (what: string) => what);
    const { async } = await stage.start({ tasks: [pay, tell], around: [around] });
    const job = await async.queueJob(makeJob(pay).withCallbacks({ success: tell }));
    await job.waitForOutcome();
    expect(seen).toEqual(['pay object', 'tell']);
  });

  it('is around each attempt of a transactional task that meets a conflict, and keeps nothing of one that it fails', async () => {
    const seen: string[] = [];
    const pay = task('pay', { quotas: [], transactional: true }, async () => {
      const { attempt } = currentTask();
      await async.queueJob(makeJob(tell, `paid ${attempt}`));
      if (attempt === 1) throw Object.assign(new Error('conflict'), { errorLabels: ['TransientTransactionError'] });
    });
    const tell = task('tell', { quotas: [] }, (what: string) => what);
    const refusing: Around = async ({ metadata }, next) => {
      await next();
      if (metadata['refuse'] === true) throw new RangeError('not allowed');
    };
    const { async, drain } = await stage.start({ tasks: [pay, tell], around: [noting(seen, 'it'), refusing] });
    await async.queueJob(pay);
    await drain();
    expect(seen).toEqual(['it begins 1', 'it fails: conflict', 'it begins 2', 'it has undefined', 'it begins 1', 'it has paid 2']);
    const refused = await async.queueJob(makeJob(pay).with({ metadata: { refuse: true } }));
    await drain();
    expect(await refused.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'not allowed' } });
    expect(await async.getJobs({ task: tell })).toHaveLength(1);
  });

  it('is around the jobs of a schedule, and a job that a task returns as a draft', async () => {
    const seen: string[] = [];
    const around: Around = async ({ taskName }, next) => {
      seen.push(`${taskName} begins`);
      await next();
      seen.push(`${taskName} ends`);
    };
    const inner = task('inner', { quotas: [] }, () => 42);
    const nightly = task('nightly', { quotas: [] }, () => makeJob(inner));
    const { async, advance } = await stage.start({
      tasks: [nightly, inner],
      around: [around],
      schedules: [{ every: '0 * * * *', timeZone: 'UTC', job: makeJob(nightly) }],
    });
    await advance(3_600_000);
    expect(seen).toEqual(['nightly begins', 'nightly ends', 'inner begins', 'inner ends']);
    const [job] = await async.getJobs({ task: nightly });
    expect(await job?.waitForResult()).toBe(42);
  });
});
