/** What jobs cost in commands, which does not depend on the machine. */

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IAsyncService, makeJob, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.find();
let databases = 0;

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const inOrder = task('inOrder', (value: number) => value);
const tasks = [add, inOrder];

beforeEach(() => processes.useFreshDatabase(`costs-${databases++}`));
afterEach(() => processes.stopAll());
afterAll(() => processes.close());

/** A process that has done everything once, so that it listens and knows its quotas. */
async function warm(async: IAsyncService): Promise<void> {
  await (await async.queueJob(add, 1, 2)).waitForResult();
  await (await async.queueJob(inOrder, 1)).waitForResult();
}

describe('in one process which also works', () => {
  it('a job that is queued and waited for takes 4 commands: insert, find, claim, settle', async () => {
    const { async } = await processes.start({ tasks });
    await warm(async);
    const commands = await processes.during(async () => (await async.queueJob(add, 40, 2)).waitForResult());
    expect(commands).toEqual(['insert', 'find', 'update', 'update']);
  });

  it('under a quota that is in hand as well', async () => {
    const { async } = await processes.start({ tasks });
    await warm(async);
    const commands = await processes.during(async () => (await async.queueJob(inOrder, 1)).waitForResult());
    expect(commands.length).toBeLessThanOrEqual(5);
  });

  it('a thousand jobs queued at once take one insert', async () => {
    const { async } = await processes.start({ tasks, dispatcher: false });
    const commands = await processes.during(() => Promise.all(Array.from({ length: 1_000 }, () => async.queueJob(add, 1, 2))));
    expect(commands).toEqual(['insert']);
  });

  it('a thousand waiting jobs without a quota take at most 0.06 commands a job, at a concurrency of 100', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    const jobs = await queuer.queueJobs(Array.from({ length: 999 }, () => makeJob(add, 1, 2)));
    const commands = await processes.during(async () => {
      await processes.start({ tasks, dispatcher: { agents: [{ concurrency: 100 }] } });
      await Promise.all(jobs.map((job) => job.waitForResult()));
    });
    expect(commands.filter((name) => name === 'update' || name === 'find').length / jobs.length).toBeLessThanOrEqual(0.06);
  });
});

describe('in two processes', () => {
  it('a job queued in one, run in the other, takes at most 7', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    await processes.start({ tasks });
    await warm(queuer);
    const commands = await processes.during(async () => (await queuer.queueJob(add, 40, 2)).waitForResult());
    expect(commands.length).toBeLessThanOrEqual(7);
  });
});
