/** Calls of dispatchers and commands of stores fail at random, before or after they took effect: no job is left with nobody who runs it. */

import { describe, expect, it } from 'vitest';
import { tryLossesOnMongo } from './mongo-trial.js';
import { tryLosses } from './trial.js';

const LIMIT_MS = 120_000;

/** A number of seeds, from MILLRACE_LOST_FROM or 1. */
function seeds(count: string | undefined, otherwise: number): readonly number[] {
  const first = Number(process.env['MILLRACE_LOST_FROM'] ?? 1);
  return Array.from({ length: Number(count ?? otherwise) }, (_, index) => first + index);
}

describe('claimed jobs are all run to their end', () => {
  it.each(seeds(process.env['MILLRACE_LOST'], 8))(
    'whatever call of their dispatcher fails, under seed %i',
    { timeout: LIMIT_MS },
    async (seed) => {
      const { problems, struck } = await tryLosses(seed);
      expect(struck.length).toBeGreaterThan(0);
      expect(problems, `after ${struck.join('; ')}`).toEqual([]);
    },
  );

  it.each(seeds(process.env['MILLRACE_MONGO_LOST'], 1))(
    'whatever command of their store fails, under seed %i',
    { timeout: LIMIT_MS },
    async (seed) => {
      const { problems, struck } = await tryLossesOnMongo(seed);
      expect(struck.length).toBeGreaterThan(0);
      expect(problems, `after ${struck.join('; ')}`).toEqual([]);
    },
  );
});
