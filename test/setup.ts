/** After every test, what it started is stopped, and nothing may be left open: no dispatcher, no stream, no timer. */

import { afterAll, afterEach, expect } from 'vitest';
import { stopAll } from './support/leak-check.js';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', note);

afterEach(async () => {
  expect(await stopAll()).toEqual([]);
  expect(unhandled.splice(0)).toEqual([]);
});

// The next file of this worker has a listener of its own.
afterAll(() => {
  process.off('unhandledRejection', note);
});
