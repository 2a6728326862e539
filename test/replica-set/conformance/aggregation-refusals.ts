/** Facts about aggregations that the server refuses. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import { type Draft, fact, group } from './fact.js';
import { codeOf } from './refusal.js';

function refused(title: string, code: number, pipeline: Document[]): Draft {
  return fact(title, async ({ db, things }) => {
    await things.insertOne({ _id: 1 });
    expect(await codeOf(db.command({ aggregate: 'things', pipeline, cursor: {} }))).toBe(code);
  });
}

export const aggregationRefusals = group('aggregation', 'manual: reference/command/aggregate', [
  refused('refuses an unknown stage with 40324', 40324, [{ $frobnicate: {} }]),
  refused('refuses a stage with two operators with 40323', 40323, [{ $match: {}, $limit: 1 }]),
  refused('refuses an unknown expression with 168 InvalidPipelineOperator', 168, [{ $project: { a: { $frobnicate: 1 } } }]),
  refused('refuses an unknown accumulator with 15952', 15952, [{ $group: { _id: null, a: { $frobnicate: 1 } } }]),
  refused('refuses a $group without _id with 15955', 15955, [{ $group: { a: { $sum: 1 } } }]),
  refused('refuses a limit of 0 with 15958', 15958, [{ $limit: 0 }]),
  refused('refuses $changeStream after another stage with 40602', 40602, [{ $match: {} }, { $changeStream: {} }]),
  fact('refuses an aggregation without cursor with 9 FailedToParse', async ({ db }) => {
    expect(await codeOf(db.command({ aggregate: 'things', pipeline: [] }))).toBe(9);
  }),
  fact(
    'refuses an unknown option with 40415',
    async ({ db }) => {
      expect(await codeOf(db.command({ aggregate: 'things', pipeline: [], cursor: {}, colour: 'red' }))).toBe(40415);
    },
    { since: 5 },
  ),
]);
