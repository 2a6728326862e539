/** What a process that is gone has left half done, as its documents show it. */

import { ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { CircularJobError, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('recovery');

const returns = task('returns', { quotas: [] }, () => 1);

it('finds two jobs that came to wait for each other when their process died', async () => {
  const clock = new VirtualClock();
  const { async } = await processes.start({ tasks: [returns], dispatcher: false });
  const jobs = await Promise.all([async.queueJob(returns), async.queueJob(returns)]);
  const [one, other] = jobs;
  const waits = (inner: string) => ({
    $set: {
      status: 'active',
      waiting: 'inner',
      inner: new ObjectId(inner),
      owner: 'gone',
      token: 'a',
      startedAt: new Date(0),
      attempts: 1,
    },
    $unset: { bell: '' },
  });
  const collection = processes.collection('jobs');
  await collection.updateOne({ _id: new ObjectId(one?.id) }, waits(other?.id ?? ''));
  await collection.updateOne({ _id: new ObjectId(other?.id) }, waits(one?.id ?? ''));
  await processes.start({ tasks: [returns], clock });
  for (let round = 0; round < 8; round++) await clock.advance(10_000, () => processes.quiet());
  for (const job of jobs) expect((await job.refresh()).status).toBe('failed');
  expect(jobs.map((job) => job.error)).toContainEqual(expect.objectContaining({ name: CircularJobError.name }));
  expect(await collection.countDocuments({ owner: { $exists: true } })).toBe(0);
});
