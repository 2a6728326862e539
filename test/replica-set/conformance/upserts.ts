/** Facts about upserts, replacements and updates of many. */

import { ObjectId } from 'mongodb';
import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { codeOf, refusal } from './refusal.js';

export const upserts = group('update operators', 'manual: reference/method/db.collection.updateOne (upsert)', [
  fact('inserts the equalities of the filter and what the update sets', async ({ things }) => {
    const result = await things.updateOne({ _id: 1, a: 'x', n: { $gt: 5 } }, { $set: { b: 'y' } }, { upsert: true });
    expect(result).toMatchObject({ matchedCount: 0, modifiedCount: 0, upsertedCount: 1, upsertedId: 1 });
    expect(await things.findOne()).toEqual({ _id: 1, a: 'x', b: 'y' });
  }),
  fact('makes an ObjectId where neither filter nor update has an _id', async ({ db, things }) => {
    const answer = await db.command({ update: 'things', updates: [{ q: { a: 1 }, u: { $set: { b: 1 } }, upsert: true }] });
    expect(answer['upserted'][0]._id).toBeInstanceOf(ObjectId);
    expect(await things.countDocuments({ a: 1, b: 1 })).toBe(1);
  }),
  fact(
    'sets on insert what $setOnInsert says, and nothing otherwise',
    async ({ things }) => {
      await things.updateOne({ _id: 1 }, { $setOnInsert: { born: 1 }, $inc: { n: 1 } }, { upsert: true });
      await things.updateOne({ _id: 1 }, { $setOnInsert: { born: 2 }, $inc: { n: 1 } }, { upsert: true });
      expect(await things.findOne()).toEqual({ _id: 1, born: 1, n: 2 });
    },
    { source: 'manual: reference/operator/update/setOnInsert' },
  ),
  fact('lets one of two upserts of a unique key insert, and the other update or fail with 11000', async ({ things }) => {
    await things.createIndex({ key: 1 }, { unique: true });
    const both = [1, 2].map((n) =>
      things.updateOne({ key: 'k' }, { $set: { [`n${n}`]: n } }, { upsert: true }).catch((error) => error.code),
    );
    const outcomes = await Promise.all(both);
    for (const outcome of outcomes) if (typeof outcome === 'number') expect(outcome).toBe(11000);
    expect(await things.countDocuments()).toBe(1);
  }),
  fact(
    'replaces all but _id',
    async ({ things }) => {
      await things.insertOne({ _id: 1, a: 1 });
      expect(await things.replaceOne({ _id: 1 }, { b: 2 })).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
      expect(await things.findOne()).toEqual({ _id: 1, b: 2 });
    },
    { source: 'manual: reference/method/db.collection.replaceOne' },
  ),
  fact(
    'refuses to change _id with 66 ImmutableField, by replacement or by $set',
    async ({ db, things }) => {
      await things.insertOne({ _id: 1, a: 1 });
      expect(await codeOf(db.command({ update: 'things', updates: [{ q: { _id: 1 }, u: { _id: 2 } }] }))).toBe(66);
      expect(await codeOf(db.command({ update: 'things', updates: [{ q: { a: 1 }, u: { $set: { _id: 2 } } }] }))).toBe(66);
    },
    { source: 'manual: reference/method/db.collection.replaceOne' },
  ),
  fact(
    'updates many in one command',
    async ({ things }) => {
      await things.insertMany([
        { _id: 1, n: 1 },
        { _id: 2, n: 1 },
        { _id: 3, n: 2 },
      ]);
      expect(await things.updateMany({ n: 1 }, { $inc: { n: 1 } })).toMatchObject({ matchedCount: 2, modifiedCount: 2 });
      expect(await things.countDocuments({ n: 2 })).toBe(3);
    },
    { source: 'manual: reference/method/db.collection.updateMany' },
  ),
  fact(
    'refuses a replacement of many with 9 FailedToParse',
    async ({ db, things }) => {
      await things.insertOne({ _id: 1 });
      expect(await codeOf(db.command({ update: 'things', updates: [{ q: {}, u: { a: 1 }, multi: true }] }))).toBe(9);
    },
    { source: 'manual: reference/command/update (multi)' },
  ),
  fact(
    'updates many by a list of _id under the hint _id_',
    async ({ things }) => {
      await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
      const result = await things.updateMany({ _id: { $in: [1, 3, 9] } }, [{ $set: { n: 1 } }], { hint: '_id_' });
      expect(result).toMatchObject({ matchedCount: 2, modifiedCount: 2 });
    },
    { source: 'manual: reference/command/update (hint)' },
  ),
  fact(
    'refuses a hint to no index with 2 BadValue',
    async ({ things }) => {
      await things.insertOne({ _id: 1, n: 1 });
      expect(await refusal(things.updateMany({ n: 1 }, { $set: { n: 2 } }, { hint: 'nothing_1' }))).toMatchObject({ code: 2 });
    },
    { source: 'manual: reference/command/update (hint)' },
  ),
]);
