/** Facts about write concerns, and about what a majority read sees. */

import { expect } from 'vitest';
import { eventually } from './eventually.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';
import { watch } from './watching.js';

const one = { insert: 'things', documents: [{ _id: 1 }] };

export const writeConcern = group('write concern and majority', 'manual: reference/write-concern', [
  fact(
    'shows a write acknowledged by the majority to every majority read',
    async ({ db, things }) => {
      for (let i = 0; i < 5; i += 1) {
        await things.insertOne({ _id: i }, { writeConcern: { w: 'majority', journal: true } });
        const { cursor } = await db.command({ find: 'things', filter: { _id: i }, readConcern: { level: 'majority' } });
        expect(cursor.firstBatch).toEqual([{ _id: i }]);
      }
    },
    { source: 'manual: reference/read-concern-majority' },
  ),
  fact(
    'shows a write acknowledged by one member to a majority read in time',
    async ({ db }) => {
      await db.command({ ...one, writeConcern: { w: 1 } });
      const seen = async () => {
        const { cursor } = await db.command({ find: 'things', readConcern: { level: 'majority' } });
        return cursor.firstBatch.length === 1 ? true : undefined;
      };
      await eventually(seen, { what: 'the majority' });
    },
    { source: 'manual: reference/read-concern-majority' },
  ),
  fact('keeps a write whose write concern can not be satisfied, and reports 100', async ({ db, things }) => {
    const answer = await db.command({ ...one, writeConcern: { w: 40 } }).catch((error) => error.result ?? error.errorResponse);
    expect(answer).toMatchObject({ n: 1, writeConcernError: { code: 100 } });
    expect(await things.countDocuments()).toBe(1);
  }),
  fact('keeps a write with an unknown write concern mode, and reports 79 UnknownReplWriteConcern', async ({ db, things }) => {
    const answer = await db.command({ ...one, writeConcern: { w: 'noSuchMode' } }).catch((error) => error.result ?? error.errorResponse);
    expect(answer).toMatchObject({ n: 1, writeConcernError: { code: 79 } });
    expect(await things.countDocuments()).toBe(1);
  }),
  fact(
    'makes the driver throw a write concern error although the write was applied',
    async ({ things }) => {
      const attempt = things.insertOne({ _id: 1 }, { writeConcern: { w: 40 } });
      await expect(attempt).rejects.toMatchObject({ name: 'MongoWriteConcernError', code: 100 });
      expect(await things.countDocuments()).toBe(1);
    },
    { source: 'spec: read-write-concern' },
  ),
  fact('applies a write that wants no answer', async ({ things }) => {
    expect(await things.insertOne({ _id: 1 }, { writeConcern: { w: 0 } })).toMatchObject({ acknowledged: false });
    await eventually(async () => (await things.findOne({ _id: 1 })) ?? undefined, { what: 'an unacknowledged write' });
  }),
  fact(
    'refuses an unknown level of read concern',
    async ({ db }) => {
      expect([2, 9]).toContain(await codeOf(db.command({ find: 'things', readConcern: { level: 'perfect' } })));
    },
    { source: 'manual: reference/read-concern' },
  ),
  fact(
    'gives a majority read a snapshot not older than its own session has seen',
    async ({ things, session }) => {
      const causal = session({ causalConsistency: true });
      for (let i = 0; i < 5; i += 1) {
        await things.insertOne({ _id: i }, { session: causal, writeConcern: { w: 1 } });
        expect(await things.findOne({ _id: i }, { session: causal, readConcern: { level: 'majority' } })).toEqual({ _id: i });
      }
    },
    { source: 'manual: core/causal-consistency-read-write-concerns' },
  ),
  fact(
    'shows a change to streams when the majority has it, and the majority then reads it',
    async (bench) => {
      const stream = await watch(bench);
      await bench.things.insertOne({ _id: 1 }, { writeConcern: { w: 1 } });
      await stream.next();
      const { cursor } = await bench.db.command({ find: 'things', readConcern: { level: 'majority' } });
      expect(cursor.firstBatch).toEqual([{ _id: 1 }]);
    },
    { source: 'manual: changeStreams' },
  ),
]);
