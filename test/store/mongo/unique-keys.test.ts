/** Unique keys where several processes, or many commands, are concerned. */

import { describe, expect, it } from 'vitest';
import { makeJob, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('unique-keys');

describe('a job under a unique key', () => {
  it.each([
    ['waiting', false],
    ['unfinished', true],
  ] as const)('that is taken while it is %s is claimed ahead: %s', async (uniqueFor, isClaimedAhead) => {
    let mostAhead = 0;
    const render = task('render', { uniqueKey: (n: number) => `page ${n}`, uniqueFor }, async (_: number) => {
      mostAhead = Math.max(mostAhead, await processes.collection('jobs').countDocuments({ status: 'assigned' }));
    });
    const { async } = await processes.start({ tasks: [render] });
    const jobs = await async.queueJobs(Array.from({ length: 30 }, (_, n) => makeJob(render, n)));
    for (const job of jobs) await job.waitForResult();
    expect(mostAhead > 0).toBe(isClaimedAhead);
  });
});
