/** Facts about bulk writes and about several statements in one command. */

import { MongoBulkWriteError } from 'mongodb';
import { expect } from 'vitest';
import { fact, group } from './fact.js';

export const crudBulk = group('crud', 'spec: crud/bulk-write', [
  fact('counts what a mixed bulk did', async ({ things }) => {
    await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    const result = await things.bulkWrite([
      { insertOne: { document: { _id: 4 } } },
      { updateOne: { filter: { _id: 1 }, update: { $set: { n: 1 } } } },
      { updateOne: { filter: { _id: 9 }, update: { $set: { n: 1 } }, upsert: true } },
      { updateMany: { filter: { _id: { $gt: 1, $lt: 4 } }, update: { $set: { n: 2 } } } },
      { replaceOne: { filter: { _id: 4 }, replacement: { n: 4 } } },
      { deleteOne: { filter: { _id: 2 } } },
    ]);
    expect(result).toMatchObject({ insertedCount: 1, matchedCount: 4, modifiedCount: 4, upsertedCount: 1, deletedCount: 1 });
    expect(result.upsertedIds).toEqual({ 2: 9 });
  }),
  fact('stops an ordered bulk at its first error, and says what was done', async ({ things }) => {
    const bulk = things.bulkWrite([
      { insertOne: { document: { _id: 1 } } },
      { insertOne: { document: { _id: 1 } } },
      { insertOne: { document: { _id: 2 } } },
    ]);
    const error = await bulk.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MongoBulkWriteError);
    expect(error).toMatchObject({ code: 11000, result: { insertedCount: 1 } });
    expect(await things.countDocuments()).toBe(1);
  }),
  fact('goes on after errors of an unordered bulk', async ({ things }) => {
    await things.insertOne({ _id: 1, n: 1 });
    const bulk = things.bulkWrite(
      [
        { insertOne: { document: { _id: 1 } } },
        { updateOne: { filter: { _id: 1 }, update: { $set: { n: 2 } } } },
        { insertOne: { document: { _id: 2 } } },
      ],
      { ordered: false },
    );
    await expect(bulk).rejects.toBeInstanceOf(MongoBulkWriteError);
    expect(await things.find().sort({ _id: 1 }).toArray()).toEqual([{ _id: 1, n: 2 }, { _id: 2 }]);
  }),
  fact(
    'adds up the updates of one command and lists its upserts by index',
    async ({ db, things }) => {
      await things.insertOne({ _id: 1, n: 1 });
      const updates = [
        { q: { _id: 1 }, u: { $set: { n: 1 } } },
        { q: { _id: 1 }, u: { $inc: { n: 1 } } },
        { q: { _id: 7 }, u: { $set: { n: 7 } }, upsert: true },
      ];
      const answer = await db.command({ update: 'things', updates });
      expect(answer).toMatchObject({ ok: 1, n: 3, nModified: 1, upserted: [{ index: 2, _id: 7 }] });
    },
    { source: 'manual: reference/command/update' },
  ),
]);
