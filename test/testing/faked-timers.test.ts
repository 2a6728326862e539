/** `testAsync` in tests that fake timers, whichever they fake: it has a time of its own, and takes turns of the real event loop. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { fixedDelay, task } from '../../src/index.js';
import { setup } from '../support/bundle.js';
import { deferred } from '../support/deferred.js';

type ToFake = NonNullable<NonNullable<Parameters<typeof vi.useFakeTimers>[0]>['toFake']>;

const ALL: ToFake = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'Date',
  'performance',
  'hrtime',
  'queueMicrotask',
];

const CASES: readonly (readonly [string, ToFake | undefined])[] = [
  ['by default', undefined],
  ['all of them', ALL],
  ...ALL.map((one) => [one, [one]] as [string, ToFake]),
];

afterEach(() => {
  vi.useRealTimers();
});

describe('testAsync', () => {
  it.each(CASES)('works while timers are faked: %s', async (_title, toFake) => {
    vi.useFakeTimers(toFake === undefined ? {} : { toFake });
    const gate = deferred();
    const shaky = task('shaky', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 60_000 }) }, () => {
      if (isShaky) {
        isShaky = false;
        throw new Error('not yet');
      }
      return 42;
    });
    let isShaky = true;
    const waiting = task('waiting', { quotas: [] }, () => gate.promise);
    const { async, clock, drain, advance, waitForAllJobs, stop } = await setup({ tasks: [shaky, waiting] });
    const before = clock.now();
    const [job, waits] = [await async.queueJob(shaky), await async.queueJob(waiting)];
    // One job waits for the test, which takes real time to find out.
    await drain();
    expect([(await job.refresh()).status, (await waits.refresh()).status]).toEqual(['scheduled', 'active']);
    gate.resolve();
    await advance(1_000);
    await waitForAllJobs();
    expect([await job.waitForResult(), clock.now() - before >= 60_000]).toEqual([42, true]);
    await stop();
  });

  it('says at once where timers were faked before it was loaded', async () => {
    vi.resetModules();
    vi.useFakeTimers();
    const { testAsync } = await import('../../src/testing/index.js');
    await expect(testAsync()).rejects.toThrow('import it first');
    vi.resetModules();
  });
});
