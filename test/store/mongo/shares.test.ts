/** What the queues of one dispatcher are told of the places that it holds for all of them. */

import { expect, it } from 'vitest';
import { ServerTime } from '../../../src/store/mongo/driver/server-time.js';
import { PlaceLeases, type PlaceLeasesSources } from '../../../src/store/mongo/quotas/place-leases.js';
import { VirtualClock } from '../../../src/testing/index.js';

const never = (): boolean => false;

/** A dispatcher that is given so many places of a quota of which others hold the rest, whenever it asks. */
function sharesOf(given: () => number) {
  let rings = 0;
  const quotas = {
    book: new Map([['pool', 9]]),
    roomFor: () => 0,
    isWaiting: () => true,
    isNoted: never,
    doOthersWait: never,
    excessOf: () => 0,
    doOthersHold: () => true,
    couldOthersUse: never,
    writeSoon: async () => ({
      _id: 'pool',
      size: 9,
      configured: 9,
      waiting: [],
      holders: [{ by: 'd', n: given(), v: Number.MAX_SAFE_INTEGER }],
    }),
  };
  const sources = {
    quotas,
    time: new ServerTime(new VirtualClock(), 0),
    leases: { fence: () => ({}) },
    onFreed: () => rings++,
    beforeGivingWay: async () => {},
  };
  const placeLeases = new PlaceLeases(sources as object as PlaceLeasesSources);
  const want = (queue: string, pool: number): Promise<void> =>
    placeLeases.acquire({ dispatcher: 'd', queue }, [{ lane: queue, quotas: { pool } }], () => false);
  return { placeLeases, want, rung: () => rings };
}

it('rings for another queue when what that has waited for is there, and not before', async () => {
  let given = 2;
  const { placeLeases, want, rung } = sharesOf(() => given);
  await placeLeases.of('d', 'pool').change(async () => 2);
  await want('b', 3);
  await want('a', 1);
  await want('a', 1);
  expect(rung()).toBe(0);
  given = 4;
  await want('a', 1);
  expect(rung()).toBe(1);
  await want('b', 3);
  await want('a', 1);
  expect(rung()).toBe(1);
});
