/** When the lease of a dispatcher is over, and who may say so, as tables. */

import { expect, it } from 'vitest';
import { GRACE_MS, isHeld, isOver, type Lease, mayDeclareDead } from '../../src/store/lease-rule.js';

const now = new Date(1_000_000);
const at = (ms: number): Date => new Date(now.getTime() + ms);
const lease = (sinceMs: number, untilMs: number): Lease => ({ leaseMs: 30_000, since: at(sinceMs), leaseUntil: at(untilMs) });

it.each([
  ['is held until the last millisecond', 1, true, false],
  ['is not held once its time has come', 0, false, false],
  ['that has ended is not over yet for others', -1, false, false],
  ['is not over at the end of the grace', -GRACE_MS, false, false],
  ['is over after the grace', -GRACE_MS - 1, false, true],
])('a lease %s', (_fact, untilMs, held, over) => {
  expect(isHeld(lease(-60_000, untilMs), now)).toBe(held);
  expect(isOver(lease(-60_000, untilMs), now)).toBe(over);
});

it('a dispatcher without a lease does not hold one', () => {
  expect(isHeld(undefined, now)).toBe(false);
});

it.each<readonly [string, Lease | undefined, boolean]>([
  ['may, if it has held its own lease for its whole length', lease(-30_000, 1), true],
  ['may, if it has held it for longer', lease(-90_000, 30_000), true],
  ['may not, if it has held it for less', lease(-29_999, 30_000), false],
  ['may not, if it has just begun anew, as after a pause', lease(0, 30_000), false],
  ['may not, if it has lost its own', lease(-90_000, 0), false],
  ['may not, if it never had one', undefined, false],
])('a dispatcher that would declare others dead %s', (_fact, own, may) => {
  expect(mayDeclareDead(own, now)).toBe(may);
});
