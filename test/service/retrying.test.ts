/** Retries by hand, filters and dead letters, as an application meets them. */

import { describe, expect, it } from 'vitest';
import { JobStateError, makeJob, OptionError, parallel, type StoredError, serial, Task, task, tasks } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { failureOf } from '../support/deferred.js';

let isBroken = true;
const ran: string[] = [];

class Mails {
  @Task({ quotas: [] })
  send(to: string): string {
    ran.push(to);
    if (isBroken) throw new TypeError(`no way to ${to}`);
    return `sent to ${to}`;
  }

  @Task({ quotas: [] })
  note(_result: string): void {
    ran.push('noted');
  }

  @Task({ quotas: [] })
  complain(error: StoredError): void {
    ran.push(error.message);
  }
}
const mails = tasks(Mails);
const fine = task('fine', { quotas: [] }, () => 42);

async function bundle() {
  isBroken = true;
  ran.length = 0;
  return setup({ tasks: [Mails, fine] });
}

describe('job.retry()', () => {
  it('queues a failed job again, as another one with its callbacks', async () => {
    const { async, drain } = await bundle();
    const job = await async.queueJob(makeJob(mails.send, 'ada').withCallbacks({ success: mails.note, failure: mails.complain }));
    await drain();
    isBroken = false;
    const again = await job.retry();
    await drain();
    expect(await again.waitForResult()).toBe('sent to ada');
    expect(ran).toEqual(['ada', 'no way to ada', 'ada', 'noted']);
    expect([job.status, job.retriedAs, again.id === job.id]).toEqual([await job.refresh().then(({ status }) => status), again.id, false]);
    expect(job.status).toBe('failed');
  });

  it('gives who asks again the job that was queued before', async () => {
    const { async, drain } = await bundle();
    const job = await async.queueJob(mails.send, 'ada');
    await drain();
    const [first, second] = await Promise.all([job.retry(), job.retry()]);
    expect(second.id).toBe(first.id);
    expect([first.isExisting, second.isExisting].toSorted()).toEqual([false, true]);
  });

  it('has a callback that was retried before run once', async () => {
    const { async, drain } = await bundle();
    const broken = makeJob(mails.send, 'ada').withCallback(makeJob(mails.send, 'bob'));
    const job = await async.queueJob(broken);
    await drain();
    const [callback] = (await async.getJobs({ task: mails.send })).filter(({ id }) => id !== job.id);
    isBroken = false;
    await (await callback?.retry())?.waitForResult();
    ran.length = 0;
    await (await job.retry()).waitForResult();
    expect(ran).toEqual(['ada', 'bob']);
  });

  it('queues a cancelled job again, at once', async () => {
    const { async, drain } = await bundle();
    const job = await async.queueJob(makeJob(fine).with({ delayMs: 60_000 }));
    await job.cancel();
    const again = await job.retry();
    await drain();
    expect(again.status === 'completed' || (await again.waitForResult())).toBe(42);
  });

  it('takes a step out of its batch, with the quotas that the batch held', async () => {
    const { async, drain } = await bundle();
    const batch = await async.queueJob(serial(makeJob(mails.send, 'ada'), makeJob(fine)).with({ quotas: ['default'] }));
    await drain();
    const [step] = await batch.waitForResult();
    isBroken = false;
    const again = await step.retry();
    await drain();
    expect(await again.waitForResult()).toBe('sent to ada');
    expect((await batch.refresh()).status).toBe('completed');
  });

  it('is refused for a job that has not ended, or has completed', async () => {
    const { async, drain } = await bundle();
    const waiting = await async.queueJob(makeJob(fine).with({ delayMs: 1_000 }));
    const done = await async.queueJob(fine);
    await drain();
    const [unended, completed] = await Promise.all([failureOf(waiting.retry()), failureOf(done.retry())]);
    expect([unended, completed].every((error) => error instanceof JobStateError)).toBe(true);
    expect(unended.message).toContain('has not ended: it is scheduled');
    expect(completed.message).toContain('has completed, so there is nothing to retry');
  });

  it('of a postprocess says to retry the batch', async () => {
    const broken = task('broken', { quotas: [] }, (_jobs: readonly unknown[]) => {
      throw new Error('no');
    });
    const { async, drain } = await setup({ tasks: [fine, broken] });
    const batch = await async.queueJob(parallel(makeJob(fine)).postprocess(broken));
    await drain();
    const [post] = await async.getJobs({ task: broken });
    expect((await failureOf(post?.retry() ?? Promise.resolve())).message).toContain(`retry the batch, job ${batch.id}`);
    expect(await async.getDeadLetters()).toMatchObject([{ job: { id: batch.id } }]);
  });
});

