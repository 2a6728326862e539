/** One process queues, another works: what the one asks for, the other does, and both hear of it. */

import { describe, expect, it } from 'vitest';
import { currentTask, fixedDelay, makeJob, parallel, type StoredError, serial, task } from '../../../src/index.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('two');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const inOrder = task('inOrder', (value: number) => value);
const fails = task('fails', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 0 }) }, (message: string): number => {
  throw new Error(message);
});
const hang = task('hang', { quotas: [] }, () => {
  const { signal } = currentTask();
  return new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
});
const messageOf = task('messageOf', { quotas: [] }, (error: StoredError) => error.message);
const total = task('total', { quotas: [] }, (jobs: readonly { readonly result: number | undefined }[]) =>
  jobs.reduce((sum, { result = 0 }) => sum + result, 0),
);
const tasks = [add, inOrder, fails, hang, messageOf, total];

async function setup() {
  const queuer = await processes.start({ tasks, dispatcher: false });
  const worker = await processes.start({ tasks });
  return { queuer: queuer.async, worker: worker.async };
}

describe('a job queued in one process', () => {
  it('runs in another, and its result comes back', async () => {
    const { queuer } = await setup();
    expect(await (await queuer.queueJob(add, 40, 2)).waitForResult()).toBe(42);
  });

  it('is known in a third by its id, while it runs and when it has ended', async () => {
    const { queuer } = await setup();
    const third = (await processes.start({ tasks, dispatcher: false })).async;
    const running = await queuer.queueJob(hang);
    const seen = await third.getJob(running.id, hang);
    const cancelled = seen?.waitForOutcome();
    await third.getJob(running.id).then((job) => job?.cancel('enough'));
    expect(await cancelled).toEqual({ status: 'cancelled', reason: 'enough' });
    expect(await running.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'enough' });
  });

  it('fails there with its error, after its retries, and its callback runs', async () => {
    const { queuer } = await setup();
    const job = await queuer.queueJob(fails, 'no paper');
    const told = await job.addCallbacks({ failure: messageOf });
    expect(await told.waitForResult()).toBe('no paper');
    await job.waitForOutcome();
    expect([job.status, job.attempts, job.error?.message]).toEqual(['failed', 2, 'no paper']);
  });

  it('shows its progress to the one who queued it', async () => {
    const gate = deferred();
    const slow = task('slow', { quotas: [] }, async () => {
      currentTask().progress({ done: 1, total: 2 });
      await gate.promise;
    });
    const queuer = (await processes.start({ tasks: [slow], dispatcher: false })).async;
    await processes.start({ tasks: [slow] });
    const job = await queuer.queueJob(slow);
    await new Promise<void>((resolve) => {
      job.changes.subscribe(({ progress }) => progress !== undefined && resolve());
    });
    expect(job.progress).toEqual({ done: 1, total: 2 });
    gate.resolve();
    await job.waitForResult();
  });
});

describe('batches', () => {
  it('go through, nested and with a postprocess', async () => {
    const { queuer } = await setup();
    const sums = parallel(makeJob(add, 1, 2), makeJob(add, 3, 4)).postprocess(total);
    const batch = await queuer.queueJob(serial(makeJob(inOrder, 1), sums, makeJob(inOrder, 2)).with({ quotas: [] }));
    const [first, sum, last] = await batch.waitForResult();
    expect([first.result, sum.result, last.result]).toEqual([1, 10, 2]);
  });
});

describe('a step whose turn has come', () => {
  it('goes to whichever process runs its task', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    await processes.start({ tasks: [add], dispatcher: { name: 'additions' } });
    await processes.start({ tasks: [inOrder], dispatcher: { name: 'orders' } });
    const steps = [makeJob(add, 1, 2), makeJob(inOrder, 3).with({ quotas: [] }), makeJob(add, 4, 5), makeJob(add, 6, 7)] as const;
    const batch = await queuer.queueJob(serial(...steps).with({ quotas: [] }));
    expect((await batch.waitForResult()).map(({ result }) => result)).toEqual([3, 3, 9, 13]);
  });
});

describe('the outcomes of the whole deployment', () => {
  it('are told to a process that neither queues nor works, each once', async () => {
    const { queuer } = await setup();
    const listener = (await processes.start({ tasks, dispatcher: false })).async;
    const heard: string[] = [];
    listener.outcomes().subscribe(({ job, outcome }) => heard.push(`${job.id} ${outcome.status}`));
    await processes.until(async () => {
      await (await queuer.queueJob(add, 1, 1)).waitForResult();
      return heard.length > 0;
    });
    const failing = await queuer.queueJob(fails, 'no paper');
    const batch = await queuer.queueParallelJobs(makeJob(add, 1, 2), makeJob(add, 3, 4));
    const ids = (await batch.waitForResult()).map(({ id }) => id);
    await failing.waitForOutcome();
    const expected = [`${failing.id} failed`, ...[batch.id, ...ids].map((id) => `${id} completed`)];
    await processes.until(async () => {
      await failing.refresh();
      return expected.every((one) => heard.includes(one));
    });
    expect(new Set(heard).size).toBe(heard.length);
  });
});

describe('two that work', () => {
  it('do each other no harm when they have one name', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    const stays = (await processes.start({ tasks, dispatcher: { name: 'twin' } })).async;
    const goes = (await processes.start({ tasks, dispatcher: { name: 'twin' } })).async;
    const jobs = await Promise.all(Array.from({ length: 20 }, (_, value) => queuer.queueJob(add, value, 1)));
    await Promise.all(jobs.map((job) => job.waitForResult()));
    await goes.stop();
    expect(await (await queuer.queueJob(add, 40, 2)).waitForResult()).toBe(42);
    expect(stays.dispatcher?.name).toBe('twin');
    expect(await processes.collection('dispatchers').countDocuments({ state: 'alive' })).toBe(1);
  });

  it('run jobs of a quota of 1 one at a time, in the order queued', async () => {
    const ran: number[] = [];
    let running = 0;
    const alone = task('alone', async (value: number) => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      ran.push(value);
    });
    const queuer = (await processes.start({ tasks: [alone], dispatcher: false })).async;
    await processes.start({ tasks: [alone] });
    await processes.start({ tasks: [alone] });
    const jobs = await Promise.all(Array.from({ length: 30 }, (_, value) => queuer.queueJob(alone, value)));
    await Promise.all(jobs.map((job) => job.waitForResult()));
    expect(ran).toEqual([...ran].sort((a, b) => a - b));
    expect(ran).toHaveLength(30);
  });
});
