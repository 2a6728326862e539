/** A job is put off while the jobs that it is given cannot be read: its code has not run, so that is not its failure. */

import { expect, it } from 'vitest';
import { callback, type Job, type JobStore, makeJob, parallel, serial, task } from '../../src/index.js';
import { onBothStores, type ProcessOptions } from '../support/both-stores.js';
import { Log } from '../support/deferred.js';

const add = task('add', { quotas: [] }, (left: number, right: number) => left + right);
const sum = task('sum', { quotas: [] }, (jobs: readonly { readonly result?: unknown }[]) =>
  jobs.reduce((total, { result }) => total + Number(result), 0),
);
const resultOf = task('resultOf', { quotas: [] }, async (job: Job<number>) => job.waitForResult());
const tasks = [add, sum, resultOf];

/** The first reads of jobs by their ids that name others are not answered. */
function unread(count: number): NonNullable<ProcessOptions['faults']> {
  let left = count;
  return (store: JobStore) => ({
    find: async (query) => {
      if (query.withNamed === true && left-- > 0) throw new Error('the network');
      return store.find(query);
    },
  });
}

onBothStores((stage) => {
  it.each([1, 3])('a postprocess runs once its jobs can be read, after %i reads that failed', async (count) => {
    const log = new Log();
    const { async } = await stage.start({ tasks, dispatcher: false });
    const worker = await stage.start({ tasks, logger: log, faults: unread(count) });
    const job = await async.queueJob(parallel(makeJob(add, 1, 2), makeJob(add, 3, 4)).postprocess(sum));
    await worker.advance(count * 10_000);
    expect(await worker.stateOf(job)).toMatchObject({ status: 'completed' });
    expect(await job.waitForResult()).toBe(10);
    expect(log.of('warn')).toEqual(
      Array.from({ length: count }, () =>
        expect.stringMatching(
          /^job \w+ \(sum\) is tried again in 10000 ms, since the jobs that it is given could not be read: the network$/,
        ),
      ),
    );
  });

  it('so does a task with a job among its arguments, and a callback that is given one', async () => {
    const { async } = await stage.start({ tasks, dispatcher: false });
    const first = await async.queueJob(makeJob(add, 1, 2));
    const worker = await stage.start({ tasks, faults: unread(2) });
    const second = await async.queueJob(makeJob(resultOf, first));
    const batch = await async.queueJob(serial(makeJob(add, 5, 6)).withCallbacks({ success: callback(sum) }));
    await worker.advance(20_000);
    expect([await second.waitForResult(), (await worker.stateOf(second)).failures]).toEqual([3, 0]);
    expect((await batch.waitForOutcome()).status).toBe('completed');
    expect(await async.getJobs({ statuses: ['failed'] })).toEqual([]);
  });
});
