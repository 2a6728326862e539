/** Facts about transactions that write the same document, and about writes beside them. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf, refusal } from './refusal.js';
import { MADE, SNAPSHOT, transaction, twoThings } from './two-sessions.js';

const CONFLICT = { code: 112, labels: expect.arrayContaining(['TransientTransactionError']) };

const increment = ({ things }: Bench, options = {}): Promise<unknown> => things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, options);

const valueOfOne = async ({ things }: Bench): Promise<unknown> => (await things.findOne({ _id: 1 }))?.['n'];

export const transactionConflicts = group('transactions', 'manual: core/transactions-production-consideration (write conflicts)', [
  fact('ends the second of two that write one document with 112 WriteConflict, as transient', async (bench) => {
    await twoThings(bench);
    const [first, second] = [transaction(bench), transaction(bench)];
    await increment(bench, { session: first });
    expect(await refusal(increment(bench, { session: second }))).toMatchObject(CONFLICT);
    await first.commitTransaction();
    expect(await valueOfOne(bench)).toBe(1);
  }),
  fact('knows nothing of the loser afterwards: 251 NoSuchTransaction, as transient', async (bench) => {
    await twoThings(bench);
    const [first, second] = [transaction(bench), transaction(bench)];
    await increment(bench, { session: first });
    await refusal(increment(bench, { session: second }));
    const refused = await refusal(bench.things.findOne({ _id: 2 }, { session: second }));
    expect(refused).toMatchObject({ code: 251, labels: expect.arrayContaining(['TransientTransactionError']) });
  }),
  fact('conflicts with a transaction committed after its snapshot', async (bench) => {
    await twoThings(bench);
    const [reader, writer] = [transaction(bench), transaction(bench)];
    await bench.things.findOne({ _id: 1 }, { session: reader });
    await increment(bench, { session: writer });
    await writer.commitTransaction();
    expect(await refusal(increment(bench, { session: reader }))).toMatchObject(CONFLICT);
  }),
  fact('conflicts with a plain write made after its snapshot', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.findOne({ _id: 2 }, { session });
    await increment(bench);
    expect(await refusal(increment(bench, { session }))).toMatchObject(CONFLICT);
  }),
  fact('conflicts with a plain delete made after its snapshot', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.findOne({ _id: 2 }, { session });
    await bench.things.deleteOne({ _id: 1 });
    expect(await refusal(increment(bench, { session }))).toMatchObject(CONFLICT);
  }),
  fact('conflicts where both insert one _id', async (bench) => {
    await twoThings(bench);
    const [first, second] = [transaction(bench), transaction(bench)];
    await bench.things.insertOne({ _id: 3 }, { session: first });
    expect(await refusal(bench.things.insertOne({ _id: 3 }, { session: second }))).toMatchObject(CONFLICT);
    await first.commitTransaction();
  }),
  fact('conflicts where both insert one key of a unique index', async (bench) => {
    await bench.things.createIndex({ key: 1 }, { unique: true });
    await bench.things.insertOne({ _id: 1, key: 'other' }, MADE);
    const [first, second] = [transaction(bench), transaction(bench)];
    await bench.things.insertOne({ _id: 3, key: 'k' }, { session: first });
    expect(await refusal(bench.things.insertOne({ _id: 4, key: 'k' }, { session: second }))).toMatchObject(CONFLICT);
    await first.commitTransaction();
  }),
  fact('does not conflict with an aborted transaction', async (bench) => {
    await twoThings(bench);
    const [first, second] = [transaction(bench), transaction(bench)];
    await bench.things.findOne({ _id: 2 }, { session: second });
    await increment(bench, { session: first });
    await first.abortTransaction();
    await increment(bench, { session: second });
    await second.commitTransaction();
    expect(await valueOfOne(bench)).toBe(1);
  }),
  fact('lets a plain write wait until the transaction is committed, and then sees it', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await increment(bench, { session });
    const plain = bench.things.findOneAndUpdate({ _id: 1 }, { $inc: { n: 10 } }, { returnDocument: 'after' });
    const early = await Promise.race([plain, bench.db.command({ ping: 1 }).then(() => 'waiting')]);
    expect(early).toBe('waiting');
    await session.commitTransaction();
    expect(await plain).toEqual({ _id: 1, n: 11 });
  }),
  fact('lets a plain write go on when the transaction is given up', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await increment(bench, { session });
    const plain = increment(bench);
    await session.abortTransaction();
    expect(await plain).toMatchObject({ modifiedCount: 1 });
    expect(await valueOfOne(bench)).toBe(1);
  }),
  fact(
    'ends a plain write that waits longer than its maxTimeMS with 50 MaxTimeMSExpired',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      await increment(bench, { session });
      const update = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 10 } } }], maxTimeMS: 100 };
      expect(await codeOf(bench.db.command(update))).toBe(50);
      await session.commitTransaction();
      expect(await valueOfOne(bench)).toBe(1);
    },
    { source: 'manual: tutorial/terminate-running-operations (maxTimeMS)' },
  ),
  fact('lets a plain insert of a key wait for the transaction that inserted it, and fail with 11000', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.insertOne({ _id: 3 }, { session });
    const plain = codeOf(bench.things.insertOne({ _id: 3 }));
    await session.commitTransaction();
    expect(await plain).toBe(11000);
  }),
  fact('lets readers read on beside an open transaction', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await increment(bench, { session });
    expect(await valueOfOne(bench)).toBe(0);
    await session.abortTransaction();
  }),
  fact(
    'is tried again by withTransaction until it does not conflict',
    async (bench) => {
      await twoThings(bench);
      let runs = 0;
      await bench.session().withTransaction(async (session) => {
        runs += 1;
        await bench.things.findOne({ _id: 1 }, { session });
        if (runs === 1) await increment(bench);
        await increment(bench, { session });
      }, SNAPSHOT);
      expect([runs, await valueOfOne(bench)]).toEqual([2, 2]);
    },
    { source: 'spec: transactions-convenient-api' },
  ),
]);
