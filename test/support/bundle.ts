/** `setup()`: a fresh bundle for each test, stopped after it. */

import { type TestAsync, type TestAsyncOptions, testAsync } from '../../src/testing/index.js';
import { afterEachTest } from './leak-check.js';
import { silent } from './silent.js';

const open = new Set<TestAsync>();

/** Starts Millrace for one test: memory store, virtual clock, dispatcher. */
export async function setup(options: TestAsyncOptions = {}): Promise<TestAsync> {
  const bundle = await testAsync({ logger: silent, ...options });
  open.add(bundle);
  return bundle;
}

afterEachTest(stopBundles);

/** Stops every bundle, and says what is left open of them. */
async function stopBundles(): Promise<readonly string[]> {
  const bundles = [...open];
  open.clear();
  const left: string[] = [];
  for (const { stop, clock } of bundles) {
    await stop();
    const timers = clock.scheduler.actions.length;
    if (timers > 0) left.push(`${timers} timer(s) of virtual time`);
  }
  return left;
}
