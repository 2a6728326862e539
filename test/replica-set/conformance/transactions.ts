/** Facts about what transactions see, keep and give up. */

import { expect } from 'vitest';
import type { Thing } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';
import { MADE, SNAPSHOT, transaction, twoThings } from './two-sessions.js';

export const transactions = group('transactions', 'manual: core/transactions', [
  fact('shows its writes to itself, and to others after the commit', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
    expect(await bench.things.findOne({ _id: 1 }, { session })).toEqual({ _id: 1, n: 1 });
    expect(await bench.things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 0 });
    await session.commitTransaction();
    expect(await bench.things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 1 });
  }),
  fact('shows its writes in two collections at once', async (bench) => {
    await twoThings(bench);
    const others = bench.db.collection<Thing>('others');
    await others.insertOne({ _id: 9 }, MADE);
    const session = transaction(bench);
    await bench.things.deleteOne({ _id: 1 }, { session });
    await others.insertOne({ _id: 1 }, { session });
    expect([await bench.things.countDocuments(), await others.countDocuments()]).toEqual([2, 1]);
    await session.commitTransaction();
    expect([await bench.things.countDocuments(), await others.countDocuments()]).toEqual([1, 2]);
  }),
  fact('leaves nothing after an abort', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.insertOne({ _id: 3 }, { session });
    await bench.things.updateMany({}, { $set: { n: 9 } }, { session });
    await session.abortTransaction();
    expect(await bench.things.find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 1, n: 0 },
      { _id: 2, n: 0 },
    ]);
  }),
  fact(
    'reads from the snapshot of its first command, whatever is committed meanwhile',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      expect(await bench.things.findOne({ _id: 1 }, { session })).toEqual({ _id: 1, n: 0 });
      await bench.things.updateMany({}, { $inc: { n: 1 } });
      await bench.things.insertOne({ _id: 3, n: 1 });
      const seen = await bench.things.find({}, { session }).sort({ _id: 1 }).toArray();
      expect(seen).toEqual([
        { _id: 1, n: 0 },
        { _id: 2, n: 0 },
      ]);
      await session.commitTransaction();
    },
    { source: 'manual: reference/read-concern-snapshot' },
  ),
  fact(
    'reads batch after batch of a cursor from one snapshot',
    async (bench) => {
      await bench.things.insertMany(
        Array.from({ length: 6 }, (_, i) => ({ _id: i, n: 0 })),
        MADE,
      );
      const session = transaction(bench);
      const cursor = bench.things.find({}, { session, batchSize: 2, sort: { _id: 1 } });
      bench.after(() => cursor.close());
      expect(await cursor.next()).toEqual({ _id: 0, n: 0 });
      await bench.things.updateMany({}, { $set: { n: 1 } });
      const rest = await cursor.toArray();
      expect(rest.map(({ n }) => n)).toEqual([0, 0, 0, 0, 0]);
      await session.commitTransaction();
    },
    { source: 'manual: reference/read-concern-snapshot' },
  ),
  fact(
    'uses indexes, aggregates and counts on its own snapshot and writes',
    async (bench) => {
      await bench.things.createIndex({ n: 1 });
      await twoThings(bench);
      const session = transaction(bench);
      await bench.things.insertOne({ _id: 3, n: 5 }, { session });
      expect(await bench.things.find({ n: { $gt: 1 } }, { session, hint: 'n_1' }).toArray()).toEqual([{ _id: 3, n: 5 }]);
      expect(await bench.things.countDocuments({}, { session })).toBe(3);
      expect(await bench.things.distinct('n', {}, { session })).toEqual([0, 5]);
      await session.abortTransaction();
    },
    { source: 'manual: core/transactions-operations' },
  ),
  fact('keeps two transactions apart that write different documents', async (bench) => {
    await twoThings(bench);
    const [a, b] = [transaction(bench), transaction(bench)];
    await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session: a });
    await bench.things.updateOne({ _id: 2 }, { $set: { n: 2 } }, { session: b });
    await b.commitTransaction();
    await a.commitTransaction();
    expect(await bench.things.distinct('n')).toEqual([1, 2]);
  }),
  fact(
    'lets two transactions each write what the other has read',
    async (bench) => {
      await twoThings(bench);
      const [a, b] = [transaction(bench), transaction(bench)];
      for (const session of [a, b]) expect(await bench.things.countDocuments({ n: 0 }, { session })).toBe(2);
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session: a });
      await bench.things.updateOne({ _id: 2 }, { $set: { n: 1 } }, { session: b });
      await a.commitTransaction();
      await b.commitTransaction();
      expect(await bench.things.countDocuments({ n: 1 })).toBe(2);
    },
    { source: 'manual: core/transactions-production-consideration (stale reads)' },
  ),
  fact(
    'creates a collection with its first insert',
    async (bench) => {
      const session = transaction(bench);
      await bench.things.insertOne({ _id: 1 }, { session });
      await session.commitTransaction();
      expect(await bench.things.countDocuments()).toBe(1);
    },
    { source: 'manual: core/transactions (create collections)' },
  ),
  fact(
    'ends with a duplicate key, and knows of no transaction afterwards',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      await bench.things.insertOne({ _id: 3 }, { session });
      expect(await codeOf(bench.things.insertOne({ _id: 1 }, { session }))).toBe(11000);
      expect(await codeOf(bench.things.findOne({ _id: 1 }, { session }))).toBe(251);
      await session.abortTransaction();
      expect(await bench.things.countDocuments()).toBe(2);
    },
    { source: 'manual: core/transactions-in-applications (error handling)' },
  ),
  fact(
    'is done once by withTransaction, which returns what its function does',
    async (bench) => {
      await twoThings(bench);
      const moved = await bench.session().withTransaction(async (session) => {
        await bench.things.updateOne({ _id: 1 }, { $inc: { n: -1 } }, { session });
        await bench.things.updateOne({ _id: 2 }, { $inc: { n: 1 } }, { session });
        return 'moved';
      }, SNAPSHOT);
      expect(moved).toBe('moved');
      expect(await bench.things.distinct('n')).toEqual([-1, 1]);
    },
    { source: 'spec: transactions-convenient-api' },
  ),
  fact(
    'is aborted by withTransaction when its function throws',
    async (bench) => {
      await twoThings(bench);
      const attempt = bench.session().withTransaction(async (session) => {
        await bench.things.updateMany({}, { $set: { n: 1 } }, { session });
        throw new Error('changed my mind');
      });
      await expect(attempt).rejects.toThrow('changed my mind');
      expect(await bench.things.distinct('n')).toEqual([0]);
    },
    { source: 'spec: transactions-convenient-api' },
  ),
]);
