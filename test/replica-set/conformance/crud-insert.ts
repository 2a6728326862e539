/** Facts about inserts. */

import { Binary, Decimal128, Double, Int32, Long, ObjectId, UUID } from 'mongodb';
import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { codeOf, refusal } from './refusal.js';

export const crudInsert = group('crud', 'manual: reference/command/insert', [
  fact('stores a document as it was sent', async ({ db }) => {
    const things = db.collection('things');
    const document = {
      _id: new ObjectId(),
      text: 'grüße',
      number: 1.5,
      yes: true,
      none: null,
      at: new Date(1_700_000_000_123),
      list: [1, 'two', { three: 3 }],
      bytes: new Binary(Buffer.from([0, 1, 255])),
      uuid: new UUID(),
      decimal: Decimal128.fromString('0.10'),
    };
    expect(await things.insertOne(document)).toEqual({ acknowledged: true, insertedId: document._id });
    const stored = await things.findOne({ _id: document._id }, { promoteBuffers: false });
    expect(stored).toEqual(document);
  }),
  fact('keeps apart int, long and double', async ({ db, things }) => {
    await things.insertOne({ _id: 1, int: new Int32(1), long: Long.fromNumber(1), double: new Double(1) });
    const pipeline = [{ $project: { int: { $type: '$int' }, long: { $type: '$long' }, double: { $type: '$double' } } }];
    expect(await db.collection('things').aggregate(pipeline).toArray()).toEqual([{ _id: 1, int: 'int', long: 'long', double: 'double' }]);
  }),
  fact('keeps the order of fields, but puts _id first', async ({ db }) => {
    await db.command({ insert: 'things', documents: [{ b: 1, a: 2, _id: 3, c: 4 }] });
    const stored = await db.collection('things').findOne();
    expect(Object.keys(stored ?? {})).toEqual(['_id', 'b', 'a', 'c']);
  }),
  fact('stores the text of an expression unchanged: $$NOW is not a time in an insert', async ({ db }) => {
    await db.command({ insert: 'things', documents: [{ _id: 1, at: '$$NOW', owner: '$owner' }] });
    expect(await db.collection('things').findOne()).toEqual({ _id: 1, at: '$$NOW', owner: '$owner' });
  }),
  fact('reports a duplicate key as 11000 with keyPattern and keyValue', async ({ things }) => {
    await things.insertOne({ _id: 1 });
    expect(await refusal(things.insertOne({ _id: 1 }))).toMatchObject({ code: 11000, keyPattern: { _id: 1 }, keyValue: { _id: 1 } });
  }),
  fact('stops an ordered insert at its first error', async ({ db, things }) => {
    const documents = [{ _id: 1 }, { _id: 1 }, { _id: 2 }];
    const answer = await db.command({ insert: 'things', documents, ordered: true });
    expect(answer).toMatchObject({ ok: 1, n: 1, writeErrors: [{ index: 1, code: 11000 }] });
    expect(await things.distinct('_id')).toEqual([1]);
  }),
  fact('goes on after errors of an unordered insert', async ({ db, things }) => {
    const documents = [{ _id: 1 }, { _id: 1 }, { _id: 2 }, { _id: 2 }];
    const answer = await db.command({ insert: 'things', documents, ordered: false });
    expect(answer).toMatchObject({ n: 2, writeErrors: [{ index: 1 }, { index: 3 }] });
    expect(await things.distinct('_id')).toEqual([1, 2]);
  }),
  fact('refuses an array as _id', async ({ db }) => {
    expect([2, 53]).toContain(await codeOf(db.command({ insert: 'things', documents: [{ _id: [1] }] })));
  }),
  fact('refuses a command without documents with 16 InvalidLength', async ({ db }) => {
    expect(await codeOf(db.command({ insert: 'things', documents: [] }))).toBe(16);
  }),
  fact('refuses a missing list of documents with 40414', async ({ db }) => {
    expect(await codeOf(db.command({ insert: 'things' }))).toBe(40414);
  }),
  fact('refuses an unknown field of the command with 40415', async ({ db, things }) => {
    expect(await codeOf(db.command({ insert: 'things', documents: [{ _id: 1 }], colour: 'red' }))).toBe(40415);
    expect(await things.countDocuments()).toBe(0);
  }),
  fact(
    'refuses to let a document grow beyond 16 MiB',
    async ({ things }) => {
      await things.insertOne({ _id: 1, a: 'a'.repeat(9_000_000) });
      expect([17419, 10334]).toContain(await codeOf(things.updateOne({ _id: 1 }, { $set: { b: 'b'.repeat(9_000_000) } })));
      expect(await things.findOne({ _id: 1 }, { projection: { b: 1 } })).toEqual({ _id: 1 });
    },
    { source: 'manual: reference/limits (BSON document size)' },
  ),
]);
