/** Facts about updates by aggregation pipeline. */

import { Binary, type Document, Timestamp } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { type Draft, fact, group } from './fact.js';

interface Rewrite {
  readonly source: string;
  readonly from: Document;
  readonly pipeline: Document[];
  readonly to: Document;
}

function rewriting(title: string, { source, from, pipeline, to }: Rewrite): Draft {
  const show = async ({ things }: Bench) => {
    await things.insertOne({ _id: 1, ...structuredClone(from) });
    await things.updateOne({ _id: 1 }, pipeline);
    expect(await things.findOne()).toEqual({ _id: 1, ...to });
  };
  return fact(title, show, { source: `manual: reference/operator/aggregation/${source}` });
}

const holders = [
  { by: 'a', n: 1 },
  { by: 'b', n: 2 },
];

export const pipelineUpdates = group('pipeline updates', 'manual: tutorial/update-documents-with-aggregation-pipeline', [
  rewriting('$set computes from the fields as they were before the stage', {
    source: 'set',
    from: { a: 1, b: 2 },
    pipeline: [{ $set: { a: '$b', b: '$a' } }],
    to: { a: 2, b: 1 },
  }),
  rewriting('stages see what the stages before them made', {
    source: 'set',
    from: { a: 1 },
    pipeline: [{ $set: { b: '$a' } }, { $set: { c: { $add: ['$b', 1] } } }, { $unset: ['a'] }],
    to: { b: 1, c: 2 },
  }),
  rewriting('$$REMOVE removes a field', {
    source: 'cond',
    from: { a: 1, b: 2 },
    pipeline: [{ $set: { a: { $cond: [{ $eq: ['$b', 2] }, '$$REMOVE', 1] } } }],
    to: { b: 2 },
  }),
  rewriting('$literal keeps what looks like an expression', {
    source: 'literal',
    from: { owner: 'me' },
    pipeline: [{ $set: { args: { $literal: { text: '$owner', at: ['$$NOW'] } } } }],
    to: { owner: 'me', args: { text: '$owner', at: ['$$NOW'] } },
  }),
  rewriting('$replaceWith replaces all but _id', {
    source: 'replaceWith',
    from: { a: 1 },
    pipeline: [{ $replaceWith: { _id: '$_id', b: '$a' } }],
    to: { b: 1 },
  }),
  rewriting('$mergeObjects lets the later win', {
    source: 'mergeObjects',
    from: { a: { x: 1, y: 1 } },
    pipeline: [{ $set: { a: { $mergeObjects: ['$a', { $literal: { y: 2 } }] } } }],
    to: { a: { x: 1, y: 2 } },
  }),
  rewriting('$filter and $concatArrays rewrite an array', {
    source: 'filter',
    from: { holders },
    pipeline: [
      {
        $set: {
          holders: { $concatArrays: [{ $filter: { input: '$holders', as: 'h', cond: { $ne: ['$$h.by', 'a'] } } }, [{ by: 'c', n: 3 }]] },
        },
      },
    ],
    to: {
      holders: [
        { by: 'b', n: 2 },
        { by: 'c', n: 3 },
      ],
    },
  }),
  rewriting('$map, $sum and $max compute over an array', {
    source: 'map',
    from: { holders },
    pipeline: [
      {
        $set: {
          sum: { $sum: '$holders.n' },
          max: { $max: '$holders.n' },
          doubled: { $map: { input: '$holders', in: { $multiply: ['$$this.n', 2] } } },
        },
      },
    ],
    to: { holders, sum: 3, max: 2, doubled: [2, 4] },
  }),
  rewriting('$reduce folds an array', {
    source: 'reduce',
    from: { list: [1, 2, 3] },
    pipeline: [{ $set: { sum: { $reduce: { input: '$list', initialValue: 0, in: { $add: ['$$value', '$$this'] } } } } }],
    to: { list: [1, 2, 3], sum: 6 },
  }),
  rewriting('$ifNull, $switch and $let choose', {
    source: 'switch',
    from: { n: 2 },
    pipeline: [
      {
        $set: {
          a: { $ifNull: ['$missing', 'none'] },
          b: { $switch: { branches: [{ case: { $gt: ['$n', 1] }, then: 'many' }], default: 'few' } },
          c: { $let: { vars: { twice: { $add: ['$n', '$n'] } }, in: { $subtract: ['$$twice', 1] } } },
        },
      },
    ],
    to: { n: 2, a: 'none', b: 'many', c: 3 },
  }),
  rewriting('$type tells a missing field', {
    source: 'type',
    from: { n: 2 },
    pipeline: [{ $set: { a: { $type: '$gone' }, b: { $type: '$n' } } }],
    to: { n: 2, a: 'missing', b: 'int' },
  }),
  fact('gives each document its own outcome out of one literal list', async ({ things }) => {
    const outcomes = [0, 1, 2].map((i) => ({ token: `t${i}`, outcome: new Binary(Buffer.from(`$out${i}`)) }));
    await things.insertMany(outcomes.map(({ token }, i) => ({ _id: i, token: i === 2 ? 'other' : token })));
    const ids = [0, 1, 2];
    const mine = { $arrayElemAt: [{ $literal: outcomes }, { $indexOfArray: [ids, '$_id'] }] };
    const update = [{ $set: { mine } }, { $set: { outcome: '$mine.outcome' } }, { $unset: ['mine'] }];
    const filter = {
      _id: { $in: ids },
      $expr: { $eq: ['$token', { $arrayElemAt: [['t0', 't1', 't2'], { $indexOfArray: [ids, '$_id'] }] }] },
    };
    expect(await things.updateMany(filter, update)).toMatchObject({ matchedCount: 2, modifiedCount: 2 });
    const stored = await things.find().sort({ _id: 1 }).toArray();
    expect(stored.map(({ outcome }) => outcome?.toString('utf8'))).toEqual(['$out0', '$out1', undefined]);
  }),
  fact('upserts with an _id that the pipeline sets, with $$NOW and $$CLUSTER_TIME', async ({ things }) => {
    const replacement = {
      $mergeObjects: [{ $literal: { _id: 7, args: '$owner' } }, { key: '$key', at: '$$NOW', order: '$$CLUSTER_TIME' }],
    };
    const create = { $cond: [{ $eq: [{ $type: '$args' }, 'missing'] }, replacement, '$$ROOT'] };
    const filter = { key: 'k' };
    expect(await things.updateOne(filter, [{ $replaceWith: create }], { upsert: true })).toMatchObject({ upsertedId: 7 });
    expect(await things.updateOne(filter, [{ $replaceWith: create }], { upsert: true })).toMatchObject({
      matchedCount: 1,
      modifiedCount: 0,
    });
    expect(await things.findOne()).toEqual({ _id: 7, key: 'k', args: '$owner', at: expect.any(Date), order: expect.any(Timestamp) });
  }),
]);
