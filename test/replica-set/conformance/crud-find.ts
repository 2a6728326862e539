/** Facts about sorting, projecting, limiting and counting. */

import { type Document, ObjectId } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

const ten = async ({ things }: Bench): Promise<void> => {
  await things.insertMany(Array.from({ length: 10 }, (_, i) => ({ _id: i, even: i % 2 === 0, n: 9 - i, tags: [i % 3, 'x'] })));
};

const ids = (found: readonly Document[]): unknown[] => found.map(({ _id }) => _id);

export const crudFind = group('crud', 'manual: reference/command/find', [
  fact('sorts by several fields, each in its own direction', async (bench) => {
    await ten(bench);
    const found = await bench.things.find({}, { sort: { even: 1, n: -1 } }).toArray();
    expect(ids(found)).toEqual([1, 3, 5, 7, 9, 0, 2, 4, 6, 8]);
  }),
  fact(
    'sorts types in the order of BSON',
    async ({ things }) => {
      const values = [true, new Date(0), 'text', new ObjectId(), null, { a: 1 }, 3];
      await things.insertMany(values.map((value, i) => ({ _id: i, value })));
      expect(ids(await things.find().sort({ value: 1 }).toArray())).toEqual([4, 6, 2, 5, 3, 0, 1]);
    },
    { source: 'manual: reference/bson-type-comparison-order' },
  ),
  fact(
    'sorts an array by its least element upwards and by its greatest downwards',
    async ({ things }) => {
      await things.insertMany([
        { _id: 1, n: [5, 1] },
        { _id: 2, n: 3 },
        { _id: 3, n: [4, 2] },
      ]);
      expect(ids(await things.find().sort({ n: 1 }).toArray())).toEqual([1, 3, 2]);
      expect(ids(await things.find().sort({ n: -1 }).toArray())).toEqual([1, 3, 2]);
    },
    { source: 'manual: reference/bson-type-comparison-order (arrays)' },
  ),
  fact('skips and limits after sorting', async (bench) => {
    await ten(bench);
    const found = await bench.things.find().sort({ n: 1 }).skip(2).limit(3).toArray();
    expect(ids(found)).toEqual([7, 6, 5]);
  }),
  fact(
    'shows the fields asked for, and _id unless told otherwise',
    async ({ things }) => {
      await things.insertOne({ _id: 1, a: 1, b: { c: 2, d: 3 } });
      expect(await things.findOne({}, { projection: { a: 1 } })).toEqual({ _id: 1, a: 1 });
      expect(await things.findOne({}, { projection: { _id: 0, 'b.c': 1 } })).toEqual({ b: { c: 2 } });
      expect(await things.findOne({}, { projection: { b: 0 } })).toEqual({ _id: 1, a: 1 });
    },
    { source: 'manual: reference/method/db.collection.find (projection)' },
  ),
  fact('refuses to mix showing and hiding with 31254 and 31253', async ({ db }) => {
    expect(await codeOf(db.command({ find: 'things', projection: { a: 1, b: 0 } }))).toBe(31254);
    expect(await codeOf(db.command({ find: 'things', projection: { a: 0, b: 1 } }))).toBe(31253);
  }),
  fact('refuses a negative skip', async ({ db }) => {
    expect([2, 51024]).toContain(await codeOf(db.command({ find: 'things', skip: -1 })));
  }),
  fact('refuses a hint to no index with 2 BadValue', async (bench) => {
    await ten(bench);
    expect(await codeOf(bench.db.command({ find: 'things', hint: 'nothing_1' }))).toBe(2);
  }),
  fact(
    'counts what a filter matches, and estimates the whole',
    async (bench) => {
      await ten(bench);
      expect(await bench.things.countDocuments({ even: true })).toBe(5);
      expect(await bench.things.estimatedDocumentCount()).toBe(10);
      expect(await bench.db.command({ count: 'things', query: { even: true }, limit: 3 })).toMatchObject({ n: 3 });
    },
    { source: 'manual: reference/command/count' },
  ),
  fact(
    'gives distinct values, elements of arrays each',
    async (bench) => {
      await ten(bench);
      expect((await bench.things.distinct('even')).sort()).toEqual([false, true]);
      const tags = await bench.db.command({ distinct: 'things', key: 'tags', query: { _id: { $lt: 2 } } });
      expect(new Set(tags['values'])).toEqual(new Set([0, 1, 'x']));
    },
    { source: 'manual: reference/command/distinct' },
  ),
]);
