/** Facts about answers lost, commands held back, connections frozen, and clocks that are off: as only the stand-in does them. */

import { MongoNetworkError } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { refusal } from './refusal.js';
import { SNAPSHOT, transaction, twoThings } from './two-sessions.js';

const only = (title: string, source: string, show: Draft['show']): Draft => fact(title, show, { source, needs: ['stand-in'] });

async function elsewhere(bench: Bench, options = {}) {
  const client = await bench.connect(options);
  return { client, things: client.db(bench.db.databaseName).collection<Thing>('things') };
}

export const standInFaults = group('stand-in faults', 'spec: retryable-writes', [
  only('applies a write whose answer is lost, and the driver repeats it without effect', 'spec: retryable-writes', async (bench) => {
    await twoThings(bench);
    const { things } = await elsewhere(bench);
    bench.faults.loseAnswer('update');
    expect(await things.updateOne({ _id: 1 }, { $inc: { n: 1 } })).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
    expect(await bench.things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 1 });
  }),
  only('applies a write of many whose answer is lost, and leaves the driver in doubt', 'spec: retryable-writes', async (bench) => {
    await twoThings(bench);
    const { things } = await elsewhere(bench);
    bench.faults.loseAnswer('update');
    await expect(things.updateMany({}, { $inc: { n: 1 } })).rejects.toBeInstanceOf(MongoNetworkError);
    expect(await bench.things.distinct('n')).toEqual([1]);
  }),
  only('commits once although the answer is lost', 'spec: transactions', async (bench) => {
    await twoThings(bench);
    const { client, things } = await elsewhere(bench);
    bench.faults.loseAnswer('commitTransaction');
    let runs = 0;
    await client.withSession((session) =>
      session.withTransaction(async () => {
        runs += 1;
        await things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      }, SNAPSHOT),
    );
    expect([runs, (await bench.things.findOne({ _id: 1 }))?.['n']]).toEqual([1, 1]);
  }),
  only('leaves the commit unknown when its answer is lost twice', 'spec: transactions', async (bench) => {
    await twoThings(bench);
    const { client, things } = await elsewhere(bench);
    const session = client.startSession();
    bench.after(() => session.endSession());
    session.startTransaction(SNAPSHOT);
    await things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    bench.faults.loseAnswer('commitTransaction', 2);
    expect((await refusal(session.commitTransaction())).labels).toContain('UnknownTransactionCommitResult');
    expect(await bench.things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 1 });
  }),
  only('applies a command that was held back after its client has gone', 'manual: core/retryable-writes', async (bench) => {
    await twoThings(bench);
    const { client, things } = await elsewhere(bench);
    const held = bench.faults.holdBack('update');
    const attempt = things.updateMany({}, { $inc: { n: 1 } }).catch((error: Error) => error);
    await held.arrived;
    await client.close(true);
    expect(await attempt).toBeInstanceOf(Error);
    expect(await bench.things.distinct('n')).toEqual([0]);
    await held.apply();
    expect(await bench.things.distinct('n')).toEqual([1]);
  }),
  only(
    'answers nothing while frozen, and everything after',
    'manual: reference/connection-string-options (socketTimeoutMS)',
    async (bench) => {
      const { things } = await elsewhere(bench, { socketTimeoutMS: 100, retryReads: false });
      await things.findOne();
      bench.faults.freeze();
      const write = bench.things.insertOne({ _id: 1 });
      const read = things.findOne().catch((error: Error) => error.name);
      expect(await Promise.race([write, read])).toBe('MongoNetworkTimeoutError');
      bench.faults.thaw();
      expect(await write).toMatchObject({ acknowledged: true });
    },
  ),
  only('shifts $$NOW and its own time with a clock that is off', 'manual: reference/aggregation-variables', async (bench) => {
    bench.faults.clockOffsetMs = 3_600_000;
    await bench.things.updateOne({ _id: 1 }, [{ $set: { at: '$$NOW' } }], { upsert: true });
    const { localTime } = await bench.client.db('admin').command({ hello: 1 });
    const at = (await bench.things.findOne())?.['at'];
    for (const time of [at, localTime]) expect(Math.abs(time.getTime() - Date.now() - 3_600_000)).toBeLessThan(60_000);
  }),
  only('deletes what its TTL index says in a sweep, and nothing else', 'manual: core/index-ttl', async (bench) => {
    const past = new Date(Date.now() - 60_000);
    await bench.things.createIndex({ at: 1 }, { expireAfterSeconds: 30 });
    await bench.things.insertMany([
      { _id: 1, at: past },
      { _id: 2, at: new Date() },
      { _id: 3 },
      { _id: 4, at: 'text' },
      { _id: 5, at: [new Date(), past] },
    ]);
    expect(bench.faults.sweepTtl()).toBeGreaterThanOrEqual(2);
    expect(await bench.things.distinct('_id')).toEqual([2, 3, 4]);
  }),
  only('keeps from its TTL index what the partial filter leaves out', 'manual: core/index-partial', async (bench) => {
    const past = new Date(Date.now() - 60_000);
    await bench.things.createIndex({ at: 1 }, { expireAfterSeconds: 0, partialFilterExpression: { done: true } });
    await bench.things.insertMany([
      { _id: 1, at: past, done: true },
      { _id: 2, at: past },
    ]);
    bench.faults.sweepTtl();
    expect(await bench.things.distinct('_id')).toEqual([2]);
  }),
  only('counts the commands that arrive', 'spec: command-logging-and-monitoring', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    bench.faults.resetCommandCounts();
    await bench.things.findOne();
    await bench.things.findOne();
    expect(bench.faults.commandCounts()).toMatchObject({ find: 2 });
    expect(bench.faults.openConnections()).toBeGreaterThan(0);
  }),
  only('forgets a transaction with its primary', 'manual: core/transactions-production-consideration', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
    bench.faults.stepDown();
    const refused = await refusal(bench.things.findOne({ _id: 1 }, { session }));
    expect(refused.labels).toContain('TransientTransactionError');
    expect(await bench.things.distinct('n')).toEqual([0]);
  }),
]);
