/** Actions of two processes at the same time end right, whatever the order of their steps: explored by seeds. */

import { afterAll, beforeAll, describe, it } from 'vitest';
import { type MongoBenches, mongoBenches } from '../contract/mongo-bench.js';
import { findReplicaSet } from '../replica-set/find-replica-set.js';
import { type Arena, memoryArena, mongoArena } from './arena.js';
import { RACES } from './races.js';

const SEEDS = Number(process.env['MILLRACE_SEEDS'] ?? 10);
const MONGO_SEEDS = Number(process.env['MILLRACE_MONGO_SEEDS'] ?? 2);

async function run(race: (arena: Arena) => Promise<void>, seeds: number, open: (seed: number) => Promise<Arena>): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const arena = await open(seed);
    try {
      await race(arena);
    } catch (cause) {
      throw new Error(`seed ${seed}, steps ${arena.steps.join(', ')}`, { cause });
    } finally {
      await arena.close();
    }
  }
}

describe('in memory', () => {
  it.each(Object.entries(RACES))('%s', (_what, race) => run(race, SEEDS, memoryArena));
});

const replicaSet = await findReplicaSet();
await replicaSet.stop();

describe.skipIf(replicaSet.kind !== 'stand-in')('on MongoDB, command by command', () => {
  let benches: MongoBenches;
  beforeAll(async () => {
    benches = await mongoBenches();
  });
  afterAll(() => benches.close());
  it.each(Object.entries(RACES))('%s', { timeout: MONGO_SEEDS * 10_000 }, (_what, race) =>
    run(race, MONGO_SEEDS, (seed) => mongoArena(benches, seed)),
  );
});
