/** Unique keys where several processes, or many commands, are concerned. */

import { ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { makeJob, task } from '../../../src/index.js';
import type { JobTree } from '../../../src/job/job-record.js';
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

describe('many jobs', () => {
  it('under keys that are over are queued by a few commands', async () => {
    const sync = task('sync', { quotas: [], uniqueKey: (n: number) => `k${n}` }, (n: number) => n);
    const { async } = await processes.start({ tasks: [sync], dispatcher: false });
    const drafts = Array.from({ length: 30 }, (_, n) => makeJob(sync, n));
    const before = await async.queueJobs(drafts);
    await async.cancelJobs({ task: sync });
    const { names } = await processes.costOf(async () => {
      const after = await async.queueJobs(drafts);
      expect(after.filter(({ id, isExisting }) => isExisting || before.some((job) => job.id === id))).toEqual([]);
    });
    // Refused, looked at, relieved of their keys, and queued.
    expect(names).toEqual(['insert', 'find', 'find', 'update', 'insert']);
  });

  it('that must have yet to begin are held by one command, for a transaction', async () => {
    const render = task('render', { quotas: [], uniqueKey: (n: number) => `k${n}`, uniqueFor: 'waiting' }, (n: number) => n);
    const { async, store } = await processes.start({ tasks: [render], dispatcher: false });
    const jobs = await async.queueJobs(Array.from({ length: 30 }, (_, n) => makeJob(render, n)));
    const trees = (await store.find({ ids: jobs.map(({ id }) => id) })).map(
      ({ job }): JobTree => [{ ...job, id: new ObjectId().toHexString() }],
    );
    const { names } = await processes.costOf(() => store.transactions.run((session) => store.insert(trees, session)));
    expect(names).toEqual(['find', 'update', 'commitTransaction']);
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
          if (command['update'] === undefined || !JSON.stringify(command).includes('"pending"')) return undefined;
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
