/** Queueing in the caller's transaction, on the memory store. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  JobCancelledError,
  JobNotFoundError,
  makeJob,
  memoryStore,
  NotRunningError,
  TransactionError,
  task,
  UnstorableError,
} from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred } from '../support/deferred.js';

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const double = task('double', { quotas: [] }, (x: number) => 2 * x);
const tasks = [add, double];

describe('a transaction', () => {
  it('has its jobs run after its commit, and not before', async () => {
    const { async, drain } = await setup({ tasks });
    const job = await async.transaction(async () => {
      const queued = await async.queueJob(add, 40, 2);
      await drain();
      expect(await async.getJob(queued.id)).toBeUndefined();
      return queued;
    });
    await drain();
    expect(await job.waitForResult()).toBe(42);
  });

  it('leaves no queued job when its code throws', async () => {
    const { async, drain } = await setup({ tasks });
    const failure = new Error('no');
    let queued: Awaited<ReturnType<typeof async.queueJob<typeof add>>> | undefined;
    const transaction = async.transaction(async () => {
      queued = await async.queueJob(add, 1, 2);
      await async.queueJobs([makeJob(add, 1, 2), makeJob(double, 2)]);
      throw failure;
    });
    await expect(transaction).rejects.toBe(failure);
    await drain();
    expect(async.dispatcher?.claimed).toBe(0);
    await expect(queued?.waitForResult()).rejects.toThrow('was aborted');
  });

  it('says of its jobs that they can be waited for after the commit', async () => {
    const { async } = await setup({ tasks });
    await async.transaction(async () => {
      const job = await async.queueJob(add, 1, 2);
      for (const asked of [job.waitForResult(), job.refresh(), job.cancel()]) await expect(asked).rejects.toBeInstanceOf(TransactionError);
      expect(() => job.changes).toThrow('ask for it after the commit');
      expect([job.taskName, job.status]).toEqual(['add', 'pending']);
    });
  });

  it('takes callbacks of the jobs queued in it, and of others', async () => {
    const { async, drain } = await setup({ tasks });
    const old = await async.queueJob(add, 1, 2);
    await drain();
    const [first, second] = await async.transaction(async () => {
      const fresh = await async.queueJob(add, 2, 3);
      return [await fresh.addCallbacks({ success: double }), await old.addCallbacks({ success: double })] as const;
    });
    await drain();
    expect([await first.waitForResult(), await second.waitForResult()]).toEqual([10, 6]);
  });

  it('has batches and their parts in it', async () => {
    const { async, drain } = await setup({ tasks });
    const batch = await async.transaction(() => async.queueSerialJobs(makeJob(add, 1, 2), makeJob(double, 4)));
    await drain();
    const [sum, twice] = await batch.waitForResult();
    expect([sum.result, twice.result]).toEqual([3, 8]);
  });

  it('joins the one around it', async () => {
    const { async, drain } = await setup({ tasks });
    const transaction = async.transaction(async () => {
      await async.transaction(() => async.queueJob(add, 1, 2));
      throw new Error('no');
    });
    await expect(transaction).rejects.toThrow('no');
    await drain();
    expect(async.dispatcher?.claimed).toBe(0);
  });

  it('refuses steps of a batch that are added after its code has ended, be it one or several', async () => {
    const { async } = await setup({ tasks, dispatcher: false });
    const batch = await async.queueSerialJobs(makeJob(add, 1, 2));
    for (const drafts of [[makeJob(add, 3, 4)], [makeJob(add, 3, 4), makeJob(add, 5, 6)]]) {
      const late = deferred<void>();
      let adding: Promise<unknown> | undefined;
      await async.transaction(async () => {
        adding = late.promise.then(() => async.extendBatch(batch, ...drafts));
      });
      late.resolve();
      await expect(adding).rejects.toBeInstanceOf(TransactionError);
    }
    expect(await async.getJobs({ task: add })).toHaveLength(1);
  });

  it('refuses what is queued after its code has ended', async () => {
    const { async } = await setup({ tasks });
    const late = deferred<void>();
    let queued: Promise<unknown> | undefined;
    await async.transaction(async () => {
      queued = late.promise.then(() => async.queueJob(add, 1, 2));
    });
    late.resolve();
    await expect(queued).rejects.toThrow('await everything that is queued in it');
  });

  it('refuses bad arguments at once, and commits what else is in it', async () => {
    const { async, drain } = await setup({ tasks });
    const job = await async.transaction(async () => {
      await expect(async.queueJob(double, (() => 1) as never)).rejects.toBeInstanceOf(UnstorableError);
      return async.queueJob(double, 1);
    });
    await drain();
    expect(await job.waitForResult()).toBe(2);
  });

  it('is not that of an event handler that its code triggers', async () => {
    const { async, drain } = await setup({ tasks });
    const waiting = await async.queueJob(makeJob(add, 1, 2).with({ delayMs: 1_000 }));
    const queued: Promise<{ readonly id: string }>[] = [];
    async.events.cancelled.subscribe(() => queued.push(async.queueJob(double, 1)));
    waiting.changes.subscribe(({ status }) => status === 'cancelled' && queued.push(async.queueJob(double, 2)));
    const transaction = async.transaction(async () => {
      await waiting.cancel();
      throw new Error('no');
    });
    await expect(transaction).rejects.toThrow('no');
    await drain();
    const jobs = await Promise.all((await Promise.all(queued)).map(({ id }) => async.getJob(id, double)));
    expect(jobs.map((job) => job?.result).toSorted()).toEqual([2, 4]);
  });

  it('queues nothing once the service has been stopped', async () => {
    const { async, store, stop } = await setup({ tasks });
    const transaction = async.transaction(async () => {
      await async.queueJob(add, 1, 2);
      await stop();
    });
    await expect(transaction).rejects.toBeInstanceOf(NotRunningError);
    expect(await store.count({})).toBe(0);
  });

  it('is not that of the tasks which happen to begin while it is open', async () => {
    const queueing = task('queueing', { quotas: [] }, async () => (await async.queueJob(double, 4)).id);
    const { async, drain } = await setup({ tasks: [...tasks, queueing] });
    const failure = new Error('no');
    const waiting = await async.queueJob(makeJob(add, 1, 2).with({ delayMs: 1_000 }));
    const outside = await async.queueJob(queueing);
    const transaction = async.transaction(async () => {
      await waiting.cancel();
      await drain();
      throw failure;
    });
    await expect(transaction).rejects.toBe(failure);
    await expect(waiting.waitForResult()).rejects.toBeInstanceOf(JobCancelledError);
    const inner = await async.getJob(await outside.waitForResult(), double);
    expect(await inner?.waitForResult()).toBe(8);
  });
});

describe('a session of the memory store', () => {
  it('has its jobs run after its commit', async () => {
    const store = memoryStore();
    const { async, drain } = await setup({ tasks, store });
    const session = store.startSession();
    const job = await async.withSession(session, () => async.queueJob(add, 40, 2));
    await drain();
    expect(await async.getJob(job.id)).toBeUndefined();
    session.commit();
    await drain();
    expect(await job.waitForResult()).toBe(42);
  });

  it('says of its jobs that they can be waited for after the commit, until then', async () => {
    const store = memoryStore();
    const { async, drain } = await setup({ tasks, store });
    const session = store.startSession();
    const job = await async.withSession(session, () => async.queueJob(add, 1, 2));
    for (const asked of [job.waitForResult(), job.refresh(), job.cancel(), job.addCallbacks({ success: double })])
      await expect(asked).rejects.toThrow('ask for it after the commit');
    session.commit();
    const twice = await job.addCallbacks({ success: double });
    await drain();
    expect(await twice.waitForResult()).toBe(6);
  });

  it('takes callbacks of its jobs as long as it is open, and queues in the order of the calls', async () => {
    const store = memoryStore();
    const { async, drain } = await setup({ tasks, store });
    const session = store.startSession();
    const job = await async.withSession(session, () => async.queueJob(add, 1, 2));
    const twice = await async.withSession(session, () => job.addCallbacks({ success: double }));
    session.commit();
    await drain();
    expect(await twice.waitForResult()).toBe(6);
  });

  it('gives its jobs their place in the order when they are queued', async () => {
    const store = memoryStore();
    const { async } = await setup({ tasks, store, dispatcher: false });
    const session = store.startSession();
    const first = await async.withSession(session, () => async.queueJob(add, 1, 2));
    const second = await async.queueJob(add, 1, 2);
    session.commit();
    expect((await async.getQueues().get('').jobs()).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  it('that its own code ends takes nothing more, and says so', async () => {
    const store = memoryStore();
    const { async } = await setup({ tasks, store });
    const session = store.startSession();
    const queued = async.withSession(session, async () => {
      await async.queueJob(add, 1, 2);
      session.commit();
    });
    await expect(queued).rejects.toThrow('end it after `withSession`');
    expect(await store.count({})).toBe(0);
  });

  it('says after an abort that its jobs are not there', async () => {
    const store = memoryStore();
    const { async } = await setup({ tasks, store });
    const session = store.startSession();
    const job = await async.withSession(session, () => async.queueJob(add, 1, 2));
    session.abort();
    await expect(job.waitForResult()).rejects.toBeInstanceOf(JobNotFoundError);
  });

  it('leaves nothing when it is aborted, and can be ended once', async () => {
    const store = memoryStore();
    const { async, drain } = await setup({ tasks, store });
    const session = store.startSession();
    await async.withSession(session, () => async.queueJob(add, 40, 2));
    session.abort();
    await drain();
    expect(async.dispatcher?.claimed).toBe(0);
    expect(() => session.commit()).toThrow('has been aborted');
    await expect(async.withSession(session, () => async.queueJob(add, 1, 2))).rejects.toBeInstanceOf(TransactionError);
  });

  it('cannot be anything else, nor one of another store', async () => {
    const { async } = await setup({ tasks });
    for (const session of [{}, memoryStore().startSession()])
      await expect(async.withSession(session as never, async () => expect.unreachable())).rejects.toThrow('startSession()');
  });
});

describe('transactions of several services', () => {
  it('run within one another, and each job belongs to that of its own service', async () => {
    const [outer, inner] = [await setup({ tasks }), await setup({ tasks })];
    const failure = new Error('no');
    const kept: string[] = [];
    const lost: string[] = [];
    const transaction = outer.async.transaction(async () => {
      await inner.async.transaction(async () => {
        kept.push((await inner.async.queueJob(add, 1, 2)).id);
        lost.push((await outer.async.queueJob(add, 1, 2)).id);
        await outer.async.transaction(async () => lost.push((await outer.async.queueJob(add, 1, 2)).id));
      });
      lost.push((await outer.async.queueJob(add, 1, 2)).id);
      throw failure;
    });
    await expect(transaction).rejects.toBe(failure);
    expect((await inner.async.getJobs({})).map(({ id }) => id)).toEqual(kept);
    expect(lost).toHaveLength(3);
    expect(await outer.async.getJobs({})).toEqual([]);
  });

  it('share one asynchronous storage, which every later promise of the process has to carry', async () => {
    const run = vi.spyOn(AsyncLocalStorage.prototype, 'run');
    onTestFinished(() => run.mockRestore());
    const storages = async (): Promise<number> => {
      const { async } = await setup({ tasks });
      await async.transaction(() => async.queueJob(add, 1, 2));
      return new Set(run.mock.contexts).size;
    };
    const one = await storages();
    expect(one).toBeGreaterThan(0);
    expect([await storages(), await storages()]).toEqual([one, one]);
  });
});
