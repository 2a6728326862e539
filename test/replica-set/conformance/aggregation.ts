/** Facts about the stages of aggregation. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { type Draft, fact, group } from './fact.js';

interface Aggregating {
  readonly source: string;
  readonly pipeline: Document[];
  readonly gives: Document[];
  readonly of?: readonly Thing[];
}

const jobs: readonly Thing[] = [
  { _id: 1, lane: 'a', n: 5, tags: ['x', 'y'] },
  { _id: 2, lane: 'b', n: 3, tags: [] },
  { _id: 3, lane: 'a', n: 1, tags: ['x'] },
  { _id: 4, lane: 'c', n: 4 },
];

function aggregating(title: string, { source, pipeline, gives, of = jobs }: Aggregating): Draft {
  const show = async ({ things }: Bench) => {
    await things.insertMany(of.map((thing) => ({ ...thing })));
    expect(await things.aggregate(pipeline).toArray()).toEqual(gives);
  };
  return fact(title, show, { source: `manual: reference/operator/aggregation/${source}` });
}

export const aggregation = group('aggregation', 'manual: reference/operator/aggregation', [
  aggregating('$match, $sort, $skip, $limit and $project in their order', {
    source: 'sort',
    pipeline: [{ $match: { n: { $gt: 1 } } }, { $sort: { n: -1 } }, { $skip: 1 }, { $limit: 1 }, { $project: { n: 1 } }],
    gives: [{ _id: 4, n: 4 }],
  }),
  aggregating('$group sums, counts and gathers', {
    source: 'group',
    pipeline: [
      { $sort: { _id: 1 } },
      { $group: { _id: '$lane', sum: { $sum: '$n' }, count: { $sum: 1 }, first: { $first: '$_id' }, all: { $push: '$n' } } },
      { $sort: { _id: 1 } },
    ],
    gives: [
      { _id: 'a', sum: 6, count: 2, first: 1, all: [5, 1] },
      { _id: 'b', sum: 3, count: 1, first: 2, all: [3] },
      { _id: 'c', sum: 4, count: 1, first: 4, all: [4] },
    ],
  }),
  aggregating('$group with min, max and avg over all', {
    source: 'group',
    pipeline: [{ $group: { _id: null, min: { $min: '$n' }, max: { $max: '$n' }, avg: { $avg: '$n' } } }],
    gives: [{ _id: null, min: 1, max: 5, avg: 3.25 }],
  }),
  aggregating('$group of nothing gives nothing', {
    source: 'group',
    pipeline: [{ $match: { n: 99 } }, { $group: { _id: null } }],
    gives: [],
  }),
  aggregating('$count counts, and gives no document for none', {
    source: 'count',
    pipeline: [{ $match: { lane: 'a' } }, { $count: 'jobs' }],
    gives: [{ jobs: 2 }],
  }),
  aggregating('$unwind makes a document of each element and drops what has none', {
    source: 'unwind',
    pipeline: [{ $unwind: '$tags' }, { $sort: { _id: 1, tags: 1 } }, { $project: { tags: 1 } }],
    gives: [
      { _id: 1, tags: 'x' },
      { _id: 1, tags: 'y' },
      { _id: 3, tags: 'x' },
    ],
  }),
  aggregating('$unwind keeps what has none when told so', {
    source: 'unwind',
    pipeline: [
      { $unwind: { path: '$tags', preserveNullAndEmptyArrays: true } },
      { $sort: { _id: 1 } },
      { $match: { tags: { $exists: false } } },
      { $project: { _id: 1 } },
    ],
    gives: [{ _id: 2 }, { _id: 4 }],
  }),
  aggregating('$addFields, $replaceRoot and $unset reshape', {
    source: 'replaceRoot',
    pipeline: [
      { $match: { _id: 4 } },
      { $addFields: { inner: { a: '$n', b: 1 } } },
      { $replaceRoot: { newRoot: '$inner' } },
      { $unset: 'b' },
    ],
    gives: [{ a: 4 }],
  }),
  aggregating('$facet runs several pipelines over one input', {
    source: 'facet',
    pipeline: [
      {
        $facet: { many: [{ $match: { lane: 'a' } }, { $count: 'n' }], least: [{ $sort: { n: 1 } }, { $limit: 1 }, { $project: { n: 1 } }] },
      },
    ],
    gives: [{ many: [{ n: 2 }], least: [{ _id: 3, n: 1 }] }],
  }),
  fact(
    '$lookup joins by equality',
    async ({ db, things }) => {
      await db.collection<Thing>('lanes').insertMany([
        { _id: 'a', size: 1 },
        { _id: 'b', size: 2 },
      ]);
      await things.insertMany(
        jobs
          .slice(0, 2)
          .concat({ _id: 4, lane: 'c' })
          .map((job) => ({ ...job })),
      );
      const lookup = { $lookup: { from: 'lanes', localField: 'lane', foreignField: '_id', as: 'lanes' } };
      const found = await things.aggregate([lookup, { $sort: { _id: 1 } }, { $project: { lanes: 1 } }]).toArray();
      expect(found).toEqual([
        { _id: 1, lanes: [{ _id: 'a', size: 1 }] },
        { _id: 2, lanes: [{ _id: 'b', size: 2 }] },
        { _id: 4, lanes: [] },
      ]);
    },
    { source: 'manual: reference/operator/aggregation/lookup' },
  ),
  fact(
    '$unionWith adds what its pipeline finds in another collection',
    async ({ db, things }) => {
      await db.collection<Thing>('others').insertMany([
        { _id: 7, n: 7 },
        { _id: 8, n: 8 },
      ]);
      await things.insertOne({ _id: 1, n: 1 });
      const union = { $unionWith: { coll: 'others', pipeline: [{ $match: { n: { $gt: 7 } } }, { $set: { from: 'others' } }] } };
      const found = await things.aggregate([{ $match: { n: 1 } }, union, { $sort: { _id: 1 } }]).toArray();
      expect(found).toEqual([
        { _id: 1, n: 1 },
        { _id: 8, n: 8, from: 'others' },
      ]);
    },
    { source: 'manual: reference/operator/aggregation/unionWith' },
  ),
  fact(
    '$unionWith limits each branch for itself',
    async ({ things }) => {
      await things.insertMany(Array.from({ length: 9 }, (_, i) => ({ _id: i, lane: i % 3 })));
      const branch = (lane: number) => [{ $match: { lane } }, { $sort: { _id: 1 } }, { $limit: 2 }, { $set: { branch: lane } }];
      const unions = [1, 2].map((lane) => ({ $unionWith: { coll: 'things', pipeline: branch(lane) } }));
      const found = await things.aggregate([...branch(0), ...unions]).toArray();
      expect(new Set(found.map(({ _id, branch }) => `${branch}:${_id}`))).toEqual(new Set(['0:0', '0:3', '1:1', '1:4', '2:2', '2:5']));
    },
    { source: 'manual: reference/operator/aggregation/unionWith' },
  ),
  fact(
    '$$NOW is one and the same throughout an aggregation',
    async ({ things }) => {
      await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
      const [found] = await things.aggregate([{ $group: { _id: null, times: { $addToSet: '$$NOW' } } }]).toArray();
      expect(found?.['times']).toEqual([expect.any(Date)]);
    },
    { source: 'manual: reference/aggregation-variables (NOW)' },
  ),
  fact(
    'gives its result in batches',
    async ({ things }) => {
      await things.insertMany(Array.from({ length: 5 }, (_, i) => ({ _id: i })));
      const found = await things.aggregate([{ $sort: { _id: 1 } }], { batchSize: 2 }).toArray();
      expect(found.map(({ _id }) => _id)).toEqual([0, 1, 2, 3, 4]);
    },
    { source: 'manual: reference/command/aggregate' },
  ),
]);
