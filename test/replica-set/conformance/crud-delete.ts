/** Facts about deletes. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

const three = async ({ things }: Bench): Promise<void> => {
  await things.insertMany([
    { _id: 1, n: 1 },
    { _id: 2, n: 1 },
    { _id: 3, n: 2 },
  ]);
};

export const crudDelete = group('crud', 'manual: reference/command/delete', [
  fact('deletes one or all that match', async (bench) => {
    await three(bench);
    expect(await bench.things.deleteOne({ n: 1 })).toEqual({ acknowledged: true, deletedCount: 1 });
    expect(await bench.things.deleteMany({})).toEqual({ acknowledged: true, deletedCount: 2 });
    expect(await bench.things.deleteMany({})).toEqual({ acknowledged: true, deletedCount: 0 });
  }),
  fact('adds up the deletes of one command', async (bench) => {
    await three(bench);
    const deletes = [
      { q: { n: 1 }, limit: 0 },
      { q: { n: 2 }, limit: 1 },
    ];
    expect(await bench.db.command({ delete: 'things', deletes })).toMatchObject({ ok: 1, n: 3 });
  }),
  fact('refuses a limit other than 0 and 1 with 9 FailedToParse', async ({ db }) => {
    expect(await codeOf(db.command({ delete: 'things', deletes: [{ q: {}, limit: 2 }] }))).toBe(9);
  }),
  fact('refuses a delete without limit with 40414', async ({ db }) => {
    expect(await codeOf(db.command({ delete: 'things', deletes: [{ q: {} }] }))).toBe(40414);
  }),
  fact('refuses an unknown field of a delete with 40415', async ({ db }) => {
    expect(await codeOf(db.command({ delete: 'things', deletes: [{ q: {}, limit: 0, colour: 'red' }] }))).toBe(40415);
  }),
  fact('takes the index that a hint names, and refuses one that does not exist with 2', async (bench) => {
    await three(bench);
    expect(await bench.things.deleteMany({ _id: 1 }, { hint: '_id_' })).toMatchObject({ deletedCount: 1 });
    expect(await codeOf(bench.things.deleteMany({ n: 1 }, { hint: 'nothing_1' }))).toBe(2);
  }),
]);
