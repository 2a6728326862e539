/** Facts about the plans that the server chooses and what they examine. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { type Plan, planOf } from './plan.js';

async function hundred({ things }: Bench): Promise<void> {
  await things.createIndex({ n: 1 });
  await things.createIndex({ lane: 1, n: 1 });
  await things.insertMany(Array.from({ length: 100 }, (_, i) => ({ _id: i, n: i, lane: i % 4, text: `text ${i}` })));
}

const explained = async ({ db }: Bench, command: Document): Promise<Plan> =>
  planOf(await db.command({ explain: command, verbosity: 'executionStats' }));

export const explain = group('explain', 'manual: reference/explain-results', [
  fact('finds by _id with one key and one document', async (bench) => {
    await hundred(bench);
    const { keys, docs, returned, names } = await explained(bench, { find: 'things', filter: { _id: 7 } });
    expect([keys, docs, returned]).toEqual([1, 1, 1]);
    expect(['IDHACK', 'EXPRESS_IXSCAN']).toContain(names[0]);
  }),
  fact('fetches over an index scan where a field is indexed', async (bench) => {
    await hundred(bench);
    const plan = await explained(bench, { find: 'things', filter: { n: { $gte: 90 } } });
    expect(plan).toMatchObject({ names: ['FETCH', 'IXSCAN'], indexes: ['n_1'], keys: 10, docs: 10, returned: 10 });
  }),
  fact('scans the collection where no index helps', async (bench) => {
    await hundred(bench);
    const plan = await explained(bench, { find: 'things', filter: { text: 'text 7' } });
    expect(plan).toMatchObject({ names: ['COLLSCAN'], keys: 0, docs: 100, returned: 1 });
  }),
  fact(
    'covers a query by the index alone, and examines no document',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', filter: { n: { $lt: 5 } }, projection: { _id: 0, n: 1 } });
      expect(plan).toMatchObject({ names: ['PROJECTION_COVERED', 'IXSCAN'], keys: 5, docs: 0, returned: 5 });
    },
    { source: 'manual: core/query-optimization (covered query)' },
  ),
  fact(
    'takes the index that a hint names, by name or keys',
    async (bench) => {
      await hundred(bench);
      for (const hint of ['n_1', { n: 1 }]) {
        const plan = await explained(bench, { find: 'things', filter: { lane: 1 }, hint });
        expect(plan).toMatchObject({ indexes: ['n_1'], keys: 100, docs: 100, returned: 25 });
      }
    },
    { source: 'manual: reference/method/cursor.hint' },
  ),
  fact(
    'scans the collection under the hint $natural',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', filter: { n: 1 }, hint: { $natural: 1 } });
      expect(plan.names).toEqual(['COLLSCAN']);
    },
    { source: 'manual: reference/operator/meta/natural' },
  ),
  fact(
    'stops scanning a sorted index at the limit',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', sort: { n: 1 }, limit: 5 });
      expect(plan).toMatchObject({ names: ['LIMIT', 'FETCH', 'IXSCAN'], indexes: ['n_1'], docs: 5, returned: 5 });
      expect(plan.keys).toBeLessThanOrEqual(6);
    },
    { source: 'manual: tutorial/sort-results-with-indexes' },
  ),
  fact(
    'reads an index backwards for the opposite sort',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', filter: { lane: 2 }, sort: { n: -1 }, limit: 1 });
      expect(plan.names).not.toContain('SORT');
      expect(plan.stages.find(({ stage }) => stage === 'IXSCAN')?.['direction']).toBe('backward');
    },
    { source: 'manual: tutorial/sort-results-with-indexes' },
  ),
  fact(
    'sorts in memory where no index has the order',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', filter: { n: { $gte: 50 } }, sort: { text: 1 }, limit: 3 });
      expect(plan.names).toContain('SORT');
      expect(plan).toMatchObject({ docs: 50, returned: 3 });
    },
    { source: 'manual: tutorial/sort-results-with-indexes' },
  ),
  fact(
    'filters by keys before it fetches',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { find: 'things', filter: { lane: 1, n: { $gte: 0, $mod: [10, 1] } }, hint: 'lane_1_n_1' });
      expect(plan).toMatchObject({ keys: 25, docs: plan.returned });
    },
    { source: 'manual: reference/explain-results (filter)' },
  ),
  fact(
    'counts by index keys without documents',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { count: 'things', query: { lane: 1 } });
      expect(plan.docs).toBe(0);
      expect(plan.names).toContain('COUNT_SCAN');
    },
    { source: 'manual: reference/explain-results (COUNT_SCAN)' },
  ),
  fact(
    'explains an update without doing it',
    async (bench) => {
      await hundred(bench);
      const update = {
        update: 'things',
        updates: [{ q: { _id: { $in: [1, 2, 3] }, n: { $gt: 1 } }, u: { $set: { done: 1 } }, multi: true, hint: '_id_' }],
      };
      const plan = await explained(bench, update);
      expect(plan.names[0]).toBe('UPDATE');
      expect(plan.indexes).toEqual(['_id_']);
      expect(plan.docs).toBe(3);
      expect(plan.keys).toBeLessThanOrEqual(4);
      expect(await bench.things.countDocuments({ done: 1 })).toBe(0);
    },
    { source: 'manual: reference/command/explain' },
  ),
  fact(
    'explains a delete without doing it',
    async (bench) => {
      await hundred(bench);
      const plan = await explained(bench, { delete: 'things', deletes: [{ q: { n: { $lt: 5 } }, limit: 0 }] });
      expect(plan).toMatchObject({ indexes: ['n_1'], keys: 5 });
      expect(['DELETE', 'BATCHED_DELETE']).toContain(plan.names[0]);
      expect(await bench.things.countDocuments()).toBe(100);
    },
    { source: 'manual: reference/command/explain' },
  ),
]);
