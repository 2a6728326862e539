/** Facts about plans over partial indexes, and over many equal ranges of one index merged in order. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { type Plan, planOf } from './plan.js';

const LANES = 210;
const EACH = 5;

/** Pending jobs of many lanes under the index that begins with status and lane. */
async function lanes({ things }: Bench): Promise<void> {
  const keys = { status: 1, lane: 1, priority: 1, _id: 1 } as const;
  await things.createIndex(keys, { name: 'ready', partialFilterExpression: { status: 'pending' } });
  const job = (i: number) => ({ _id: i, status: 'pending', lane: `lane ${String(i % LANES).padStart(3, '0')}`, priority: i % 7 });
  await things.insertMany(Array.from({ length: LANES * EACH }, (_, i) => job(i)));
  await things.insertOne({ _id: -1, status: 'active', lane: 'lane 000', priority: 0 });
}

const some = (count: number): string[] => Array.from({ length: count }, (_, i) => `lane ${String(i).padStart(3, '0')}`);

const explained = async ({ db }: Bench, command: Document): Promise<Plan> =>
  planOf(await db.command({ explain: command, verbosity: 'executionStats' }));

const firstTen = (count: number): Document => ({
  find: 'things',
  filter: { status: 'pending', lane: { $in: some(count) } },
  sort: { priority: 1, _id: 1 },
  limit: 10,
});

export const explainLanes = group('explain', 'manual: core/index-partial', [
  fact(
    'gives distinct lanes by a scan that skips from one to the next, and reads no document',
    async (bench) => {
      await lanes(bench);
      const plan = await explained(bench, { distinct: 'things', key: 'lane', query: { status: 'pending' } });
      expect(plan.names).toContain('DISTINCT_SCAN');
      expect([plan.indexes, plan.docs]).toEqual([['ready'], 0]);
      expect(plan.keys).toBeLessThanOrEqual(LANES + 2);
      expect(await bench.things.distinct('lane', { status: 'pending' })).toHaveLength(LANES);
    },
    { source: 'manual: reference/explain-results (DISTINCT_SCAN)' },
  ),
  fact(
    'merges up to 200 ranges in order and stops at the limit',
    async (bench) => {
      await lanes(bench);
      for (const count of [1, 100, 200]) {
        const plan = await explained(bench, firstTen(count));
        if (count > 1) expect(plan.names).toContain('SORT_MERGE');
        expect(plan.names).not.toContain('SORT');
        expect(plan.keys).toBeLessThanOrEqual(count + 10);
        expect([plan.docs, plan.returned]).toEqual([Math.min(10, count * EACH), Math.min(10, count * EACH)]);
      }
    },
    { source: 'manual: tutorial/sort-results-with-indexes (SORT_MERGE)' },
  ),
  fact(
    'sorts everything in memory beyond 200 ranges',
    async (bench) => {
      await lanes(bench);
      const plan = await explained(bench, firstTen(201));
      expect(plan.names).toContain('SORT');
      expect(plan.names).not.toContain('SORT_MERGE');
      expect(plan.keys).toBeGreaterThanOrEqual(201 * EACH);
    },
    { source: 'manual: tutorial/sort-results-with-indexes (SORT_MERGE)' },
  ),
  fact(
    'finds in the same order whether it merges or sorts',
    async (bench) => {
      await lanes(bench);
      const find = async (count: number) => {
        const { cursor } = await bench.db.command({ ...firstTen(count), limit: 40, batchSize: 40 });
        return cursor.firstBatch.map(({ priority, _id }: Document) => [priority, _id]);
      };
      for (const count of [200, 201]) {
        const found = await find(count);
        expect(found).toHaveLength(40);
        expect(found).toEqual([...found].sort(([p, a], [q, b]) => p - q || a - b));
      }
    },
    { source: 'manual: tutorial/sort-results-with-indexes' },
  ),
  fact('takes a partial index only where the filter implies it', async (bench) => {
    await bench.things.createIndex({ n: 1 }, { name: 'open', partialFilterExpression: { open: true } });
    await bench.things.insertMany(Array.from({ length: 20 }, (_, i) => ({ _id: i, n: i, open: i < 10 })));
    expect((await explained(bench, { find: 'things', filter: { n: 3, open: true } })).indexes).toEqual(['open']);
    expect((await explained(bench, { find: 'things', filter: { n: 3 } })).names).toEqual(['COLLSCAN']);
  }),
  fact('fetches each entry to check a partial predicate that is not a key', async (bench) => {
    await bench.things.createIndex({ n: 1 }, { name: 'open', partialFilterExpression: { open: true } });
    await bench.things.insertMany(Array.from({ length: 20 }, (_, i) => ({ _id: i, n: i, open: true })));
    const filter = { n: { $gte: 10 }, open: true };
    const plan = await explained(bench, { find: 'things', filter, projection: { _id: 0, n: 1 } });
    expect(plan).toMatchObject({ indexes: ['open'], keys: 10, docs: 10, returned: 10 });
  }),
  fact('reads no document where the partial predicate is the first key', async (bench) => {
    await lanes(bench);
    const filter = { status: 'pending', lane: 'lane 003' };
    const plan = await explained(bench, { find: 'things', filter, projection: { _id: 1, lane: 1, priority: 1 } });
    expect(plan).toMatchObject({ indexes: ['ready'], keys: EACH, docs: 0, returned: EACH });
  }),
  fact('takes an equality for existence under a partial filter on existence', async (bench) => {
    await bench.things.createIndex({ owner: 1, status: 1 }, { name: 'owner', partialFilterExpression: { owner: { $exists: true } } });
    await bench.things.insertMany(Array.from({ length: 20 }, (_, i) => ({ _id: i, ...(i < 4 ? { owner: i % 2, status: 'active' } : {}) })));
    const plan = await explained(bench, { find: 'things', filter: { owner: 1, status: 'active' } });
    expect(plan).toMatchObject({ indexes: ['owner'], keys: 2, docs: 2, returned: 2 });
  }),
]);
