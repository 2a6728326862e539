/** Transfers under faults, by seeds: the sum never changes, and each transfer is recorded once by a job that completed, or never. */

import { describe, expect, it } from 'vitest';
import { tryTransfers } from './trial.js';

const SEEDS = Number(process.env['MILLRACE_TRANSFERS'] ?? 2);
const TRANSFERS = 20;
const LIMIT_MS = 120_000;

describe('transfers between accounts, whichever faults hit the commands of their processes', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 3))(
    'take effect once or not at all, under seed %i',
    { timeout: LIMIT_MS },
    async (seed) => {
      const { problems, struck, attempts } = await tryTransfers(seed, TRANSFERS);
      expect(problems, `after ${struck.join('; ')}`).toEqual([]);
      expect(attempts).toBeGreaterThanOrEqual(TRANSFERS);
    },
  );
});
