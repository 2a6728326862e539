/** Records that somebody, or something, has damaged: their jobs fail and say so, and nobody else suffers. */

import { Binary, ObjectId } from 'mongodb';
import { expect, it } from 'vitest';
import { makeJob, type StoredError, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('damaged-records');
const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);

it.each<[string, unknown]>([
  ['no BSON', new Binary(Buffer.from([1, 2, 3]))],
  ['BSON of something that is no value', new Binary(Buffer.from('0c0000000d7600020000006100', 'hex'))],
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
