/** Facts about pipelines that the server refuses as updates, and about $expr in the filters of writes. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { codeOf } from './refusal.js';

/** @param in44 - the code of MongoDB 4.4, where that is another */
function refused(title: string, code: number, pipeline: Document[], in44 = code): Draft {
  return fact(title, async ({ db, things, version }: Bench) => {
    await things.insertOne({ _id: 1, n: 1 });
    const answer = await codeOf(db.command({ update: 'things', updates: [{ q: { _id: 1 }, u: pipeline }] }));
    expect(answer).toBe(version < 5 ? in44 : code);
    expect(await things.findOne()).toEqual({ _id: 1, n: 1 });
  });
}

export const pipelineUpdateRefusals = group('pipeline updates', 'manual: reference/command/update (aggregation pipeline)', [
  refused('refuses $match in an update with 72 InvalidOptions', 72, [{ $match: { n: 1 } }]),
  refused('refuses $group in an update with 72 InvalidOptions', 72, [{ $group: { _id: null } }]),
  refused('refuses an unknown stage with 40324', 40324, [{ $frobnicate: {} }]),
  refused(
    'refuses an unknown expression with 168 InvalidPipelineOperator, in 4.4 with 31325',
    168,
    [{ $set: { a: { $frobnicate: 1 } } }],
    31_325,
  ),
  refused('refuses a stage of two operators with 40323', 40323, [{ $set: { a: 1 }, $unset: ['n'] }]),
  refused('refuses an undefined variable with 17276', 17276, [{ $set: { a: '$$nothing' } }]),
  refused('refuses another _id with 66 ImmutableField', 66, [{ $set: { _id: 2 } }]),
  fact(
    'refuses $expr in the filter of an upsert with 224 QueryFeatureNotAllowed',
    async ({ db }) => {
      const updates = [{ q: { $expr: { $eq: ['$_id', 1] } }, u: { $set: { n: 1 } }, upsert: true }];
      expect(await codeOf(db.command({ update: 'things', updates }))).toBe(224);
    },
    { source: 'manual: reference/operator/query/expr' },
  ),
  fact(
    'compares with $$NOW in the filter of an update',
    async ({ things }) => {
      await things.insertMany([
        { _id: 1, until: new Date(Date.now() + 3_600_000) },
        { _id: 2, until: new Date(Date.now() - 3_600_000) },
      ]);
      const fence = { $expr: { $lt: ['$$NOW', '$until'] } };
      expect(await things.updateMany(fence, { $set: { n: 1 } })).toMatchObject({ matchedCount: 1 });
      expect(await things.findOne({ n: 1 })).toMatchObject({ _id: 1 });
      expect(await things.findOneAndUpdate(fence, { $set: { n: 2 } }, { returnDocument: 'after' })).toMatchObject({ _id: 1, n: 2 });
    },
    { source: 'manual: reference/aggregation-variables (NOW)' },
  ),
  fact(
    'refuses $$NOW in the filter of a delete with 51144 in 4.4; later servers may compare',
    async ({ things, version }) => {
      await things.insertOne({ _id: 1, until: new Date(0) });
      const attempt = things.deleteMany({ $expr: { $gt: ['$$NOW', '$until'] } });
      const code = await codeOf(attempt).catch(() => undefined);
      if (version < 5) expect(code).toBe(51144);
      else expect([51144, undefined]).toContain(code);
    },
    { source: 'manual: reference/aggregation-variables (NOW)' },
  ),
]);
