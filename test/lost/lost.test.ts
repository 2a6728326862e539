/** Calls of a dispatcher fail at random, before or after they took effect: no job is left with nobody who runs it. */

import { describe, expect, it } from 'vitest';
import { tryLosses } from './trial.js';

const SEEDS = Number(process.env['MILLRACE_LOST'] ?? 20);
const FIRST = Number(process.env['MILLRACE_LOST_FROM'] ?? 1);
const LIMIT_MS = 60_000;

describe('claimed jobs, whatever call of their dispatcher fails', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
    'are all run to their end, under seed %i',
    { timeout: LIMIT_MS },
    async (seed) => {
      const { problems, struck } = await tryLosses(seed);
      expect(struck.length).toBeGreaterThan(0);
      expect(problems, `after ${struck.join('; ')}`).toEqual([]);
    },
  );
});
