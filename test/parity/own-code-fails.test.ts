/** Jobs whose own code fails. */

import { expect, it } from 'vitest';
import {
  currentTask,
  fixedDelay,
  forever,
  type IAsyncService,
  makeJob,
  never,
  RetryLater,
  type RetryPolicy,
  type StoredError,
  type TaskOptions,
  task,
} from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';

const conflict = (): Error => Object.assign(new Error('write conflict'), { errorLabels: ['TransientTransactionError'] });

/** A task that fails a number of times, and when it was run, in milliseconds of virtual time. */
function flaky(retry: RetryPolicy | undefined, failures: number, error: () => unknown = conflict) {
  const runs: number[] = [];
  const time = { now: (): number => 0 };
  const options: TaskOptions = retry === undefined ? { quotas: [] } : { quotas: [], retry };
  const work = task('flaky', options, () => {
    runs.push(time.now());
    if (runs.length <= failures) throw error();
    return 42;
  });
  return { runs, time, work };
}

/** Callbacks that write down what they were given. */
function noting() {
  const noted: unknown[] = [];
  const success = task('success', { quotas: [] }, (result: unknown) => {
    noted.push(['success', result]);
  });
  const failure = task('failure', { quotas: [] }, ({ name, message }: StoredError) => {
    noted.push(['failure', name, message]);
  });
  return { noted, success, failure };
}

function frozenCircle(): object {
  const circle: { self?: object } = {};
  circle.self = circle;
  return Object.freeze(circle);
}

