/** The bell of a rate: rings when a job may begin again, and no timer is trusted for long. */

import { expect, it, onTestFinished, vi } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import type { Rate, RecentStarts } from '../../../src/job/rates.js';
import { ServerTime } from '../../../src/store/mongo/driver/server-time.js';
import type { QuotaCache } from '../../../src/store/mongo/quotas/quota-cache.js';
import { RateLimiter } from '../../../src/store/mongo/quotas/rate-limiter.js';
import { VirtualClock } from '../../../src/testing/index.js';

const HOUR = 3_600_000;
const settle = async (): Promise<void> => {};

/** A rate of one start an hour, which was given a moment ago, unless said otherwise. */
function used({ perMs = HOUR, inMs = HOUR } = {}) {
  const clock = new VirtualClock();
  const rate: Rate = { starts: 1, perMs };
  const begun: readonly RecentStarts[] = [{ until: new Date(clock.now() + inMs), count: 1 }];
  const quotas = { rateOf: () => rate, begunOf: () => begun } as Partial<QuotaCache> as QuotaCache;
  let setMs = 0;
  const settable: Clock = { now: () => clock.now() + setMs, scheduler: clock.scheduler, turn: () => clock.turn() };
  const time = new ServerTime(settable, 0);
  const onFreed = vi.fn();
  const rateLimiter = new RateLimiter({ clock: settable, quotas, time, onFreed });
  onTestFinished(() => rateLimiter.close());
  const sleep = (ms: number): void => {
    setMs += ms;
    time.learn(new Date(settable.now()), time.moment);
  };
  return { clock, rateLimiter, onFreed, sleep, isUsedUp: () => rateLimiter.isUsedUp({ hourly: 1 }) };
}

it('rings when a job may begin again', async () => {
  const { clock, onFreed, isUsedUp } = used({ inMs: 7_000 });
  expect(isUsedUp()).toBe(true);
  await clock.advance(6_999, settle);
  expect(onFreed).not.toHaveBeenCalled();
  await clock.advance(1, settle);
  expect(onFreed).toHaveBeenCalledTimes(1);
  expect(isUsedUp()).toBe(false);
});

it('rings half a minute after a sleep of the machine at the latest, in which no timer moved on', async () => {
  const { clock, onFreed, sleep, isUsedUp } = used();
  expect(isUsedUp()).toBe(true);
  sleep(2 * HOUR);
  await clock.advance(30_000, settle);
  expect(onFreed).toHaveBeenCalledTimes(1);
  expect(isUsedUp()).toBe(false);
});

it('does not ring at once for a time further off than a timer of the platform can wait', () => {
  const { clock, isUsedUp } = used({ perMs: 2 ** 31 - 1, inMs: 2 ** 31 + 40_000_000 });
  const scheduled = vi.spyOn(clock.scheduler, 'schedule');
  isUsedUp();
  expect(scheduled.mock.calls.map(([, delay]) => delay)).toEqual([30_000]);
});
