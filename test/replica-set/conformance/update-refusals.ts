/** Facts about updates that the server refuses. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { codeOf } from './refusal.js';

/** Applied to `{ _id: 1, n: 1, s: 'text' }` the update is refused with this code, and changes nothing. */
function refused(title: string, code: number, update: Document): Draft {
  return fact(title, async ({ db, things }: Bench) => {
    await things.insertOne({ _id: 1, n: 1, s: 'text' });
    expect(await codeOf(db.command({ update: 'things', updates: [{ q: { _id: 1 }, u: update }] }))).toBe(code);
    expect(await things.findOne()).toEqual({ _id: 1, n: 1, s: 'text' });
  });
}

export const updateRefusals = group('update operators', 'manual: reference/operator/update', [
  refused('refuses an unknown operator with 9 FailedToParse', 9, { $frobnicate: { n: 1 } }),
  refused('refuses to add to text with 14 TypeMismatch', 14, { $inc: { s: 1 } }),
  refused('refuses two operators on one field with 40 ConflictingUpdateOperators', 40, { $set: { n: 2 }, $inc: { n: 1 } }),
  refused('refuses operators on a field and on its inside with 40', 40, { $set: { a: {}, 'a.b': 1 } }),
  refused('refuses a path through a number with 28 PathNotViable', 28, { $set: { 'n.deep': 1 } }),
  refused('refuses to push onto a value that is not an array with 2 BadValue', 2, { $push: { n: 1 } }),
  refused('refuses a positional $ that matched no array with 2 BadValue', 2, { $set: { 'list.$': 1 } }),
  fact('refuses an empty $set with 9 in 4.4, and takes it for nothing since 5.0', async ({ db, things, version }) => {
    await things.insertOne({ _id: 1 });
    const attempt = db.command({ update: 'things', updates: [{ q: { _id: 1 }, u: { $set: {} } }] });
    if (version < 5) expect(await codeOf(attempt)).toBe(9);
    else expect(await attempt).toMatchObject({ n: 1, nModified: 0 });
  }),
  fact(
    'refuses an unknown field of an update with 40415',
    async ({ db }) => {
      expect(await codeOf(db.command({ update: 'things', updates: [{ q: {}, u: { $set: { n: 1 } }, colour: 'red' }] }))).toBe(40415);
      expect(await codeOf(db.command({ update: 'things', updates: [{ q: {}, u: { $set: { n: 1 } } }], colour: 'red' }))).toBe(40415);
    },
    { source: 'manual: reference/command/update' },
  ),
  fact('stops ordered updates at their first error', async ({ db, things }) => {
    await things.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 'text' },
      { _id: 3, n: 3 },
    ]);
    const updates = [1, 2, 3].map((_id) => ({ q: { _id }, u: { $inc: { n: 1 } } }));
    const ordered = await db.command({ update: 'things', updates });
    expect(ordered).toMatchObject({ n: 1, writeErrors: [{ index: 1, code: 14 }] });
    const unordered = await db.command({ update: 'things', updates, ordered: false });
    expect(unordered).toMatchObject({ n: 2, writeErrors: [{ index: 1, code: 14 }] });
  }),
]);
