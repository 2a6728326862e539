/** Records that somebody, or something, has damaged: their jobs fail and say so, and nobody else suffers. */

import { Binary, ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { makeJob, type StoredError, task } from '../../../src/index.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('damaged-records');
const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);

it.each<[string, unknown]>([
  ['no BSON', new Binary(Buffer.from([1, 2, 3]))],
  ['BSON that is not a value', new Binary(Buffer.from('0c0000000d7600020000006100', 'hex'))],
  ['no bytes', 5],
  ['missing', undefined],
])('a job whose arguments are %s fails, and keeps no other from running', async (_title, args) => {
  const { async: web } = await processes.start({ tasks: [add], dispatcher: false });
  const [before, damaged, after] = await web.queueJobs([makeJob(add, 1, 2), makeJob(add, 3, 4), makeJob(add, 5, 6)]);
  const change = args === undefined ? { $unset: { args: '' } } : { $set: { args } };
  await processes.collection('jobs').updateOne({ _id: new ObjectId(damaged.id) }, change);
  await processes.start({ tasks: [add] });
  expect([await before.waitForResult(), await after.waitForResult()]).toEqual([3, 11]);
  expect(await damaged.waitForOutcome()).toMatchObject({
    status: 'failed',
    error: {
      code: 'MILLRACE_STORE',
      message: expect.stringMatching(/^`arguments` cannot be read as stored, as if the record was damaged: /),
    } satisfies Partial<StoredError>,
  });
  expect((await damaged.refresh()).attempts).toBe(1);
  expect((await web.getJobs({ task: add })).length).toBeGreaterThanOrEqual(3);
});

it('a job that is damaged where nobody would read it is listed as unreadable, and ends as failed with an error that says so', async () => {
  const { async: web } = await processes.start({ tasks: [add], dispatcher: false });
  const [scheduled, sound] = await web.queueJobs([makeJob(add, 1, 2).with({ delayMs: 3_600_000 }), makeJob(add, 3, 4)]);
  await processes.collection('jobs').updateOne({ _id: new ObjectId(scheduled.id) }, { $unset: { dueAt: '' } });
  const listed = await web.getUnreadableJobs();
  expect(listed.map(({ job, why }) => [job.id, why])).toEqual([[scheduled.id, 'damaged-record']]);
  expect(await scheduled.waitForOutcome()).toMatchObject({
    status: 'failed',
    error: {
      code: 'MILLRACE_STORE',
      message: `the record of job ${scheduled.id} (add) is damaged: \`dueAt\` must be there for a job that is scheduled, but is missing; queue the job again`,
    } satisfies Partial<StoredError>,
  });
  expect((await sound.refresh()).status).toBe('pending');
});

it('a step that is damaged fails alone: its batch goes on, and ends', async () => {
  const { async: web } = await processes.start({ tasks: [add], dispatcher: false });
  const batch = await web.queueSerialJobs(makeJob(add, 1, 2), makeJob(add, 3, 4), makeJob(add, 5, 6));
  const [, second] = await processes
    .collection('jobs')
    .find({ parent: new ObjectId(batch.id) })
    .sort({ position: 1 })
    .toArray();
  await processes.collection('jobs').updateOne({ _id: second?._id as ObjectId }, { $set: { interruptionPolicy: 'x' } });
  await processes.start({ tasks: [add] });
  const steps = await batch.waitForResult();
  expect(steps.map(({ status }) => status)).toEqual(['completed', 'failed', 'completed']);
});

it('a batch that is damaged while its steps run fails, and is final when they have ended', async () => {
  const [begun, gate] = [deferred(), deferred()];
  const wait = task('wait', { quotas: [] }, async () => {
    begun.resolve();
    await gate.promise;
  });
  const { async } = await processes.start({ tasks: [wait] });
  const batch = await async.queueParallelJobs(makeJob(wait), makeJob(wait));
  await begun.promise;
  await processes.collection('jobs').updateOne({ _id: new ObjectId(batch.id) }, { $set: { interruptionPolicy: 'x' } });
  expect((await batch.refresh()).status).toBe('callbacks');
  gate.resolve();
  expect(await batch.waitForOutcome()).toMatchObject({ status: 'failed', error: { code: 'MILLRACE_STORE' } });
  expect(batch.status).toBe('failed');
});

it.each<[string, object]>([
  ['no holders', { $unset: { holders: '' } }],
  ['holders that are not a list', { $set: { holders: 'x' } }],
  ['a size that is not a number', { $set: { size: 'x' } }],
  ['a revision that is not a number', { $set: { revision: 'x' } }],
])('a quota with %s is repaired, the log names it, and its jobs go on', async (_title, damage) => {
  const logged: string[] = [];
  const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (message: string) => void logged.push(message) };
  const narrow = task('narrow', { quotas: ['narrow'] }, (x: number) => x);
  const { async } = await processes.start({ tasks: [narrow], quotas: { narrow: 1 }, logger });
  expect(await (await async.queueJob(narrow, 1)).waitForResult()).toBe(1);
  await processes.collection('quotas').updateOne({ _id: 'narrow' as never }, damage);
  const jobs = await async.queueJobs([1, 2, 3].map((x) => makeJob(narrow, x)));
  expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual([1, 2, 3]);
  await processes.until(
    async () =>
      (await processes
        .collection('quotas')
        .findOne({ _id: 'narrow' as never, size: 1, revision: { $type: 'number' }, holders: { $type: 'array' } })) !== null,
  );
  expect(logged).toEqual([
    expect.stringMatching(/^the document narrow of millrace\.quotas was damaged: `\w+` must be .*; it has been repaired$/),
  ]);
});

it('what is paused stays so where its document is damaged, until something is paused or resumed', async () => {
  const { async } = await processes.start({ tasks: [add], dispatcher: false });
  await async.pause({ queue: 'mail' });
  await processes.collection('control').updateOne({ _id: 'paused' as never }, { $set: { paused: 'x' } });
  expect((await async.getPaused()).queues).toEqual(['mail']);
  await async.pause({ queue: 'post' });
  expect((await async.getPaused()).queues).toEqual(['mail', 'post']);
});

it('a job with an annotation that is not bytes runs and ends, and those claimed with it too', async () => {
  const { async: web } = await processes.start({ tasks: [add], dispatcher: false });
  const [damaged, other] = await web.queueJobs([makeJob(add, 1, 2), makeJob(add, 3, 4)]);
  await processes.collection('jobs').updateOne({ _id: new ObjectId(damaged.id) }, { $set: { annotations: { bm90ZQ: 5 } } });
  await processes.start({ tasks: [add] });
  expect([(await damaged.waitForOutcome()).status, await other.waitForResult()]).toEqual(['completed', 7]);
});
