/** Problems of a dispatcher while it looks for work. */

import { expect, it } from 'vitest';
import { type JobStore, makeJob, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { deferred, Log } from '../support/deferred.js';
import { Outage } from './outage.js';

/** A task that counts its runs. */
function counting() {
  const runs: number[] = [];
  const answer = task('answer', { quotas: [] }, () => {
    runs.push(runs.length);
    return 42;
  });
  return { runs, answer };
}

onBothStores((stage) => {
  it('a job that is cancelled before its claim comes through is not run, and the next one is', async () => {
    const { runs, answer } = counting();
    let isArmed = true;
    const claim =
      (store: JobStore): JobStore['claim'] =>
      async (request) => {
        const [victim] = isArmed ? await store.find({ statuses: ['pending'] }) : [];
        if (victim !== undefined) {
          isArmed = false;
          await store.cancel([victim.job.id], 'taken away');
        }
        return store.claim(request);
      };
    const { async, drain } = await stage.start({ tasks: [answer], faults: (store) => ({ claim: claim(store) }) });
    const taken = await async.queueJob(answer);
    await drain();
    expect(await taken.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'taken away' });
    expect(runs).toHaveLength(0);
    expect(await (await async.queueJob(answer)).waitForResult()).toBe(42);
    expect(runs).toHaveLength(1);
  });

  it('a job that two workers claim at the same time is run by one of them', async () => {
    const { runs, answer } = counting();
    const both = deferred();
    let isArmed = false;
    let claiming = 0;
    const together =
      (store: JobStore): JobStore['claim'] =>
      async (request) => {
        if (isArmed && ++claiming === 2) both.resolve();
        if (isArmed) await both.promise;
        return store.claim(request);
      };
    const options = { tasks: [answer], faults: (store: JobStore) => ({ claim: together(store) }) };
    const [one, other] = [await stage.start(options), await stage.start(options)];
    await one.drain();
    isArmed = true;
    const job = await one.async.queueJob(answer);
    await one.drain();
    expect(claiming).toBeGreaterThanOrEqual(2);
    expect([one, other].map(({ async }) => async.dispatcher?.claimed).toSorted()).toEqual([0, 1]);
    expect(await job.waitForResult()).toBe(42);
    expect(runs).toHaveLength(1);
  });

  it('a job waits while claims are not answered, is claimed once they are, and runs once', async () => {
    const { runs, answer } = counting();
    const log = new Log();
    const told: string[] = [];
    const outage = new Outage();
    const faults = (store: JobStore): Partial<JobStore> => ({ claim: outage.of(store.claim) });
    const { async, drain, advance } = await stage.start({ tasks: [answer], faults, logger: log });
    async.dispatcher?.events.subscribe(({ type }) => told.push(type));
    await drain();
    outage.begin(5);
    const job = await async.queueJob(answer);
    await advance(4_999);
    expect([(await job.refresh()).status, async.dispatcher?.claimed]).toEqual(['pending', 0]);
    await advance(1);
    expect([(await job.refresh()).status, async.dispatcher?.claimed, runs.length]).toEqual(['completed', 1, 1]);
    expect(job.result).toBe(42);
    expect(told).toEqual(['started', 'database-lost', 'database-back']);
    expect(log.of('error')).toHaveLength(5);
  });

  it('a failed round is repeated each second, and jobs that came due meanwhile run then', async () => {
    const { answer } = counting();
    const outage = new Outage();
    const faults = (store: JobStore): Partial<JobStore> => ({ recover: outage.of(store.recover) });
    const { async, drain, advance } = await stage.start({ tasks: [answer], faults });
    await drain();
    outage.begin(3);
    const job = await async.queueJob(makeJob(answer).with({ delayMs: 10_000 }));
    await advance(12_999);
    expect([(await job.refresh()).status, outage.refused]).toEqual(['scheduled', 3]);
    await advance(1);
    expect((await job.refresh()).status).toBe('completed');
  });

  it('a claim that is answered with nonsense is logged, and made again a second later', async () => {
    const { answer } = counting();
    const log = new Log();
    let isOdd = false;
    const faults = (store: JobStore): Partial<JobStore> => ({
      claim: async (request) => {
        if (!isOdd) return store.claim(request);
        isOdd = false;
        return undefined as never;
      },
    });
    const { async, drain, advance } = await stage.start({ tasks: [answer], faults, logger: log });
    await drain();
    isOdd = true;
    const job = await async.queueJob(answer);
    await advance(999);
    expect((await job.refresh()).status).toBe('pending');
    expect(log.of('error')).toEqual(['a claim of dispatcher process-1 failed; trying again in 1000 ms']);
    await advance(1);
    expect((await job.refresh()).status).toBe('completed');
  });
});
