/**
 * The store contract for quotas whose sizes change, and for saved places, over a MongoDB that reports changes milliseconds before it
 * answers the command.
 */

import { describe, it } from 'vitest';
import { runStoreCase, storeContract } from '../../src/testing/contract/index.js';
import { mongoBenches } from './mongo-bench.js';

const SEEDS = [1, 2, 3, 4, 5, 6];
const HANDED_ON = storeContract.filter(({ theme, name }) => ['controls', 'quotas'].includes(theme) && /saved|larger|smaller/.test(name));

describe.each(HANDED_ON.map((one) => [`${one.theme}: ${one.name}`, one] as const))('%s', (_name, one) => {
  it.each(SEEDS)('under seed %i', async (seed) => {
    const benches = await mongoBenches({ timing: { kind: 'hasty', seed } });
    try {
      await runStoreCase(one, benches.make());
    } finally {
      await benches.close();
    }
  });
});
