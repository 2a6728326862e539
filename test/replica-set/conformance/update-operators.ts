/** Facts about what the operators of an update do to fields. */

import { type Document, Timestamp } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { type Draft, fact, group } from './fact.js';

interface Change {
  readonly source: string;
  readonly from: Omit<Thing, '_id'>;
  readonly update: Document;
  readonly to: Omit<Thing, '_id'>;
}

/** The update makes the one of the other. */
function changing(title: string, { source, from, update, to }: Change): Draft {
  const show = async ({ things }: Bench) => {
    await things.insertOne({ _id: 1, ...structuredClone(from) });
    await things.updateOne({ _id: 1 }, update);
    expect(await things.findOne({ _id: 1 })).toEqual({ _id: 1, ...to });
  };
  return fact(title, show, { source: `manual: reference/operator/update/${source}` });
}

const list = [1, 2, 3];

export const updateOperators = group('update operators', 'manual: reference/command/update', [
  fact('counts as matched, not as modified, what is the same afterwards', async ({ things }) => {
    await things.insertOne({ _id: 1, n: 1 });
    expect(await things.updateOne({ _id: 1 }, { $set: { n: 1 } })).toMatchObject({ matchedCount: 1, modifiedCount: 0 });
    expect(await things.updateOne({ _id: 1 }, { $set: { n: 2 } })).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
  }),
  changing('$set makes the documents of a dotted path', {
    source: 'set',
    from: { a: { b: 1 } },
    update: { $set: { 'a.c.d': 2 } },
    to: { a: { b: 1, c: { d: 2 } } },
  }),
  changing('$unset removes a field and ignores a missing one', {
    source: 'unset',
    from: { a: 1, b: 2 },
    update: { $unset: { a: '', x: '' } },
    to: { b: 2 },
  }),
  changing('$inc adds, beginning at nothing', { source: 'inc', from: { a: 1 }, update: { $inc: { a: 2, b: -3 } }, to: { a: 3, b: -3 } }),
  changing('$mul multiplies, and makes a missing field 0', {
    source: 'mul',
    from: { a: 4 },
    update: { $mul: { a: 2, b: 5 } },
    to: { a: 8, b: 0 },
  }),
  changing('$min and $max keep the lesser and the greater', {
    source: 'min',
    from: { a: 5, b: 5 },
    update: { $min: { a: 3 }, $max: { b: 4 } },
    to: { a: 3, b: 5 },
  }),
  changing('$rename moves a value', { source: 'rename', from: { a: 1 }, update: { $rename: { a: 'b' } }, to: { b: 1 } }),
  changing('$push appends, and makes the array', {
    source: 'push',
    from: { a: [1] },
    update: { $push: { a: 2, b: 1 } },
    to: { a: [1, 2], b: [1] },
  }),
  changing('$push with $each, $sort and $slice keeps the best', {
    source: 'push',
    from: { a: [5, 1] },
    update: { $push: { a: { $each: [4, 3], $sort: -1, $slice: 3 } } },
    to: { a: [5, 4, 3] },
  }),
  changing('$push with $position inserts', {
    source: 'position',
    from: { a: list },
    update: { $push: { a: { $each: [9], $position: 1 } } },
    to: { a: [1, 9, 2, 3] },
  }),
  changing('$addToSet adds what is not there', {
    source: 'addToSet',
    from: { a: [1] },
    update: { $addToSet: { a: { $each: [1, 2] } } },
    to: { a: [1, 2] },
  }),
  changing('$pull removes what a condition matches', {
    source: 'pull',
    from: { a: list },
    update: { $pull: { a: { $gte: 2 } } },
    to: { a: [1] },
  }),
  changing('$pop removes the last or the first', {
    source: 'pop',
    from: { a: list, b: list },
    update: { $pop: { a: 1, b: -1 } },
    to: { a: [1, 2], b: [2, 3] },
  }),
  changing('$[] updates every element', {
    source: 'positional-all',
    from: { a: list },
    update: { $inc: { 'a.$[]': 10 } },
    to: { a: [11, 12, 13] },
  }),
  fact(
    '$ updates the element that the filter matched',
    async ({ things }) => {
      await things.insertOne({
        _id: 1,
        a: [
          { k: 'x', n: 1 },
          { k: 'y', n: 1 },
        ],
      });
      await things.updateOne({ 'a.k': 'y' }, { $set: { 'a.$.n': 2 } });
      expect(await things.findOne()).toEqual({
        _id: 1,
        a: [
          { k: 'x', n: 1 },
          { k: 'y', n: 2 },
        ],
      });
    },
    { source: 'manual: reference/operator/update/positional' },
  ),
  fact(
    '$currentDate sets the date or the timestamp of the server',
    async ({ things }) => {
      await things.insertOne({ _id: 1 });
      await things.updateOne({ _id: 1 }, { $currentDate: { at: { $type: 'date' }, ts: { $type: 'timestamp' } } });
      const thing = await things.findOne();
      expect(thing?.['at']).toBeInstanceOf(Date);
      expect(thing?.['ts']).toBeInstanceOf(Timestamp);
    },
    { source: 'manual: reference/operator/update/currentDate' },
  ),
]);
