/** Facts shown by chance: whatever concurrent clients do, what they see is snapshot isolation, and streams show it all. */

import { expect } from 'vitest';
import { fact, group } from '../fact.js';
import { checkHistory } from './check-history.js';
import { walk } from './walk.js';

const SEEDS = Number(process.env['MILLRACE_SEEDS'] ?? 10);

const walks = Array.from({ length: SEEDS }, (_, i) => i + 1).map((seed) =>
  fact(
    `keeps snapshots apart and shows every commit once, in one order (seed ${seed})`,
    async (bench) => {
      const history = await walk(bench, seed);
      expect(checkHistory(history), `seed ${seed}`).toEqual([]);
      expect(history.committed.flat().length, `seed ${seed}`).toBeGreaterThan(10);
      expect(history.resumes, `seed ${seed}`).toBeGreaterThan(0);
    },
    { timeoutMs: 60_000 },
  ),
);

export const randomWalk = group('random walk', 'manual: core/transactions (snapshot isolation), changeStreams (total order)', walks);