onBothStores((stage) => {
  it.each([TypeError, RangeError, SyntaxError])('a job that throws a %o runs once and fails with it', async (Thrown) => {
    const { runs, work } = flaky(undefined, 1, () => new Thrown('it broke'));
    const { noted, success, failure } = noting();
    const log = new Log();
    const { async } = await stage.start({ tasks: [work, success, failure], logger: log });
    const job = await async.queueJob(makeJob(work).withCallbacks({ success, failure }));
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(job.error).toMatchObject({ name: Thrown.name, message: 'it broke' });
    expect(job.error?.stack).toContain('own-code-fails.test.ts');
    expect(runs).toHaveLength(1);
    expect(noted).toEqual([['failure', Thrown.name, 'it broke']]);
    expect(log.of('error')).toEqual([`job ${job.id} (flaky) failed: it broke; see \`async.getDeadLetters()\``]);
  });

  it('what a job has queued in a transaction vanishes when its code throws there', async () => {
    const { runs, work: unwanted } = flaky(undefined, 0);
    let service: IAsyncService | undefined;
    const outer = task('outer', { quotas: [] }, () =>
      service?.transaction(async () => {
        await service?.queueJob(unwanted);
        throw new TypeError('it broke');
      }),
    );
    const { async, store, drain } = await stage.start({ tasks: [outer, unwanted] });
    service = async;
    const job = await async.queueJob(outer);
    expect((await job.waitForOutcome()).status).toBe('failed');
    await drain();
    expect([runs.length, await store.count({})]).toEqual([0, 1]);
  });

  it('a job that returns an error fails as well, and its earlier effects stay', async () => {
    const { runs, work } = flaky(undefined, 0);
    const { noted, success, failure } = noting();
    let service: IAsyncService | undefined;
    const outer = task('outer', { quotas: [] }, async () => {
      await service?.queueJob(work);
      return new RangeError('returned') as unknown;
    });
    const { async, drain } = await stage.start({ tasks: [outer, work, success, failure] });
    service = async;
    const job = await async.queueJob(makeJob(outer).withCallbacks({ success, failure }));
    expect((await job.waitForOutcome()).status).toBe('failed');
    expect(job.error?.message).toContain('`result`');
    await drain();
    expect(noted).toEqual([['failure', 'UnstorableError', job.error?.message]]);
    expect(runs).toHaveLength(1);
  });

  it('a job that always conflicts is run five times, and fails with the conflict', async () => {
    const { runs, work } = flaky(undefined, Number.POSITIVE_INFINITY);
    const { async } = await stage.start({ tasks: [work] });
    const job = await async.queueJob(work);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'write conflict' } });
    expect([runs.length, job.attempts]).toEqual([5, 5]);
  });

  it('a job that always conflicts is run once under `never`, and without end under `forever`', async () => {
    const [once, endless] = [flaky(never, Number.POSITIVE_INFINITY), flaky(forever(60_000), Number.POSITIVE_INFINITY)];
    const forgoing = task('once', { quotas: [], retry: never }, () => once.work());
    const { async, advance } = await stage.start({ tasks: [forgoing, endless.work] });
    const [failed, goingOn] = [await async.queueJob(forgoing), await async.queueJob(endless.work)];
    await advance(1_800_000);
    expect([(await failed.refresh()).status, once.runs.length]).toEqual(['failed', 1]);
    expect([(await goingOn.refresh()).status, endless.runs.length]).toEqual(['scheduled', 31]);
  });

  it('a job that conflicts twice runs three times and completes', async () => {
    const { runs, work } = flaky(undefined, 2);
    const { async } = await stage.start({ tasks: [work] });
    const job = await async.queueJob(work);
    expect(await job.waitForResult()).toBe(42);
    expect([runs.length, job.error]).toEqual([3, undefined]);
  });

  it('a job that fails 49 times runs fifty times, ever further apart, and holds no slot in between', async () => {
    const delayMs = (failures: number): number => Math.min(5_000 * failures, 60_000);
    const { runs, time, work } = flaky({ attempts: 50, retries: 'any', delayMs }, 49, () => new Error('disconnected'));
    const quick = task('quick', { quotas: [] }, () => 'done');
    const { async, advance, clock } = await stage.start({ tasks: [work, quick], dispatcher: { agents: [{ concurrency: 1 }] } });
    time.now = () => clock.now();
    const job = await async.queueJob(work);
    const behind = await async.queueJob(quick);
    await advance(0);
    expect([(await job.refresh()).status, (await behind.refresh()).status]).toEqual(['scheduled', 'completed']);
    await advance(2_610_000);
    expect(await job.waitForResult()).toBe(42);
    expect(runs.slice(1).map((at, index) => at - (runs[index] ?? 0))).toEqual(Array.from({ length: 49 }, (_, index) => delayMs(index + 1)));
  });

  it('a job whose policy says to wait for an hour is scheduled for then, in no hand, and its callbacks wait', async () => {
    const { noted, success, failure } = noting();
    const { work } = flaky(fixedDelay({ delayMs: 3_600_000 }), 1);
    const { async, drain, advance, clock, stateOf } = await stage.start({ tasks: [work, success, failure] });
    const job = await async.queueJob(makeJob(work).withCallbacks({ success, failure }));
    await drain();
    const { status, dueAt, owner, failures } = await stateOf(job);
    expect([status, dueAt, owner, failures]).toEqual(['scheduled', new Date(clock.now() + 3_600_000), undefined, 1]);
    expect([async.dispatcher?.running, noted]).toEqual([[], []]);
    await advance(3_600_000);
    expect([(await job.refresh()).status, noted]).toEqual(['completed', [['success', 42]]]);
  });

  it('a job that asks to run later itself is scheduled for then, and no failure is counted', async () => {
    const { work } = flaky(never, 1, () => new RetryLater(3_600_000));
    const { async, drain, advance, clock, stateOf } = await stage.start({ tasks: [work] });
    const job = await async.queueJob(work);
    await drain();
    expect(await stateOf(job)).toMatchObject({ status: 'scheduled', dueAt: new Date(clock.now() + 3_600_000), failures: 0 });
    await advance(3_600_000);
    expect(await job.waitForResult()).toBe(42);
  });

  it.each<[string, RetryPolicy]>([
    [
      'throws',
      {
        retries: () => {
          throw new Error('a broken policy');
        },
      },
    ],
    ['gives no time', { retries: 'any', delayMs: () => Number.NaN }],
  ])('a job whose policy %s is not retried, and fails with its own error', async (_what, retry) => {
    const { runs, work } = flaky(retry, 1);
    const log = new Log();
    const { async } = await stage.start({ tasks: [work], logger: log });
    const job = await async.queueJob(work);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { message: 'write conflict' } });
    expect(runs).toHaveLength(1);
    expect(log.of('error')[0]).toBe(`the retry policy of flaky failed, so job ${job.id} is not retried`);
  });

  it('a callback that throws is logged, and changes nothing for its job or for the callbacks beside it', async () => {
    const { work } = flaky(undefined, 0);
    const ran: string[] = [];
    const fine = task('fine', { quotas: [] }, () => {
      ran.push('fine');
    });
    const broken = task('broken', { quotas: [] }, () => {
      ran.push('broken');
      throw new RangeError('in the handler');
    });
    const log = new Log();
    const { async } = await stage.start({ tasks: [work, fine, broken], logger: log });
    const job = await async.queueJob(makeJob(work).withCallback(fine).withCallback(broken).withCallback(fine));
    expect(await job.waitForResult()).toBe(42);
    expect(ran.toSorted()).toEqual(['broken', 'fine', 'fine']);
    const [failed, ...others] = await async.getJobs({ statuses: ['failed'] });
    expect([failed?.taskName, failed?.error?.name, others]).toEqual(['broken', 'RangeError', []]);
    expect(log.of('error')).toEqual([`job ${failed?.id} (broken) failed: in the handler; see \`async.getDeadLetters()\``]);
  });

  it('a job whose set-up throws is retried by its policy without its code being called, and is cleaned up after', async () => {
    const seen: string[] = [];
    const setUp = (): void => {
      currentTask().onEnd(() => seen.push('cleaned up'));
      seen.push('set up');
      throw new RangeError('no connection');
    };
    const work = task('work', { quotas: [], setUp, retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, () => {
      seen.push('worked');
    });
    const { async } = await stage.start({ tasks: [work] });
    const job = await async.queueJob(work);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'RangeError' } });
    expect(seen).toEqual(['set up', 'cleaned up', 'set up', 'cleaned up']);
  });

  it('a job whose tear-down throws keeps its result, and the error is logged', async () => {
    const setUp = () => () => {
      throw new RangeError('torn');
    };
    const work = task('work', { quotas: [], setUp }, () => 42);
    const log = new Log();
    const { async } = await stage.start({ tasks: [work], logger: log });
    const job = await async.queueJob(work);
    expect(await job.waitForResult()).toBe(42);
    expect(log.of('error')).toEqual([`a clean-up of job ${job.id} (work) threw, which changes nothing`]);
  });

  it('a job that finds its work done already fails with what its code says, and only the failure callback runs', async () => {
    const documents = new Set<string>();
    const create = task('create', { quotas: [] }, (id: string) => {
      if (documents.has(id)) throw Object.assign(new Error(`there is a document ${id} already`), { code: 'DUPLICATE' });
      documents.add(id);
      return id;
    });
    const { noted, success, failure } = noting();
    const { async } = await stage.start({ tasks: [create, success, failure] });
    const draft = makeJob(create, '1').withCallbacks({ success, failure });
    await (await async.queueJob(draft)).waitForOutcome();
    const second = await async.queueJob(draft);
    expect(await second.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'DUPLICATE' } });
    expect(noted).toEqual([
      ['success', '1'],
      ['failure', 'Error', 'there is a document 1 already'],
    ]);
  });

  it('a job that is retried after a delay is scheduled meanwhile, and runs not a millisecond before', async () => {
    const { runs, work } = flaky(fixedDelay({ delayMs: 5_000 }), 1, () => new Error('once'));
    const { async, advance } = await stage.start({ tasks: [work] });
    const job = await async.queueJob(work);
    await advance(4_999);
    expect([(await job.refresh()).status, runs.length]).toEqual(['scheduled', 1]);
    await advance(1);
    expect([(await job.refresh()).status, runs.length]).toEqual(['completed', 2]);
  });

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    [
      'what throws when it is looked at',
      () =>
        new Proxy(Object.create(null), {
          get: () => {
            throw new Error('hands off');
          },
        }),
    ],
    ['a frozen circle', frozenCircle],
  ])('a job that throws %s fails, and gives its slot and its quota back', async (_what, thrown) => {
    const bad = task('bad', () => {
      throw thrown();
    });
    const good = task('good', () => 42);
    const { async } = await stage.start({ tasks: [bad, good], dispatcher: { agents: [{ concurrency: 1 }] } });
    const [failed, next] = [await async.queueJob(bad), await async.queueJob(good)];
    expect((await failed.waitForOutcome()).status).toBe('failed');
    expect(await next.waitForResult()).toBe(42);
  });
});
