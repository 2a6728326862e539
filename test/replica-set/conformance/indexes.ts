/** Facts about creating, listing and dropping indexes. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { codeOf } from './refusal.js';

const create = ({ db }: Bench, ...indexes: Document[]): Promise<Document> => db.command({ createIndexes: 'things', indexes });

function refused(title: string, codes: readonly number[], index: Document): Draft {
  return fact(title, async (bench) => {
    await bench.things.insertOne({ _id: 1 });
    expect(codes).toContain(await codeOf(create(bench, index)));
    expect(await bench.things.indexes()).toHaveLength(1);
  });
}

export const indexes = group('indexes', 'manual: reference/command/createIndexes', [
  fact('creates the collection with its first index, and says how many there were and are', async (bench) => {
    const answer = await create(bench, { key: { a: 1 }, name: 'a_1' }, { key: { b: -1, c: 1 }, name: 'bc' });
    expect(answer).toMatchObject({ ok: 1, createdCollectionAutomatically: true, numIndexesBefore: 1, numIndexesAfter: 3 });
  }),
  fact('takes an index again without change', async (bench) => {
    await create(bench, { key: { a: 1 }, name: 'a_1' });
    const again = await create(bench, { key: { a: 1 }, name: 'a_1' });
    expect(again).toMatchObject({ numIndexesBefore: 2, numIndexesAfter: 2, note: 'all indexes already exist' });
  }),
  fact(
    'names an index by its keys where the driver is given no name',
    async ({ things }) => {
      expect(await things.createIndex({ a: 1, b: -1 })).toBe('a_1_b_-1');
    },
    { source: 'spec: index-management' },
  ),
  fact(
    'lists indexes with keys, names and options, that of _id first',
    async ({ db, things }) => {
      await things.createIndex({ at: 1 }, { expireAfterSeconds: 0, partialFilterExpression: { at: { $exists: true } } });
      const { cursor } = await db.command({ listIndexes: 'things' });
      expect(cursor.firstBatch).toEqual([
        { v: 2, key: { _id: 1 }, name: '_id_' },
        { v: 2, key: { at: 1 }, name: 'at_1', expireAfterSeconds: 0, partialFilterExpression: { at: { $exists: true } } },
      ]);
    },
    { source: 'manual: reference/command/listIndexes' },
  ),
  fact('refuses the same keys under another name with 85 IndexOptionsConflict', async (bench) => {
    await create(bench, { key: { a: 1 }, name: 'one' });
    expect(await codeOf(create(bench, { key: { a: 1 }, name: 'two' }))).toBe(85);
  }),
  fact('refuses the same name for other keys with 86 IndexKeySpecsConflict', async (bench) => {
    await create(bench, { key: { a: 1 }, name: 'one' });
    expect(await codeOf(create(bench, { key: { b: 1 }, name: 'one' }))).toBe(86);
  }),
  fact('refuses another time to live for an index that exists with 85 IndexOptionsConflict', async (bench) => {
    await create(bench, { key: { at: 1 }, name: 'at_1', expireAfterSeconds: 10 });
    expect(await codeOf(create(bench, { key: { at: 1 }, name: 'at_1', expireAfterSeconds: 20 }))).toBe(85);
  }),
  fact('refuses to make an index unique that exists with 85 or 86', async (bench) => {
    await create(bench, { key: { a: 1 }, name: 'a_1' });
    expect([85, 86]).toContain(await codeOf(create(bench, { key: { a: 1 }, name: 'a_1', unique: true })));
  }),
  refused('refuses an index without keys with 67 CannotCreateIndex', [67], { key: {}, name: 'none' }),
  refused('refuses an unknown kind of index with 67 CannotCreateIndex', [67], { key: { a: 'frobnicated' }, name: 'a' }),
  refused('refuses 0 as direction with 67 CannotCreateIndex', [67], { key: { a: 0 }, name: 'a' }),
  refused('refuses an unknown option with 197 InvalidIndexSpecificationOption', [197], { key: { a: 1 }, name: 'a', colour: 'red' }),
  refused('refuses a partial filter with $ne with 67 CannotCreateIndex', [67], {
    key: { a: 1 },
    name: 'a',
    partialFilterExpression: { a: { $ne: 1 } },
  }),
  refused('refuses sparse and partial at once with 67 CannotCreateIndex', [67], {
    key: { a: 1 },
    name: 'a',
    sparse: true,
    partialFilterExpression: { a: 1 },
  }),
  fact(
    'drops an index by name; a missing one is refused with 27 IndexNotFound',
    async ({ db, things }) => {
      await things.createIndex({ a: 1 });
      expect(await db.command({ dropIndexes: 'things', index: 'a_1' })).toMatchObject({ nIndexesWas: 2 });
      expect(await codeOf(db.command({ dropIndexes: 'things', index: 'a_1' }))).toBe(27);
    },
    { source: 'manual: reference/command/dropIndexes' },
  ),
  fact(
    'refuses to drop the index of _id with 72 InvalidOptions',
    async ({ db, things }) => {
      await things.insertOne({ _id: 1 });
      expect(await codeOf(db.command({ dropIndexes: 'things', index: '_id_' }))).toBe(72);
    },
    { source: 'manual: reference/command/dropIndexes' },
  ),
]);
