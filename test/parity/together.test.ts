/** Services of one process that share a store. */

import { expect, it } from 'vitest';
import { makeJob, task } from '../../src/index.js';
import { onBothStores } from '../support/both-stores.js';

onBothStores((stage) => {
  it('those that start at the same moment work, and leave nothing behind', async () => {
    const name = task('name', { quotas: [] }, () => 42);
    const [one, other] = await Promise.all([
      stage.start({ tasks: [name], dispatcher: { agents: [{ queue: 'one' }] } }),
      stage.start({ tasks: [name], dispatcher: { agents: [{ queue: 'other' }] } }),
    ]);
    const jobs = await one.async.queueJobs(['one', 'other'].map((queue) => makeJob(name).with({ queue })));
    await other.drain();
    expect(await Promise.all(jobs.map(async (job) => (await job.refresh()).status))).toEqual(['completed', 'completed']);
  });
});
