/** Jobs and the application's own data in one transaction. */

import { MongoClient, type MongoServerError } from 'mongodb';
import { afterAll, describe, expect, it } from 'vitest';
import { type Job, JobNotFoundError, makeJob, OptionError, parallel, StoreError, TransactionError, task } from '../../../src/index.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';
import { startStandIn } from '../../replica-set/stand-in.js';
import { deferred } from '../../support/deferred.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('transactions');
const set = await findReplicaSet();

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const twice = task('twice', { quotas: [] }, (x: number) => 2 * x);
const tasks = [add, twice];

afterAll(() => set.stop());

async function service() {
  const { async } = await processes.start({ tasks });
  await (await async.queueJob(add, 1, 1)).waitForResult();
  const orders = processes.collection('orders');
  await orders.insertOne({ first: true });
  return { async, orders, jobs: processes.collection('jobs') };
}

describe('a transaction', () => {
  it('commits jobs and data together, by one insert and one commit', async () => {
    const { async, orders } = await service();
    let job: Awaited<ReturnType<typeof async.queueJob<typeof add>>> | undefined;
    const commands = await processes.during(async () => {
      job = await async.transaction(async (session) => {
        await orders.insertOne({ item: 'a' }, { session });
        const [first] = await async.queueJobs([makeJob(add, 40, 2), ...Array.from({ length: 9 }, () => makeJob(add, 1, 2))]);
        expect(await orders.countDocuments({})).toBe(1);
        return first as never;
      });
    });
    expect(commands.filter((name) => name === 'insert' || name === 'commitTransaction')).toEqual(['insert', 'insert', 'commitTransaction']);
    expect(await job?.waitForResult()).toBe(42);
    expect(await orders.countDocuments({})).toBe(2);
  });

  it('costs one insert and one commit, whatever is queued in it, callbacks of its own jobs included', async () => {
    const { async } = await service();
    let last: Job<number> | undefined;
    const commands = await processes.during(async () => {
      last = await async.transaction(async () => {
        for (let batch = 0; batch < 5; batch++) await async.queueParallelJobs(makeJob(add, 1, 2), makeJob(add, 3, 4));
        await async.queueJobs([makeJob(add, 1, 2), makeJob(add, 3, 4)]);
        return (await async.queueJob(add, 40, 2)).addCallbacks({ success: twice });
      });
    });
    expect(commands.filter((name) => name === 'insert' || name === 'commitTransaction')).toEqual(['insert', 'commitTransaction']);
    expect(await last?.waitForResult()).toBe(84);
  });

  it('leaves neither when its code throws', async () => {
    const { async, orders, jobs } = await service();
    const failed = async.transaction(async (session) => {
      await orders.insertOne({ item: 'a' }, { session });
      await async.queueJob(add, 1, 2);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect([await orders.countDocuments({}), await jobs.countDocuments({})]).toEqual([1, 1]);
  });

  it('queues once, though a conflict makes its code run twice', async () => {
    const { async, orders, jobs } = await service();
    let runs = 0;
    const job = await async.transaction(async (session) => {
      runs++;
      await orders.findOne({}, { session });
      if (runs === 1) await orders.updateOne({ first: true }, { $set: { by: 'another' } });
      await orders.updateOne({ first: true }, { $inc: { runs: 1 } }, { session });
      return async.queueJob(add, 40, 2);
    });
    expect(await job.waitForResult()).toBe(42);
    expect([runs, await jobs.countDocuments({}), (await orders.findOne({}))?.['runs']]).toEqual([2, 2, 1]);
  });

  it('is run again when another one adds a callback to the same job, and both run', async () => {
    const { async } = await service();
    const old = await async.queueJob(add, 1, 2);
    await old.waitForResult();
    const callbacks = await Promise.all([1, 2, 3].map(() => async.transaction(() => old.addCallbacks({ success: twice }))));
    expect(await Promise.all(callbacks.map((callback) => callback.waitForResult()))).toEqual([6, 6, 6]);
  });

  it('takes a callback of a job that has ended, which runs after the commit', async () => {
    const { async } = await service();
    const old = await async.queueJob(add, 1, 2);
    await old.waitForResult();
    const callback = await async.transaction(() => old.addCallbacks({ success: twice }));
    expect(callback.status).toBe('blocked');
    expect(await callback.waitForResult()).toBe(6);
  });
});

describe('a session of the application', () => {
  it('has its jobs run when it commits', async () => {
    const { async, orders } = await service();
    const client = new MongoClient(set.uri);
    try {
      const outsider = client.startSession();
      outsider.startTransaction();
      await expect(async.withSession(outsider, async () => expect.unreachable())).rejects.toBeInstanceOf(OptionError);
      await outsider.endSession();
    } finally {
      await client.close();
    }
    const session = processes.client.startSession();
    session.startTransaction();
    const old = await async.queueJob(add, 2, 2);
    await old.waitForResult();
    const [job, callback] = await async.withSession(session, async () => {
      await orders.insertOne({ item: 'a' }, { session });
      return [await async.queueJob(add, 40, 2), await old.addCallback(makeJob(add, 3, 4))] as const;
    });
    expect(await async.getJob(job.id)).toBeUndefined();
    await session.commitTransaction();
    await session.endSession();
    expect([await job.waitForResult(), await callback.waitForResult()]).toEqual([42, 7]);
  });

  it('has the steps cancelled with its commit that it adds to a batch which stops', async () => {
    const gate = deferred();
    const wait = task('wait', { quotas: [] }, () => gate.promise);
    const bad = task('bad', { quotas: [] }, () => Promise.reject(new TypeError('no')));
    const { async } = await processes.start({ tasks: [wait, bad, add] });
    const batch = await async.queueJob(parallel(makeJob(wait), makeJob(bad)).with({ onFailure: 'stop' }));
    await processes.until(async () => (await async.getJobs({ statuses: ['failed'] })).length === 1);
    const session = processes.client.startSession();
    session.startTransaction();
    const [step] = await async.withSession(session, () => async.extendBatch(batch, makeJob(add, 40, 2)));
    await session.commitTransaction();
    await session.endSession();
    expect((await step.waitForOutcome()).status).toBe('cancelled');
    gate.resolve();
    await batch.waitForResult();
  });

  it('must be in a transaction, with which its jobs can commit', async () => {
    const { async, jobs } = await service();
    const session = processes.client.startSession();
    await expect(async.withSession(session, async () => expect.unreachable())).rejects.toThrow('session.startTransaction()');
    await expect(async.withSession({} as never, async () => expect.unreachable())).rejects.toThrow('client.startSession()');
    session.startTransaction();
    const early = async.withSession(session, async () => {
      await async.queueJob(add, 1, 2);
      await session.commitTransaction();
    });
    await expect(early).rejects.toThrow('end it after `withSession`');
    await session.endSession();
    expect(await jobs.countDocuments({})).toBe(1);
  });

  it('says of its jobs that they can be waited for after the commit, and after an abort that they are not there', async () => {
    const { async } = await service();
    const session = processes.client.startSession();
    for (const end of ['commitTransaction', 'abortTransaction'] as const) {
      session.startTransaction();
      const job = await async.withSession(session, () => async.queueJob(add, 40, 2));
      await expect(job.waitForResult()).rejects.toBeInstanceOf(TransactionError);
      await session[end]();
      if (end === 'commitTransaction') expect(await job.waitForResult()).toBe(42);
      else await expect(job.waitForResult()).rejects.toBeInstanceOf(JobNotFoundError);
    }
    await session.endSession();
  });

  it('has late callbacks run at once in another process, though its own has no dispatcher', async () => {
    const queuer = (await processes.start({ tasks, dispatcher: false })).async;
    await processes.start({ tasks });
    const old = await queuer.queueJob(add, 1, 2);
    await old.waitForResult();
    const session = processes.client.startSession();
    session.startTransaction();
    const [plain, chosen] = await queuer.withSession(session, async () => [
      await old.addCallback(makeJob(add, 40, 2)),
      await old.addCallbacks({ success: twice }),
    ]);
    await session.commitTransaction();
    await session.endSession();
    expect(await plain?.waitForResult({ timeoutMs: 10_000 })).toBe(42);
    expect(await chosen?.waitForResult({ timeoutMs: 10_000 })).toBe(6);
  });

  it('learns of a conflict from the labels of the driver', async () => {
    const { async, orders } = await service();
    const session = processes.client.startSession();
    session.startTransaction();
    await orders.findOne({}, { session });
    await orders.updateOne({ first: true }, { $set: { by: 'another' } });
    const failed = async.withSession(session, async () => {
      await async.queueJob(add, 1, 2);
      await orders.updateOne({ first: true }, { $set: { by: 'this one' } }, { session });
    });
    const error: MongoServerError = await failed.then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(error.hasErrorLabel('TransientTransactionError')).toBe(true);
    await session.abortTransaction();
    await session.endSession();
  });
});

describe('another client for sessions', () => {
  it('may be one of the same cluster', async () => {
    const sessions = new MongoClient(processes.uri);
    const { async } = await processes.start({ tasks }, { sessions });
    const job = await sessions.withSession((session) =>
      session.withTransaction(() => async.withSession(session, () => async.queueJob(add, 40, 2))),
    );
    expect(await job.waitForResult()).toBe(42);
    await processes.stopAll();
    await sessions.close();
  });

  it('is for sessions alone: a batch queued outside goes through the own one', async () => {
    const sessions = new MongoClient(processes.uri, { monitorCommands: true });
    const { async } = await processes.start({ tasks }, { sessions });
    const sent: string[] = [];
    sessions.on('commandStarted', ({ commandName }) => sent.push(commandName));
    const batch = await async.queueParallelJobs(makeJob(add, 1, 2), makeJob(add, 3, 4));
    await batch.waitForResult();
    await batch.addCallback(makeJob(add, 5, 6));
    expect(sent).toEqual([]);
    await processes.stopAll();
    await sessions.close();
  });

  it('is refused when it is connected to another cluster', async () => {
    const other = await startStandIn();
    const sessions = new MongoClient(other.uri);
    await expect(processes.start({ tasks }, { sessions })).rejects.toBeInstanceOf(StoreError);
    await sessions.close();
    await other.stop();
  });
});
