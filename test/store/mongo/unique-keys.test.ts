/** Unique keys where several processes, or many commands, are concerned. */

import { ObjectId } from 'mongodb';
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

describe('a debounced job', () => {
  it.skipIf(processes.faults === undefined)(
    'that is put off while another process is about to promote it waits for its new time',
    async () => {
      const save = task('save', { quotas: [], uniqueKey: () => 'k', debounceMs: 300 }, (what: string) => what);
      const { async } = await processes.start({ tasks: [save] });
      const { async: other } = await processes.start({ tasks: [save], dispatcher: false });
      const job = await other.queueJob(save, 'one');
      const _id = new ObjectId(job.id);
      let dueAt: Date | undefined;
      let isExisting: boolean | undefined;
      const putOff = async (): Promise<void> => {
        isExisting = (await other.queueJob(save, 'two')).isExisting;
        dueAt = (await processes.collection('jobs').findOne({ _id }))?.['dueAt'];
      };
      if (processes.faults !== undefined)
        processes.faults.intercept = (command) => {
          if (command['findAndModify'] === undefined || !JSON.stringify(command).includes('"pending"')) return undefined;
          if (processes.faults !== undefined) processes.faults.intercept = undefined;
          return putOff();
        };
      expect(await (await async.getJob(job.id))?.waitForResult()).toBe('two');
      const startedAt: Date = (await processes.collection('jobs').findOne({ _id }))?.['startedAt'];
      expect(isExisting).toBe(true);
      expect(startedAt.getTime()).toBeGreaterThanOrEqual(dueAt?.getTime() ?? Number.POSITIVE_INFINITY);
    },
  );
});
