/** The code before and after each attempt, and the log of failures. */

import { Container } from 'inversify';
import { config } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, makeJob, memoryStore, parallel, Task, type TaskOptions, task, tasks } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred, failureOf, Log } from '../support/deferred.js';

/** A task that writes down what happens, and fails as often as it is told to. */
function recording(options: Pick<TaskOptions, 'setUp' | 'retry' | 'timeoutMs'> = {}, failures = 0) {
  const seen: string[] = [];
  let left = failures;
  const work = task(
    'work',
    {
      quotas: [],
      setUp: ({ attempt }) => {
        seen.push(`set up ${attempt}`);
        return () => seen.push(`tear down ${attempt}`);
      },
      ...options,
    },
    () => {
      seen.push(`work ${currentTask().attempt}`);
      if (left-- > 0) throw new TypeError('not yet');
      return seen.length;
    },
  );
  return { seen, work };
}

describe('a set-up', () => {
  it('runs before each attempt, and what it returns after it', async () => {
    const { seen, work } = recording({ retry: fixedDelay({ delayMs: 0 }) }, 1);
    const { async } = await setup({ tasks: [work] });
    await (await async.queueJob(work)).waitForResult();
    expect(seen).toEqual(['set up 1', 'work 1', 'tear down 1', 'set up 2', 'work 2', 'tear down 2']);
  });

  it('of the module runs before that of the task, and its tear-down after', async () => {
    const { seen, work } = recording();
    const setUp = () => {
      seen.push('module');
      return () => seen.push('module down');
    };
    const { async } = await setup({ tasks: [work], setUp });
    await (await async.queueJob(work)).waitForResult();
    expect(seen).toEqual(['module', 'set up 1', 'work 1', 'tear down 1', 'module down']);
  });

  it('that throws is an error of the attempt, and the code is not called', async () => {
    const seen: string[] = [];
    let attempts = 0;
    const setUp = async () => {
      currentTask().onEnd(() => seen.push('cleaned up'));
      if (++attempts < 3) throw new RangeError('not ready');
    };
    const { work, seen: worked } = recording({ setUp, retry: fixedDelay({ attempts: 2, delayMs: 0 }) });
    const { async } = await setup({ tasks: [work] });
    const first = await async.queueJob(work);
    expect((await failureOf(first.waitForResult())).message).toContain('not ready');
    expect([first.error?.name, first.attempts, worked]).toEqual(['RangeError', 2, []]);
    expect(await (await async.queueJob(work)).waitForResult()).toBe(1);
    expect(seen).toEqual(['cleaned up', 'cleaned up', 'cleaned up']);
  });

  it('has a tear-down whose error is logged and changes nothing', async () => {
    const log = new Log();
    const setUp = () => () => {
      throw new Error('torn');
    };
    const { work } = recording({ setUp });
    const { async } = await setup({ tasks: [work], logger: log });
    expect(await (await async.queueJob(work)).waitForResult()).toBe(1);
    expect(log.of('error')).toHaveLength(1);
    expect(log.of('error')[0]).toContain('a clean-up of job');
  });
});

describe('an attempt that is over before its code is called', () => {
  /** A task whose set-up waits for the test. */
  function waiting(options: Pick<TaskOptions, 'timeoutMs'> = {}) {
    const gate = deferred();
    const setUp = async () => {
      await gate.promise;
      return () => seen.push('tear down');
    };
    const { seen, work } = recording({ ...options, setUp });
    return { seen, work, gate };
  }

  it('never calls it where its time ran out in the set-up, and tears down what was set up', async () => {
    const { seen, work, gate } = waiting({ timeoutMs: 1_000 });
    const { async, drain, advance } = await setup({ tasks: [work] });
    const job = await async.queueJob(work);
    await advance(2_000);
    gate.resolve();
    await drain();
    expect([(await job.refresh()).status, seen]).toEqual(['failed', ['tear down']]);
  });

  it('never calls it where the job was cancelled in the set-up of the module, nor the set-up of the task', async () => {
    const gate = deferred();
    const { seen, work } = recording();
    const { async, drain } = await setup({ tasks: [work], setUp: () => gate.promise });
    const job = await async.queueJob(work);
    await drain();
    await job.cancel('no');
    gate.resolve();
    await drain();
    expect([(await job.refresh()).status, seen]).toEqual(['cancelled', []]);
  });

  it('counts as interrupted where its process stopped in the set-up', async () => {
    const { seen, work, gate } = waiting();
    const { async, drain, advance, store, stop } = await setup({ tasks: [work], dispatcher: { stopMs: 100 } });
    await setup({ store, dispatcher: false });
    const job = await async.queueJob(work);
    await drain();
    const stopped = stop();
    await advance(100);
    gate.resolve();
    await stopped;
    const [record] = await store.find({ ids: [job.id] });
    expect([record?.state.status, record?.state.interruptions, seen]).toEqual(['pending', 1, ['tear down']]);
  });

  it('never calls it where the job was cancelled while its service was resolved', async () => {
    const gate = deferred();
    const seen: string[] = [];
    class Service {
      @Task({ quotas: [] })
      async work(): Promise<void> {
        seen.push('work');
      }
    }
    const container = new Container();
    container.bind(Service).toDynamicValue(async () => {
      if (seen.push('resolve') > 1) await gate.promise;
      return new Service();
    });
    const { async, drain } = await setup({ tasks: [Service], container });
    const job = await async.queueJob(tasks(Service).work);
    await drain();
    await job.cancel();
    gate.resolve();
    await drain();
    expect([(await job.refresh()).status, seen]).toEqual(['cancelled', ['resolve', 'resolve']]);
  });
});

