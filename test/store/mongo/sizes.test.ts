/** Ends that MongoDB would refuse, or take only apart: each job ends, by few commands, none of which is too large. */

import { BSON, ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { currentTask, makeJob, task } from '../../../src/index.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('sizes');

const large = task('large', { quotas: [] }, (bytes: number) => 'x'.repeat(bytes));

it('an end that the server refuses is recorded as a failure that says why', async () => {
  const [begun, gate] = [deferred(), deferred()];
  const filled = task('filled', { quotas: [] }, async () => {
    begun.resolve();
    await gate.promise;
    return 'x'.repeat(1_000_000);
  });
  const { async } = await processes.start({ tasks: [filled, large] });
  const job = await async.queueJob(filled);
  await begun.promise;
  // Something that the store knows nothing of, and so cannot count.
  await processes.collection('jobs').updateOne({ _id: new ObjectId(job.id) }, { $set: { filler: 'x'.repeat(16_500_000) } });
  gate.resolve();
  const beside = await async.queueJob(large, 10);
  expect(await job.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_STORE' } });
  expect(job.error?.message).toContain(`MongoDB refuses the outcome of job ${job.id} (filled): `);
  expect((await beside.waitForOutcome()).status).toBe('completed');
});

it('a hundred results of 250 kB at once are recorded by a few commands, none of them too large', async () => {
  const gate = deferred();
  let running = 0;
  const all = deferred();
  const together = task('together', { quotas: [] }, async () => {
    if (++running === 100) all.resolve();
    await gate.promise;
    return 'x'.repeat(250_000);
  });
  const { async } = await processes.start({ tasks: [together], dispatcher: { agents: [{ concurrency: 100 }] } });
  const jobs = await async.queueJobs(Array.from({ length: 100 }, () => makeJob(together)));
  await all.promise;
  const { commands } = await processes.costOf(async () => {
    gate.resolve();
    await Promise.all(jobs.map((job) => job.waitForResult()));
  });
  const writes = commands.filter((command) => 'update' in command || 'findAndModify' in command);
  expect(writes.length).toBeLessThanOrEqual(8);
  expect(Math.max(...writes.map((command) => BSON.calculateObjectSize(command)))).toBeLessThan(16 * 1024 * 1024);
});

it('forty jobs with arguments of a megabyte are inserted by commands of less than 16 MB', async () => {
  const { async } = await processes.start({ tasks: [large], dispatcher: false });
  const take = task('take', { quotas: [] }, (value: string) => value.length);
  const { commands } = await processes.costOf(() =>
    Promise.all(Array.from({ length: 40 }, () => async.queueJob(take, 'x'.repeat(1_000_000)))),
  );
  const inserts = commands.filter((command) => 'insert' in command);
  expect(inserts.length).toBeGreaterThanOrEqual(3);
  expect(await processes.collection('jobs').countDocuments({ taskName: 'take' })).toBe(40);
});

it('what many attempts report at once is written, however much it is together', async () => {
  const told = task('notifyProcess', { quotas: [] }, (part: number) => currentTask().annotate('file', `${part} ${'x'.repeat(1_000_000)}`));
  const { async } = await processes.start({ tasks: [told], dispatcher: { agents: [{ concurrency: 40 }] } });
  const jobs = await async.queueJobs(Array.from({ length: 40 }, (_, part) => makeJob(told, part)));
  await Promise.all(jobs.map((job) => job.waitForResult()));
  expect(jobs.map(({ annotations }) => String(annotations['file']).split(' ')[0])).toEqual(jobs.map((_, part) => String(part)));
});
