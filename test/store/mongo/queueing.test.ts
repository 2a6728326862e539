/** Jobs that are queued at the same time, of which some cannot be stored: what befalls one does not befall the others. */

import { describe, expect, it } from 'vitest';
import { makeJob, parallel, task } from '../../../src/index.js';
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