describe('by filter', () => {
  it('finds jobs of every queue', async () => {
    const { async, drain } = await bundle();
    await async.queueJobs([makeJob(fine), makeJob(fine).with({ queue: 'other' }), makeJob(mails.send, 'ada')]);
    await drain();
    expect((await async.getJobs({ task: fine })).map(({ status }) => status)).toEqual(['completed', 'pending']);
    expect((await async.getJobs({ statuses: ['failed'] })).map(({ taskName }) => taskName)).toEqual(['Mails.send']);
    expect((await async.getJobs({ queue: 'other' })).length).toBe(1);
  });

  it('cancels what has not ended, and counts it', async () => {
    const { async, drain } = await bundle();
    const jobs = await async.queueJobs([1, 2, 3].map((hours) => makeJob(fine).with({ delayMs: hours * 3_600_000 })));
    const [kept] = await async.queueJobs([makeJob(mails.send, 'ada').with({ delayMs: 5 }), makeJob(fine)]);
    await drain();
    expect(await async.cancelJobs({ task: fine }, 'not today')).toBe(3);
    for (const job of jobs) expect((await job.waitForOutcome()).status).toBe('cancelled');
    expect((await kept.refresh()).status).toBe('scheduled');
    expect(await async.cancelJobs({ task: fine })).toBe(0);
  });

  it('retries what failed, once', async () => {
    const { async, drain } = await bundle();
    await async.queueJobs([makeJob(mails.send, 'ada'), makeJob(mails.send, 'bob'), makeJob(fine)]);
    await drain();
    isBroken = false;
    const again = await async.retryJobs({ task: mails.send });
    await drain();
    expect((await Promise.all(again.map((job) => job.waitForResult()))).toSorted()).toEqual(['sent to ada', 'sent to bob']);
    expect(await async.retryJobs({ statuses: ['failed'] })).toEqual([]);
  });

  it('goes through more jobs than are read at once', async () => {
    const { async } = await setup({ tasks: [fine], dispatcher: false });
    await async.queueJobs(Array.from({ length: 2_500 }, () => makeJob(fine)));
    expect(await async.cancelJobs({ task: fine, limit: 1_200 })).toBe(1_200);
    expect(await async.cancelJobs({ task: fine })).toBe(1_300);
    expect(await async.getQueues().get('').size()).toBe(0);
  });

  it('changes nothing where the filter says nothing', async () => {
    const { async } = await bundle();
    for (const call of [async.cancelJobs({}), async.retryJobs({ queue: undefined }), async.cancelJobs({ limit: 5 })]) {
      const error = await failureOf(call);
      expect(error).toBeInstanceOf(OptionError);
      expect(error.message).toContain('would mean every job');
    }
  });
});

describe('dead letters', () => {
  it('are the jobs that failed, with why, the latest first, until they are retried', async () => {
    const { async, drain, advance, clock } = await bundle();
    await async.queueJob(mails.send, 'ada');
    await advance(1_000);
    await async.queueJob(mails.send, 'bob');
    await drain();
    const letters = await async.getDeadLetters();
    expect(letters.map(({ error, failedAt }) => [error.message, failedAt.getTime()])).toEqual([
      ['no way to bob', clock.now()],
      ['no way to ada', clock.now() - 1_000],
    ]);
    await letters[0]?.job.retry();
    expect((await async.getDeadLetters({ task: mails.send })).map(({ error }) => error.message)).toEqual(['no way to ada']);
    expect(await async.getDeadLetters({ task: fine })).toEqual([]);
    expect(await async.getDeadLetters({ endedBefore: new Date(clock.now()) })).toHaveLength(1);
  });

  it('are batches as a whole where these failed with their jobs, and single jobs where not', async () => {
    const { async, drain } = await bundle();
    const failing = await async.queueJob(
      parallel(makeJob(mails.send, 'ada'), serial(makeJob(mails.send, 'bob'))).with({ onFailure: 'fail' }),
    );
    const going = await async.queueParallelJobs(makeJob(mails.send, 'cyd'), makeJob(fine));
    await drain();
    const [step] = await going.waitForResult();
    const letters = await async.getDeadLetters();
    expect(letters.map(({ job }) => job.id).toSorted()).toEqual([failing.id, step.id].toSorted());
    isBroken = false;
    expect(await async.retryJobs({ statuses: ['failed'] })).toHaveLength(2);
    await drain();
    expect(ran.filter((name) => name === 'bob')).toHaveLength(2);
    expect(await async.getDeadLetters()).toEqual([]);
  });
});
