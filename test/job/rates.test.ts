/** How many jobs may begin under a rate, and when the next may, as tables. */

import { describe, expect, it } from 'vitest';
import { countsUntil, grainOf, nextStart, type RecentStarts, startsLeft } from '../../src/job/rates.js';

const now = 100_000;
const rate = { starts: 5, perMs: 6_400 };
const begun = (...starts: readonly (readonly [afterMs: number, count: number])[]): readonly RecentStarts[] =>
  starts.map(([afterMs, count]) => ({ until: new Date(now + afterMs), count }));

describe('under a rate of five starts a period', () => {
  it.each([
    ['all are left at first', begun(), 5],
    ['those that count are taken off', begun([1, 2], [500, 1]), 2],
    ['one whose time is over counts no more', begun([0, 2], [500, 1]), 4],
    ['none is left once five count', begun([10, 5]), 0],
    ['fewer than none are left where the rate was lowered', begun([10, 7]), -2],
  ])('%s', (_fact, starts, left) => {
    expect(startsLeft(rate, starts, now)).toBe(left);
  });

  it.each([
    ['is not told where none counts', begun(), undefined],
    ['comes when the first of those that count does so no more', begun([900, 1], [300, 1]), 300],
    ['is not told by starts that are over', begun([0, 3], [300, 1]), 300],
    ['is not told by an entry that counts nothing', begun([100, 0], [300, 1]), 300],
  ])('the next start %s', (_fact, starts, afterMs) => {
    expect(nextStart(starts, now)).toEqual(afterMs === undefined ? undefined : new Date(now + afterMs));
  });
});

describe('a start counts', () => {
  it.each([
    ['for the whole period', { starts: 1, perMs: 6_400 }, now, now + 6_400],
    ['until the next multiple of a 64th of the period', { starts: 1, perMs: 6_400 }, now + 1, now + 6_500],
    ['to the millisecond in a short period', { starts: 1, perMs: 64 }, now + 1, now + 65],
  ])('%s', (_fact, of, at, until) => {
    expect(countsUntil(of, at)).toEqual(new Date(until));
  });

  it('never for less than the period, and for at most a 64th of it more', () => {
    for (const perMs of [1, 63, 64, 65, 1_000, 86_400_000])
      for (const at of [0, 1, 999, 1_234_567_891]) {
        const lasts = countsUntil({ starts: 1, perMs }, at).getTime() - at;
        expect(lasts).toBeGreaterThanOrEqual(perMs);
        expect(lasts).toBeLessThan(perMs + grainOf({ starts: 1, perMs }));
      }
  });
});
