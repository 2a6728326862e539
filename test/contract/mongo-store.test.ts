/** The store contract and the random walk, over MongoDB. */

import { afterAll, describe, expect, it } from 'vitest';
import { runStoreCase, storeContract } from '../../src/testing/contract/index.js';
import { memoryBench } from './memory-bench.js';
import { mongoBenches } from './mongo-bench.js';
import { walk } from './random-walk.js';

const SEEDS = Number(process.env['MILLRACE_MONGO_SEEDS'] ?? 3);
const STEPS = 60;

const benches = await mongoBenches();
afterAll(() => benches.close());

describe.each([...new Set(storeContract.map(({ theme }) => theme))])('%s', (theme) => {
  it.each(storeContract.filter((one) => one.theme === theme).map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const bench = benches.make();
    await runStoreCase(one, bench);
    await bench.drop();
  });
});

describe('a random walk', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'with batches of no work keeps every promise under seed %i',
    { timeout: 60_000 },
    async (seed) => {
      const bench = benches.make();
      await walk(bench, { seed, steps: STEPS });
      await bench.drop();
    },
  );

  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'keeps every promise, and does as the memory store does, under seed %i',
    { timeout: 60_000 },
    async (seed) => {
      const bench = benches.make();
      const options = { seed, steps: STEPS, isCompared: true };
      expect(await walk(bench, options)).toEqual(await walk(memoryBench(), options));
      await bench.drop();
    },
  );
});
