/** Jobs that are queued at the same time, of which some cannot be stored: the failure of one does not affect the others. */

import { describe, expect, it } from 'vitest';
import { makeJob, parallel, task, UncertainError } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { failureOf } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('queueing');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);

describe.skipIf(processes.faults === undefined)('of jobs that are queued at the same time', () => {
  it('those before and after one that is refused are there, and no other', async () => {
    const { async } = await processes.start({ tasks: [add] });
    let inserts = 0;
    if (processes.faults !== undefined)
      processes.faults.intercept = ({ insert }) => (insert !== undefined && ++inserts === 2 ? 'refuse' : undefined);
    const queueing = [makeJob(add, 1, 1), parallel(makeJob(add, 2, 2)), makeJob(add, 3, 3)].map((draft) => async.queueJob(draft));
    const answers = await Promise.allSettled(queueing);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await processes.collection('jobs').countDocuments()).toBe(2);
  });
});

describe.skipIf(processes.faults === undefined)('queueing while the database is frozen', () => {
  it('is uncertain after `queueTimeoutMs`, also for the jobs that wait behind it, and the sent ones are there once the database goes on', async () => {
    const clock = new VirtualClock();
    const { async } = await processes.start({ tasks: [add], clock, dispatcher: false, queueTimeoutMs: 2_000 });
    await async.getJobs();
    processes.faults?.freeze();
    const failing = [failureOf(async.queueJob(add, 1, 1)), failureOf(async.queueJob(parallel(makeJob(add, 2, 2))))];
    await clock.advance(1_000, () => Promise.resolve());
    failing.push(failureOf(async.queueJob(add, 3, 3)));
    await clock.advance(2_000, () => Promise.resolve());
    for (const error of await Promise.all(failing)) expect(error).toBeInstanceOf(UncertainError);
    processes.faults?.thaw();
    await processes.until(async () => (await processes.collection('jobs').countDocuments()) === 4);
  });
});
