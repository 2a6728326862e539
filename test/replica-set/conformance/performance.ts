/** A fact about speed, coarse enough for any machine: tests on this set stay quick. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';

const COUNT = 10_000;
const IN_FLIGHT = 10;
const ROUNDS = 20;

/** The time limit, if as many pings take no longer than this; if they take n times longer, the limit is n times longer. */
const LIMIT_MS = 10_000;
const PINGS_MS = 1_500;

export const quickness = group('performance', 'manual: core/indexes', [
  fact(
    'inserts 10,000 documents, finds each by an index and updates it in less than 10 s',
    async (bench) => {
      let took = await timed(() => insert(bench));
      let pings = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        took += await timed(() => inFlight(COUNT / ROUNDS, (i) => findAndUpdate(bench, i * ROUNDS + round)));
        pings += await timed(() => inFlight(COUNT / ROUNDS / 10, () => bench.db.command({ ping: 1 })));
      }
      expect(await bench.things.countDocuments({ $expr: { $eq: ['$n', '$_id'] } })).toBe(COUNT);
      expect(took).toBeLessThan(LIMIT_MS * Math.max(1, (pings * 10) / PINGS_MS));
    },
    { timeoutMs: 60_000 },
  ),
]);

async function insert({ things }: Bench): Promise<void> {
  await things.createIndex({ key: 1 });
  await things.insertMany(Array.from({ length: COUNT }, (_, i) => ({ _id: i, key: `key ${i}`, n: -1 })));
}

async function findAndUpdate({ things }: Bench, i: number): Promise<void> {
  const thing = await things.findOne({ key: `key ${i}` });
  if (thing?._id !== i) throw new Error(`Looked for ${i}, found ${JSON.stringify(thing)}`);
  await things.updateOne({ _id: i }, { $set: { n: i } }, { writeConcern: { w: 1 } });
}

async function inFlight(count: number, act: (i: number) => Promise<unknown>): Promise<void> {
  const worker = async (first: number) => {
    for (let i = first; i < count; i += IN_FLIGHT) await act(i);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, first) => worker(first)));
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
