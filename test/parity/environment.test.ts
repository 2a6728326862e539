/** Records that are damaged, missing or very large. */

import { expect, it } from 'vitest';
import { type JobStore, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';

const quick = task('quick', { quotas: [] }, () => 42);

onBothStores((stage) => {
  it('a worker that is handed a damaged job says so, frees its slot and works on', async () => {
    let isDamaging = true;
    const faults = (store: JobStore): Partial<JobStore> => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        if (!isDamaging || claimed.length === 0) return claimed;
        isDamaging = false;
        return claimed.map((one) => ({ ...one, job: { ...one.job, args: undefined as never } }));
      },
    });
    const log = new Log();
    const options = { tasks: [quick], dispatcher: { agents: [{ concurrency: 1 }] }, logger: log };
    const { async, drain } = await stage.start({ ...options, faults });
    const damaged = await async.queueJob(quick);
    const next = await async.queueJob(quick);
    await drain();
    expect([(await next.refresh()).status, next.result]).toEqual(['completed', 42]);
    expect(async.dispatcher?.running).toEqual([]);
    expect(log.of('error')).toHaveLength(1);
    expect(log.of('error')[0]).toContain(damaged.id);
  });

  it('a worker whose job is gone when it is over records nothing, and works on', async () => {
    const faults = (store: JobStore): Partial<JobStore> => ({
      settle: (ends) => store.settle(ends.map((end, index) => (index === 0 && isFirst() ? { ...end, id: 'f'.repeat(24) } : end))),
    });
    let left = 1;
    const isFirst = (): boolean => left-- > 0;
    let runs = 0;
    const counted = task('counted', { quotas: [] }, () => ++runs);
    const { async, drain } = await stage.start({ tasks: [counted], dispatcher: { agents: [{ concurrency: 1 }] }, faults });
    const lost = await async.queueJob(counted);
    await drain();
    const next = await async.queueJob(counted);
    await drain();
    expect([(await next.refresh()).status, async.dispatcher?.running]).toEqual(['completed', []]);
    // The store has it still, so that a round may have it run again.
    expect((await async.getJob(lost.id))?.result).not.toBe(1);
  });

  it('a result of a million characters is stored as it is', async () => {
    const long = 'x'.repeat(1_000_000);
    const huge = task('huge', { quotas: [] }, () => long);
    const { async, drain } = await stage.start({ tasks: [huge] });
    const other = await stage.start({ tasks: [huge], dispatcher: false });
    const job = await async.queueJob(huge);
    await drain();
    expect((await other.async.getJob(job.id, huge))?.result).toBe(long);
  });

  it('a job whose result is over the limit fails, and says so', async () => {
    const huge = task('huge', { quotas: [] }, () => 'x'.repeat(2_000_000));
    const { async } = await stage.start({ tasks: [huge, quick] });
    const job = await async.queueJob(huge);
    expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_TOO_LARGE' } });
    expect(await (await async.queueJob(quick)).waitForResult()).toBe(42);
  });
});
