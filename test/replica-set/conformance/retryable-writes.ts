/** Facts about writes that are sent again under their session's number. */

import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { RawSession } from './raw-session.js';
import { codeOf } from './refusal.js';

const increment = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] };

export const retryableWrites = group('retryable writes', 'spec: retryable-writes', [
  fact('answers a repeated insert as the first time and inserts once', async (bench) => {
    const session = new RawSession(bench);
    const insert = { insert: 'things', documents: [{ _id: 1 }, { _id: 2 }] };
    expect(await session.retryable(1, insert)).toMatchObject({ ok: 1, n: 2 });
    const repeated = await session.retryable(1, insert);
    expect(repeated).toMatchObject({ ok: 1, n: 2 });
    expect(repeated['writeErrors']).toBeUndefined();
    expect(await bench.things.countDocuments()).toBe(2);
  }),
  fact('applies a repeated update once', async (bench) => {
    const session = new RawSession(bench);
    await bench.things.insertOne({ _id: 1, n: 0 });
    expect(await session.retryable(1, increment)).toMatchObject({ n: 1, nModified: 1 });
    expect(await session.retryable(1, increment)).toMatchObject({ n: 1, nModified: 1 });
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 1 });
  }),
  fact('answers a repeated upsert with the same _id', async (bench) => {
    const session = new RawSession(bench);
    const upsert = { update: 'things', updates: [{ q: { key: 'k' }, u: { $inc: { n: 1 } }, upsert: true }] };
    const first = await session.retryable(1, upsert);
    const second = await session.retryable(1, upsert);
    expect(second['upserted']).toEqual(first['upserted']);
    expect(await bench.things.countDocuments({ n: 1 })).toBe(1);
  }),
  fact('applies a repeated delete of one once', async (bench) => {
    const session = new RawSession(bench);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const deleteOne = { delete: 'things', deletes: [{ q: {}, limit: 1 }] };
    expect(await session.retryable(1, deleteOne)).toMatchObject({ n: 1 });
    expect(await session.retryable(1, deleteOne)).toMatchObject({ n: 1 });
    expect(await bench.things.countDocuments()).toBe(1);
  }),
  fact('answers a repeated findAndModify with the same document', async (bench) => {
    const session = new RawSession(bench);
    await bench.things.insertOne({ _id: 1, n: 0 });
    for (const isNew of [false, true]) {
      const modify = { findAndModify: 'things', query: { _id: 1 }, update: { $inc: { n: 1 } }, new: isNew };
      const number = isNew ? 2 : 1;
      const first = await session.retryable(number, modify);
      const second = await session.retryable(number, modify);
      expect(second['value']).toEqual(first['value']);
    }
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 2 });
  }),
  fact('tells a repeated write from a new one by the number', async (bench) => {
    const session = new RawSession(bench);
    await bench.things.insertOne({ _id: 1, n: 0 });
    for (const number of [1, 1, 2, 2, 5]) await session.retryable(number, increment);
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 3 });
  }),
  fact('tells the same number of two sessions apart', async (bench) => {
    await bench.things.insertOne({ _id: 1, n: 0 });
    for (const session of [new RawSession(bench), new RawSession(bench)]) await session.retryable(1, increment);
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 2 });
  }),
  fact('applies only the statements that it has not applied', async (bench) => {
    const session = new RawSession(bench);
    await session.retryable(1, { insert: 'things', documents: [{ _id: 1 }, { _id: 2 }], stmtIds: [0, 1] });
    await session.retryable(1, { insert: 'things', documents: [{ _id: 2 }, { _id: 3 }], stmtIds: [1, 2] });
    expect(await bench.things.distinct('_id')).toEqual([1, 2, 3]);
  }),
  fact(
    'refuses a number lower than one seen with 225 TransactionTooOld',
    async (bench) => {
      const session = new RawSession(bench);
      await bench.things.insertOne({ _id: 1, n: 0 });
      await session.retryable(7, increment);
      expect(await codeOf(session.retryable(6, increment))).toBe(225);
    },
    { source: 'manual: reference/error-codes' },
  ),
  fact('refuses a number for writes of many with 72 InvalidOptions', async (bench) => {
    const session = new RawSession(bench);
    await bench.things.insertOne({ _id: 1, n: 0 });
    const updateMany = { update: 'things', updates: [{ q: {}, u: { $inc: { n: 1 } }, multi: true }] };
    expect(await codeOf(session.retryable(1, updateMany))).toBe(72);
    expect(await codeOf(session.retryable(2, { delete: 'things', deletes: [{ q: {}, limit: 0 }] }))).toBe(72);
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 0 });
  }),
  fact('remembers no write that failed', async (bench) => {
    const session = new RawSession(bench);
    const insert = { insert: 'things', documents: [{ _id: 1, mine: true }] };
    await bench.things.insertOne({ _id: 1 });
    expect(await codeOf(session.retryable(1, insert))).toBe(11000);
    await bench.things.deleteOne({ _id: 1 });
    expect(await session.retryable(1, insert)).toMatchObject({ n: 1 });
    expect(await bench.things.findOne()).toEqual({ _id: 1, mine: true });
  }),
]);
