/** Jobs whose end cannot be recorded at once. */

import { expect, it } from 'vitest';
import { fixedDelay, type IAsyncService, type JobStore, makeJob, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';
import { Outage } from './outage.js';

/** A task that counts its runs, and fails as often as it is told to. */
function counting(failures = 0) {
  const runs: number[] = [];
  const work = task('work', { quotas: [], retry: fixedDelay({ attempts: failures + 1, delayMs: 60_000 }) }, () => {
    runs.push(runs.length);
    if (runs.length <= failures) throw new Error('not yet');
    return 42;
  });
  return { runs, work };
}

const failing = task('failing', { quotas: [] }, () => {
  throw new RangeError('it broke');
});

/** An outage for ends alone. */
function ofEnds() {
  const outage = new Outage();
  const faults = (store: JobStore): Partial<JobStore> => ({ settle: outage.of(store.settle) });
  return { outage, faults };
}

onBothStores((stage) => {
  it.each([1, 2, 5, 50])(
    'a result that cannot be recorded for %d tries is recorded with the next, a second later, and its job runs once',
    async (tries) => {
      const { runs, work } = counting();
      const { outage, faults } = ofEnds();
      const { async, advance } = await stage.start({ tasks: [work], faults });
      outage.begin(tries);
      const job = await async.queueJob(work);
      await advance(tries * 1_000 - 1);
      expect((await job.refresh()).status).toBe('active');
      await advance(1);
      expect(await job.waitForResult()).toBe(42);
      expect([outage.refused, runs.length, job.attempts]).toEqual([tries, 1, 1]);
    },
  );

  it('a result that cannot be recorded is said to be so in the log', async () => {
    const { work } = counting();
    const { outage, faults } = ofEnds();
    const log = new Log();
    const { async, advance } = await stage.start({ tasks: [work], faults, logger: log });
    outage.begin(1);
    await async.queueJob(work);
    await advance(1_000);
    expect(log.of('error')).toEqual(['the ends of attempts could not be written; trying again in 1000 ms']);
  });

  it('a failure that cannot be recorded for fifty tries is recorded in the end, and the code is not run again', async () => {
    let runs = 0;
    const broken = task('broken', { quotas: [], retry: fixedDelay({ attempts: 5, delayMs: 0 }) }, () => {
      runs++;
      throw new RangeError('it broke');
    });
    const { outage, faults } = ofEnds();
    const { async, advance } = await stage.start({ tasks: [broken], faults });
    outage.begin(50);
    const job = await async.queueJob(broken);
    await advance(49_999);
    expect([(await job.refresh()).status, runs]).toEqual(['active', 5]);
    await advance(1);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { name: 'RangeError' } });
    expect([outage.refused, runs]).toEqual([50, 5]);
  });

  it('a retry that cannot be recorded for three tries is recorded then, counted once, and comes its whole delay later', async () => {
    const { runs, work } = counting(1);
    const outage = new Outage();
    const faults = (store: JobStore): Partial<JobStore> => ({ reschedule: outage.of(store.reschedule) });
    const { async, advance, clock, stateOf } = await stage.start({ tasks: [work], faults });
    outage.begin(3);
    const job = await async.queueJob(work);
    await advance(3_000);
    expect(await stateOf(job)).toMatchObject({ status: 'scheduled', dueAt: new Date(clock.now() + 60_000), failures: 1, attempts: 1 });
    await advance(60_000);
    expect(await job.waitForResult()).toBe(42);
    expect([outage.refused, runs.length, job.attempts]).toEqual([3, 2, 2]);
  });

  it('a job is in `callbacks` for as long as the end of a callback cannot be recorded, and ends when it can', async () => {
    const { work } = counting();
    let ran = 0;
    const after = task('after', { quotas: [] }, () => ++ran);
    const outage = new Outage();
    const faults = (store: JobStore): Partial<JobStore> => {
      const refused = outage.of(store.settle);
      const isOfCallback = async (ids: readonly string[]): Promise<boolean> =>
        (await store.find({ ids })).some(({ job }) => job.role === 'callback');
      return { settle: async (ends) => ((await isOfCallback(ends.map(({ id }) => id))) ? refused(ends) : store.settle(ends)) };
    };
    const { async, advance } = await stage.start({ tasks: [work, after], faults });
    outage.begin();
    const job = await async.queueJob(makeJob(work).withCallback(after));
    await advance(600_000);
    expect([(await job.refresh()).status, job.result]).toEqual(['callbacks', undefined]);
    outage.end();
    await advance(1_000);
    expect((await job.refresh()).status).toBe('completed');
    expect(ran).toBe(1);
  });

  it('a job whose transaction is given up each time fails after its attempts, and nothing that was queued in them is there', async () => {
    const { service, doomed, work, runs } = doomedFor(Number.POSITIVE_INFINITY);
    const { async, drain, store } = await stage.start({ tasks: [doomed, work] });
    service.async = async;
    const job = await async.queueJob(doomed);
    expect((await job.waitForOutcome()).status).toBe('failed');
    await drain();
    expect([job.attempts, runs.length, await store.count({})]).toEqual([5, 0, 1]);
  });

  it('a callback whose transaction is given up once runs again, and its jobs are queued once', async () => {
    const { service, doomed, work, runs } = doomedFor(1);
    const { async, drain } = await stage.start({ tasks: [failing, doomed, work] });
    service.async = async;
    const job = await async.queueJob(makeJob(failing).withCallback(makeJob(doomed)));
    expect((await job.waitForOutcome()).status).toBe('failed');
    await drain();
    const [callback] = await async.getJobs({ task: doomed });
    expect([callback?.status, callback?.attempts, runs.length]).toEqual(['completed', 2, 1]);
  });

  it('a process that stops while it cannot record the end of a job leaves no timer, and writes nothing afterwards', async () => {
    const work = task('work', { quotas: [] }, () => 42);
    let tries = 0;
    const settle = async (): Promise<never> => {
      tries++;
      throw new Error('the database cannot be reached');
    };
    const { async, advance, clock, drain, stop } = await stage.start({ tasks: [work], faults: () => ({ settle }) });
    await async.queueJob(work);
    await drain();
    await advance(300);
    await stop();
    const before = tries;
    expect(clock.scheduler.actions).toEqual([]);
    await advance(5_000);
    expect(tries).toBe(before);
  });
});

/** A task that queues a job in a transaction, which its code gives up a number of times. */
function doomedFor(times: number) {
  const { runs, work } = counting();
  const service: { async?: IAsyncService } = {};
  let left = times;
  const doomed = task('doomed', { quotas: [], retry: fixedDelay({ attempts: 5, delayMs: 0 }) }, () =>
    service.async?.transaction(async () => {
      await service.async?.queueJob(work);
      if (left-- > 0) throw new Error('not like this');
    }),
  );
  return { service, doomed, work, runs };
}
