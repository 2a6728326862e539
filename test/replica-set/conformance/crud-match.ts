/** Facts about which documents a filter matches. */

import { type Document, Int32, Long } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { type Draft, fact, group } from './fact.js';

interface Matching {
  readonly source: string;
  readonly of: readonly Thing[];
  readonly filter: Document;
  readonly ids: readonly number[];
}

/** Of these documents, the filter matches those with these ids. */
function matching(title: string, { source, of, filter, ids }: Matching): Draft {
  const show = async ({ things }: Bench) => {
    await things.insertMany(of.map((thing) => ({ ...thing })));
    const found = await things.find(filter).sort({ _id: 1 }).toArray();
    expect(found.map(({ _id }) => _id)).toEqual(ids);
  };
  return fact(title, show, { source: `manual: reference/operator/query/${source}` });
}

const numbers: readonly Thing[] = [
  { _id: 1, n: 1 },
  { _id: 2, n: 5 },
  { _id: 3, n: '5' },
  { _id: 4, n: null },
  { _id: 5 },
  { _id: 6, n: [1, 9] },
];

const nested: readonly Thing[] = [
  { _id: 1, list: [{ a: 1, b: 1 }] },
  {
    _id: 2,
    list: [
      { a: 1, b: 2 },
      { a: 2, b: 1 },
    ],
  },
  { _id: 3, list: [] },
  { _id: 4, list: { a: 1, b: 1 } },
];

export const crudMatch = group('crud', 'manual: reference/operator/query', [
  matching('finds by equality, also an element of an array', { source: 'eq', of: numbers, filter: { n: 1 }, ids: [1, 6] }),
  matching('finds missing fields with null', { source: 'eq', of: numbers, filter: { n: null }, ids: [4, 5] }),
  matching('compares numbers with numbers only', { source: 'gt', of: numbers, filter: { n: { $gt: 1 } }, ids: [2, 6] }),
  matching('takes int, long and double of one value for equal', {
    source: 'eq',
    of: [
      { _id: 1, n: new Int32(7) },
      { _id: 2, n: Long.fromNumber(7) },
      { _id: 3, n: 7.5 },
    ],
    filter: { n: 7 },
    ids: [1, 2],
  }),
  matching('finds any of $in, null among them', { source: 'in', of: numbers, filter: { n: { $in: [5, null] } }, ids: [2, 4, 5] }),
  matching('finds the rest by $nin', { source: 'nin', of: numbers, filter: { n: { $nin: [1, 5, null] } }, ids: [3] }),
  matching('finds also missing fields by $ne', { source: 'ne', of: numbers, filter: { n: { $ne: 5 } }, ids: [1, 3, 4, 5, 6] }),
  matching('takes null for existing', { source: 'exists', of: numbers, filter: { n: { $exists: true } }, ids: [1, 2, 3, 4, 6] }),
  matching('negates with $not what would have matched', {
    source: 'not',
    of: numbers,
    filter: { n: { $not: { $gte: 5 } } },
    ids: [1, 3, 4, 5],
  }),
  matching('joins with $or, $and and $nor', {
    source: 'or',
    of: numbers,
    filter: { $or: [{ n: 5 }, { $and: [{ n: 1 }, { n: 9 }] }], $nor: [{ _id: 99 }] },
    ids: [2, 6],
  }),
  matching('finds by type, elements of arrays too', { source: 'type', of: numbers, filter: { n: { $type: 'number' } }, ids: [1, 2, 6] }),
  matching('finds by $size', { source: 'size', of: numbers, filter: { n: { $size: 2 } }, ids: [6] }),
  matching('finds by $all', { source: 'all', of: numbers, filter: { n: { $all: [9, 1] } }, ids: [6] }),
  matching('finds by $regex with options', {
    source: 'regex',
    of: [{ _id: 1, s: 'Abc' }],
    filter: { s: { $regex: '^aB', $options: 'i' } },
    ids: [1],
  }),
  matching('follows a dotted path into documents and arrays', { source: 'eq', of: nested, filter: { 'list.a': 2 }, ids: [2] }),
  matching('lets different elements satisfy different dotted conditions', {
    source: 'elemMatch',
    of: nested,
    filter: { 'list.a': 2, 'list.b': 2 },
    ids: [2],
  }),
  matching('wants one element to satisfy all of $elemMatch', {
    source: 'elemMatch',
    of: nested,
    filter: { list: { $elemMatch: { a: 1, b: 1 } } },
    ids: [1],
  }),
  matching('compares fields of one document by $expr', {
    source: 'expr',
    of: [
      { _id: 1, a: 1, b: 2 },
      { _id: 2, a: 2, b: 1 },
    ],
    filter: { $expr: { $lt: ['$a', '$b'] } },
    ids: [1],
  }),
  matching('takes a missing field in $expr for less than any number', {
    source: 'expr',
    of: [{ _id: 1 }, { _id: 2, n: null }, { _id: 3, n: 9 }],
    filter: { $expr: { $lt: ['$n', 5] } },
    ids: [1, 2],
  }),
]);
