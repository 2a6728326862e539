/** Facts about what the driver and the server make of passing troubles together. */

import { type Collection, MongoNetworkError } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { failCommand } from './fail-point.js';
import { codeOf, refusal } from './refusal.js';
import { SNAPSHOT, transaction, twoThings } from './two-sessions.js';
import { brief, take, watch } from './watching.js';

/** HostUnreachable: a code that may be tried again, and that leaves the server known to the driver. */
const PASSING = 6;
const LASTING = 8000;

const recovering = (title: string, source: string, show: Draft['show']): Draft =>
  fact(title, show, { source: `spec: ${source}`, needs: ['fail points'] });

/** The same collection through a client of its own, whose connections may be closed. */
async function elsewhere(bench: Bench, options = {}): Promise<Collection<Thing>> {
  const client = await bench.connect(options);
  return client.db(bench.db.databaseName).collection<Thing>('things');
}

export const recoveringFacts = group('faults', 'spec: retryable-writes', [
  recovering('reads again after a closed connection', 'retryable-reads', async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    const things = await elsewhere(bench);
    await failCommand(bench, { times: 1 }, { failCommands: ['find'], closeConnection: true });
    expect(await things.findOne()).toEqual({ _id: 1 });
  }),
  recovering('writes again after a closed connection, and only once', 'retryable-writes', async (bench) => {
    await bench.things.insertOne({ _id: 1, n: 0 });
    const things = await elsewhere(bench);
    await failCommand(bench, { times: 1 }, { failCommands: ['update'], closeConnection: true });
    expect(await things.updateOne({ _id: 1 }, { $inc: { n: 1 } })).toMatchObject({ modifiedCount: 1 });
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 1 });
  }),
  recovering('does not send a write of many again', 'retryable-writes', async (bench) => {
    const things = await elsewhere(bench);
    await failCommand(bench, { times: 1 }, { failCommands: ['update'], closeConnection: true });
    await expect(things.updateMany({}, { $inc: { n: 1 } })).rejects.toBeInstanceOf(MongoNetworkError);
  }),
  recovering('writes again after an error that the server labels RetryableWriteError', 'retryable-writes', async (bench) => {
    await failCommand(bench, { times: 1 }, { failCommands: ['insert'], errorCode: PASSING });
    expect(await bench.things.insertOne({ _id: 1 })).toMatchObject({ acknowledged: true });
  }),
  recovering('does not write again where the label is taken away', 'retryable-writes', async (bench) => {
    await failCommand(bench, { times: 1 }, { failCommands: ['insert'], errorCode: PASSING, errorLabels: [] });
    expect(await codeOf(bench.things.insertOne({ _id: 1 }))).toBe(PASSING);
  }),
  recovering('gives up after the second failure', 'retryable-writes', async (bench) => {
    await failCommand(bench, { times: 2 }, { failCommands: ['insert'], errorCode: PASSING });
    const refused = await refusal(bench.things.insertOne({ _id: 1 }));
    expect(refused).toMatchObject({ code: PASSING, labels: expect.arrayContaining(['RetryableWriteError']) });
  }),
  recovering(
    'labels a conflict inside a transaction as transient, and withTransaction begins again',
    'transactions-convenient-api',
    async (bench) => {
      await twoThings(bench);
      await failCommand(bench, { times: 1 }, { failCommands: ['update'], errorCode: 112 });
      let runs = 0;
      await bench.session().withTransaction(async (session) => {
        runs += 1;
        await bench.things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      }, SNAPSHOT);
      expect([runs, await bench.things.countDocuments({ n: 1 })]).toEqual([2, 1]);
    },
  ),
  recovering('commits again after a passing error', 'transactions', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    await failCommand(
      bench,
      { times: 1 },
      { failCommands: ['commitTransaction'], errorCode: PASSING, errorLabels: ['RetryableWriteError'] },
    );
    await session.commitTransaction();
    expect(await bench.things.countDocuments({ n: 1 })).toBe(1);
  }),
  recovering(
    'labels a commit that failed twice UnknownTransactionCommitResult, and it may be sent again',
    'transactions',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      await bench.things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
      await failCommand(
        bench,
        { times: 2 },
        { failCommands: ['commitTransaction'], errorCode: PASSING, errorLabels: ['RetryableWriteError'] },
      );
      expect((await refusal(session.commitTransaction())).labels).toContain('UnknownTransactionCommitResult');
      await session.commitTransaction();
      expect(await bench.things.countDocuments({ n: 1 })).toBe(1);
    },
  ),
  recovering('goes on with a change stream after an error labelled resumable, and misses nothing', 'change-streams', async (bench) => {
    const stream = await watch(bench);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    await take(stream, 1);
    await failCommand(bench, { times: 1 }, { failCommands: ['getMore'], errorCode: LASTING, errorLabels: ['ResumableChangeStreamError'] });
    await bench.things.insertOne({ _id: 3 });
    expect(brief(await take(stream, 2))).toEqual(['insert 2', 'insert 3']);
  }),
  recovering('goes on with a change stream after a closed connection', 'change-streams', async (bench) => {
    const client = await bench.connect();
    const stream = await watch(bench, { of: client.db(bench.db.databaseName) });
    await bench.things.insertOne({ _id: 1 });
    await take(stream, 1);
    await failCommand(bench, { times: 1 }, { failCommands: ['getMore'], closeConnection: true });
    await bench.things.insertOne({ _id: 2 });
    expect(brief(await take(stream, 1))).toEqual(['insert 2']);
  }),
  recovering('ends a change stream at an error that is not labelled', 'change-streams', async (bench) => {
    const stream = await watch(bench);
    await failCommand(bench, { times: 1 }, { failCommands: ['getMore'], errorCode: LASTING, errorLabels: [] });
    expect(await codeOf(stream.next())).toBe(LASTING);
  }),
]);
