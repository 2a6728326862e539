/** Places that are saved for jobs of several places, as tables. */

import { describe, expect, it } from 'vitest';
import type { Places } from '../../src/job/places.js';
import { PlaceSavers, SAVES_AFTER_MS } from '../../src/store/place-savers.js';

const book = new Map([
  ['a', 4],
  ['b', 4],
]);

/** Lanes that found too little room one after the other, long enough ago. */
function savers(lanes: Readonly<Record<string, Places>>): PlaceSavers {
  const all = new PlaceSavers();
  for (const [lane, places] of Object.entries(lanes)) all.save(lane, places, 0);
  return all;
}

const counted = (places: ReadonlyMap<string, number>): Places => Object.fromEntries([...places].filter(([, count]) => count > 0));

describe('places that are set aside', () => {
  it.each<readonly [string, Readonly<Record<string, Places>>, string | undefined, Places, Places, Places]>([
    ['are none, where nobody saves', {}, undefined, { a: 4, b: 4 }, {}, {}],
    ['are none for a job of one place', { one: { a: 1 } }, undefined, { a: 0, b: 4 }, {}, {}],
    ['are those that a job needs, and secured where they are free', { one: { a: 2 } }, undefined, { a: 2, b: 4 }, { a: 2 }, { a: 2 }],
    ['are not secured where too few are free', { one: { a: 2 } }, undefined, { a: 1, b: 4 }, { a: 2 }, {}],
    ['end with the first quota in the lock order that is too full', { one: { a: 2, b: 2 } }, undefined, { a: 1, b: 4 }, { a: 2 }, {}],
    ['go on to the next quota where one is secured', { one: { a: 2, b: 2 } }, undefined, { a: 2, b: 1 }, { a: 2, b: 2 }, { a: 2 }],
    ['are for a later lane those of the earlier one', { one: { a: 2 }, two: { a: 2 } }, 'two', { a: 4, b: 4 }, { a: 2 }, { a: 2 }],
    ['are for the first lane none', { one: { a: 2 }, two: { a: 2 } }, 'one', { a: 4, b: 4 }, {}, {}],
    ['add up, and the later one secures what is left', { one: { a: 3 }, two: { a: 2 } }, undefined, { a: 4, b: 4 }, { a: 5 }, { a: 3 }],
  ])('%s', (_fact, lanes, lane, free, setAside, secured) => {
    const saved = savers(lanes).savedBefore(lane, { book, freeOf: (name) => free[name] ?? 0 }, SAVES_AFTER_MS);
    expect(counted(saved.setAside)).toEqual(setAside);
    expect(counted(saved.secured)).toEqual(secured);
  });

  it.each([
    ['not before the job has waited for a second', SAVES_AFTER_MS - 1, []],
    ['from then on', SAVES_AFTER_MS, ['one']],
    ['not any more once no claim looks at the lane', 60_000, []],
  ])('%s', (_fact, nowMs, lanes) => {
    expect(savers({ one: { a: 2 } }).lanes(nowMs)).toEqual(lanes);
  });

  it('are free again when their lane is served, and its next job begins anew', () => {
    const all = savers({ one: { a: 2 } });
    expect(all.stop('one')).toBe(true);
    expect(all.save('one', { a: 2 }, 5_000)).toBe(true);
    expect(all.lanes(5_000)).toEqual([]);
    expect(all.isNew('one', 5_000)).toBe(true);
  });
});
