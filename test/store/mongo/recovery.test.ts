/** The work that a dead process has left half done, as its documents show it. */

import { ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { CircularJobError, makeJob, parallel, serial, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('recovery');

const returns = task('returns', { quotas: [] }, () => 1);

it('finds two jobs that came to wait for each other when their process died', async () => {
  const clock = new VirtualClock();
  const { async } = await processes.start({ tasks: [returns], dispatcher: false });
  const jobs = await Promise.all([async.queueJob(returns), async.queueJob(returns)]);
  const [one, other] = jobs;
  const waits = (followedJob: string) => ({
    $set: {
      status: 'active',
      waitsFor: 'job',
      followedJob: new ObjectId(followedJob),
      owner: 'gone',
      token: 'a',
      startedAt: new Date(0),
      attempts: 1,
    },
    $unset: { pendingSignal: '' },
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

it('cancels what is below a batch whose process died when it had cancelled that before it began, and ends it after the callbacks', async () => {
  const clock = new VirtualClock();
  const { async } = await processes.start({ tasks: [returns], dispatcher: false });
  const step = parallel(makeJob(returns).withCallback(makeJob(returns).with({ delayMs: 100_000 })));
  const batch = await async.queueJob(serial(step).with({ delayMs: 1_000_000 }));
  const collection = processes.collection('jobs');
  const half = { status: 'callbacks', outcome: { kind: 'cancelled' }, endedAt: new Date(0), owner: 'gone' };
  await collection.updateOne({ _id: new ObjectId(batch.id) }, { $set: half, $unset: { dueAt: '' } });
  await processes.start({ tasks: [returns], clock });
  const rounds = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round++) await clock.advance(10_000, () => processes.quiet());
  };
  await rounds(8);
  expect((await batch.refresh()).status).toBe('callbacks');
  const callback = { role: 'callback', status: 'scheduled' };
  expect((await collection.updateOne(callback, { $set: { dueAt: new Date(0) } })).modifiedCount).toBe(1);
  await rounds(8);
  expect((await batch.refresh()).status).toBe('cancelled');
  expect(await collection.distinct('status', { taskName: 'returns', parent: { $exists: true } })).toEqual(['cancelled', 'completed']);
  expect(await collection.countDocuments({ owner: { $exists: true } })).toBe(0);
});