describe('a failure', () => {
  const broken = task('broken', { quotas: [] }, () => {
    throw new TypeError('it broke');
  });
  const quiet = task('quiet', { quotas: [], failureLogLevel: 'debug' }, () => {
    throw new TypeError('it broke');
  });

  it('is logged once as an error, with the job, its task and why', async () => {
    const log = new Log();
    const { async, drain } = await setup({ tasks: [broken], logger: log });
    const job = await async.queueJob(makeJob(broken).with({ name: 'nightly' }));
    await drain();
    expect(log.of('error')).toEqual([`job ${job.id} (broken, nightly) failed: it broke; see \`async.getDeadLetters()\``]);
    expect(log.lines.find(({ level }) => level === 'error')?.details).toMatchObject({ err: { name: 'TypeError' } });
  });

  it('is logged as its task says, or its draft', async () => {
    const log = new Log();
    const { async, drain } = await setup({ tasks: [broken, quiet], logger: log });
    await async.queueJobs([
      makeJob(quiet),
      makeJob(quiet).with({ failureLogLevel: 'warn' }),
      makeJob(broken).with({ failureLogLevel: 'none' }),
    ]);
    await drain();
    expect(
      [log.of('debug'), log.of('warn'), log.of('error')].map((lines) => lines.filter((line) => line.includes('it broke')).length),
    ).toEqual([1, 1, 0]);
  });

  it('is logged of batches, of callbacks and of jobs that were not started in time', async () => {
    const log = new Log();
    const { async, drain, advance, clock } = await setup({ tasks: [broken], logger: log });
    await async.queueJob(parallel(makeJob(broken).withCallback(makeJob(broken))).with({ onFailure: 'fail' }));
    await async.queueJob(makeJob(broken).with({ queue: 'nobody', beginBy: new Date(clock.now() + 1_000) }));
    await drain();
    await advance(1_000);
    const causes = log.of('error').map((line) => line.replace(/^.* failed: /, '').slice(0, 8));
    expect(causes.toSorted()).toEqual([
      '1 of 1 j',
      'it broke',
      'it broke',
      `job ${(await async.getJobs({ queue: 'nobody' }))[0]?.id.slice(0, 4)}`,
    ]);
  });

  it('is logged as an error where another build has stored a level that is unknown to this', async () => {
    const log = new Log();
    const store = memoryStore();
    const insert = store.insert.bind(store);
    store.insert = (trees) => insert(trees.map(([job, ...below]) => [{ ...job, failureLogLevel: 'fatal' as 'error' }, ...below]));
    const { async, drain } = await setup({ store, tasks: [broken], logger: log });
    const job = await async.queueJob(broken);
    await drain();
    expect(log.of('error')).toEqual([`job ${job.id} (broken) failed: it broke; see \`async.getDeadLetters()\``]);
  });

  it('that the logger cannot log changes nothing, whether it throws or rejects', async () => {
    const uncaught: unknown[] = [];
    config.onUnhandledError = (error) => uncaught.push(error);
    const fail = (): never => {
      throw new Error('the disk is full');
    };
    const logger = { debug: fail, info: fail, warn: async () => fail(), error: fail };
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, () => {
      currentTask().logger.info('at work');
      throw new TypeError('it broke');
    });
    const { async, drain } = await setup({ tasks: [flaky], logger });
    const job = await async.queueJob(flaky);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'it broke' } });
    await drain();
    config.onUnhandledError = null;
    expect(uncaught).toEqual([]);
  });

  it("that is retried is not logged either where its job says 'none'", async () => {
    const log = new Log();
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }), failureLogLevel: 'none' }, () => {
      throw new TypeError('it broke');
    });
    const { async, drain } = await setup({ tasks: [flaky], logger: log });
    const job = await async.queueJob(flaky);
    await drain();
    expect([(await job.refresh()).status, log.of('warn'), log.of('error')]).toEqual(['failed', [], []]);
  });

  it('that is retried is a warning, the first and each fifth', async () => {
    const log = new Log();
    const flaky = task('flaky', { quotas: [], retry: fixedDelay({ attempts: 8, delayMs: 1_000 }) }, () => {
      throw new TypeError('it broke');
    });
    const { async, advance } = await setup({ tasks: [flaky], logger: log });
    const job = await async.queueJob(flaky);
    await advance(10_000);
    expect(log.of('warn')).toEqual(
      ['once', '6 times'].map((times) => `job ${job.id} (flaky) has failed ${times}, and is tried again in 1000 ms: it broke`),
    );
    expect(log.of('error')).toEqual([`job ${job.id} (flaky) failed after 8 attempts: it broke; see \`async.getDeadLetters()\``]);
  });
});
