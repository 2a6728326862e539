/** The random walk, over the memory store. */

import { describe, it } from 'vitest';
import { memoryBench } from './memory-bench.js';
import { walk } from './random-walk.js';

const SEEDS = Number(process.env['MILLRACE_SEEDS'] ?? 20);
const STEPS = 150;

describe('a random walk', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    'keeps every promise under seed %i',
    { timeout: 20_000 },
    async (seed) => {
      await walk(memoryBench(), { seed, steps: STEPS });
    },
  );
});
