/** After every test, what it started is stopped, and nothing may be left open: no dispatcher, no stream, no timer. */

import { afterEach, expect } from 'vitest';
import { stopAll } from './leftovers.js';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

afterEach(async () => {
  expect(await stopAll()).toEqual([]);
  expect(unhandled.splice(0)).toEqual([]);
});
