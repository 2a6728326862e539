/** Facts about what unique, sparse and partial indexes let in. */

import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { codeOf, refusal } from './refusal.js';

export const uniqueIndexes = group('indexes', 'manual: core/index-unique', [
  fact('refuses a second document of one key, and names index and value', async ({ things }) => {
    await things.createIndex({ a: 1, b: 1 }, { unique: true });
    await things.insertMany([
      { _id: 1, a: 1, b: 1 },
      { _id: 2, a: 1, b: 2 },
    ]);
    const { message, ...refused } = await refusal(things.insertOne({ _id: 3, a: 1, b: 2 }));
    expect(refused).toMatchObject({ code: 11000, keyPattern: { a: 1, b: 1 }, keyValue: { a: 1, b: 2 } });
    expect(message).toContain('a_1_b_1');
  }),
  fact('refuses an update that would make a second one', async ({ things }) => {
    await things.createIndex({ a: 1 }, { unique: true });
    await things.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 2 },
    ]);
    const refused = await refusal(things.updateOne({ _id: 2 }, { $set: { a: 1 } }));
    expect(refused).toMatchObject({ code: 11000, keyPattern: { a: 1 }, keyValue: { a: 1 } });
    expect(await things.findOne({ _id: 2 })).toEqual({ _id: 2, a: 2 });
  }),
  fact('takes a missing field for null, once', async ({ things }) => {
    await things.createIndex({ a: 1 }, { unique: true });
    await things.insertOne({ _id: 1 });
    expect(await refusal(things.insertOne({ _id: 2, a: null }))).toMatchObject({ code: 11000, keyValue: { a: null } });
  }),
  fact(
    'ignores documents without the field where it is sparse',
    async ({ things }) => {
      await things.createIndex({ a: 1 }, { unique: true, sparse: true });
      await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3, a: 1 }]);
      expect(await codeOf(things.insertOne({ _id: 4, a: 1 }))).toBe(11000);
    },
    { source: 'manual: core/index-sparse' },
  ),
  fact(
    'ignores documents outside its partial filter',
    async ({ things }) => {
      await things.createIndex({ key: 1 }, { unique: true, partialFilterExpression: { open: true } });
      await things.insertMany([
        { _id: 1, key: 'k', open: true },
        { _id: 2, key: 'k' },
        { _id: 3, key: 'k', open: false },
      ]);
      expect(await codeOf(things.insertOne({ _id: 4, key: 'k', open: true }))).toBe(11000);
    },
    { source: 'manual: core/index-partial' },
  ),
  fact(
    'lets a key go when its document leaves the partial filter',
    async ({ things }) => {
      await things.createIndex({ key: 1 }, { unique: true, partialFilterExpression: { key: { $exists: true } } });
      await things.insertMany([{ _id: 1, key: 'k' }, { _id: 2 }, { _id: 3 }]);
      await things.updateOne({ _id: 1 }, { $unset: { key: '' } });
      expect(await things.updateOne({ _id: 2 }, { $set: { key: 'k' } })).toMatchObject({ modifiedCount: 1 });
      expect(await codeOf(things.updateOne({ _id: 3 }, { $set: { key: 'k' } }))).toBe(11000);
    },
    { source: 'manual: core/index-partial' },
  ),
  fact('is not built over documents that contradict it', async ({ things }) => {
    await things.insertMany([
      { _id: 1, a: 1 },
      { _id: 2, a: 1 },
    ]);
    expect(await codeOf(things.createIndex({ a: 1 }, { unique: true }))).toBe(11000);
    expect(await things.indexes()).toHaveLength(1);
  }),
  fact('holds for each element of an array', async ({ things }) => {
    await things.createIndex({ a: 1 }, { unique: true });
    await things.insertOne({ _id: 1, a: [1, 2, 2] });
    expect(await codeOf(things.insertOne({ _id: 2, a: [2, 3] }))).toBe(11000);
  }),
  fact(
    'refuses two arrays under one compound index with 171 CannotIndexParallelArrays',
    async ({ things }) => {
      await things.createIndex({ a: 1, b: 1 });
      expect(await codeOf(things.insertOne({ _id: 1, a: [1], b: [2] }))).toBe(171);
    },
    { source: 'manual: core/indexes/index-types/index-multikey' },
  ),
]);
