/** Facts about findAndModify. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

const three = async ({ things }: Bench): Promise<void> => {
  await things.insertMany([
    { _id: 1, n: 3 },
    { _id: 2, n: 1 },
    { _id: 3, n: 2 },
  ]);
};

export const crudFindAndModify = group('crud', 'manual: reference/command/findAndModify', [
  fact('answers with the document before or after the update', async (bench) => {
    await three(bench);
    const before = await bench.things.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } });
    const after = await bench.things.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { returnDocument: 'after' });
    expect([before, after]).toEqual([
      { _id: 1, n: 3 },
      { _id: 1, n: 5 },
    ]);
  }),
  fact('answers null where nothing matches', async (bench) => {
    await three(bench);
    expect(await bench.things.findOneAndUpdate({ _id: 9 }, { $inc: { n: 1 } })).toBeNull();
    expect(await bench.things.findOneAndDelete({ _id: 9 })).toBeNull();
  }),
  fact('takes the first by its sort', async (bench) => {
    await three(bench);
    expect(await bench.things.findOneAndDelete({}, { sort: { n: 1 } })).toEqual({ _id: 2, n: 1 });
    expect(await bench.things.findOneAndUpdate({}, { $set: { n: 0 } }, { sort: { n: -1 } })).toEqual({ _id: 1, n: 3 });
  }),
  fact('replaces all but _id, and shows the fields asked for', async (bench) => {
    await three(bench);
    const options = { returnDocument: 'after', projection: { _id: 0, m: 1 } } as const;
    expect(await bench.things.findOneAndReplace({ _id: 1 }, { m: 1 }, options)).toEqual({ m: 1 });
    expect(await bench.things.findOne({ _id: 1 })).toEqual({ _id: 1, m: 1 });
  }),
  fact('upserts, and says what it did in lastErrorObject', async ({ things }) => {
    const options = { upsert: true, returnDocument: 'after', includeResultMetadata: true } as const;
    const { value, lastErrorObject } = await things.findOneAndUpdate({ _id: 5 }, { $set: { n: 1 } }, options);
    expect(value).toEqual({ _id: 5, n: 1 });
    expect(lastErrorObject).toMatchObject({ n: 1, updatedExisting: false, upserted: 5 });
    const again = await things.findOneAndUpdate({ _id: 5 }, { $set: { n: 2 } }, options);
    expect(again.lastErrorObject).toMatchObject({ n: 1, updatedExisting: true });
  }),
  fact('refuses to update and to remove at once with 9 FailedToParse', async ({ db }) => {
    const attempt = db.command({ findAndModify: 'things', query: {}, remove: true, update: { $set: { n: 1 } } });
    expect(await codeOf(attempt)).toBe(9);
  }),
  fact('refuses to do neither with 9 FailedToParse', async ({ db }) => {
    expect(await codeOf(db.command({ findAndModify: 'things', query: {} }))).toBe(9);
  }),
  fact('applies a pipeline', async ({ things }) => {
    await things.insertOne({ _id: 1, n: 20 });
    const updated = await things.findOneAndUpdate({ _id: 1 }, [{ $set: { n: { $add: ['$n', 1] }, was: '$n' } }], {
      returnDocument: 'after',
    });
    expect(updated).toEqual({ _id: 1, n: 21, was: 20 });
  }),
]);
