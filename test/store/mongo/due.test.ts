/** Rounds do what time makes due, whatever else there is to be done, and whatever stands in the place of a time. */

import { type Document, ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { type Draft, makeJob, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/virtual-clock.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('due');

const work = task('work', { quotas: [] }, () => 42);
const alarm = task('alarm', { quotas: [] }, () => {});
const LONG_AGO = new Date(Date.UTC(2020, 0, 1));
const delayed = makeJob(work).with({ delayMs: 60_000 });
const limited = makeJob(work).with({ beginBy: new Date(Date.UTC(2200, 0, 1)) });

async function setup() {
  const { async, store } = await processes.start({ tasks: [work, alarm], clock: new VirtualClock(), dispatcher: false });
  const jobs = processes.collection('jobs');
  /** A job that is in the store with other fields than it was queued with. */
  const put = async (draft: Draft<unknown>, fields: Document): Promise<ObjectId> => {
    const _id = new ObjectId((await async.queueJob(draft)).id);
    await jobs.updateOne({ _id }, { $set: fields });
    return _id;
  };
  const statusOf = async (_id: ObjectId): Promise<unknown> => (await jobs.findOne({ _id }))?.['status'];
  return { put, statusOf, recover: () => store.recover('somebody') };
}

it.each([
  ['text', 'soon'],
  ['a number', 5],
  ['a list of dates', [LONG_AGO]],
  ['nothing', null],
  ['an object', { at: LONG_AGO }],
])('what has %s in the place of its time holds up no other job, and no round goes on without end', async (_what, damaged) => {
  const { put, statusOf, recover } = await setup();
  await put(delayed, { dueAt: damaged });
  await put(limited, { pendingBeginBy: damaged });
  const [due, late] = [await put(delayed, { dueAt: LONG_AGO }), await put(limited, { pendingBeginBy: LONG_AGO })];
  expect(await recover()).toEqual({});
  await processes.quiet();
  expect([await statusOf(due), await statusOf(late)]).toEqual(['pending', 'failed']);
  expect((await processes.during(recover)).length).toBeLessThan(15);
});

it.runIf(processes.faults !== undefined)('what follows from jobs that expired does not hold up those that come due', async () => {
  const { put, statusOf, recover } = await setup();
  const late = await put(limited.withCallbacks({ failure: alarm }), { pendingBeginBy: LONG_AGO });
  const gate = deferred();
  const struck = processes.strike(({ find, filter }) => find === 'millrace.jobs' && filter.parent !== undefined, gate.promise);
  await recover();
  await struck;
  const [due, later] = [await put(delayed, { dueAt: LONG_AGO }), await put(limited, { pendingBeginBy: LONG_AGO })];
  expect((await recover()).nextAt).toBeInstanceOf(Date);
  expect([await statusOf(late), await statusOf(due), await statusOf(later)]).toEqual(['callbacks', 'pending', 'pending']);
  gate.resolve();
  await processes.quiet();
  await recover();
  await processes.quiet();
  expect(await statusOf(later)).toBe('failed');
});
