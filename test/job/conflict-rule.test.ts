/** When work that met a conflict is done again. */

import { expect, it } from 'vitest';
import { pauseAfterConflict } from '../../src/job/conflict-rule.js';

it.each([
  ['at once after the first', 0, 1, 1, 0],
  ['at once after the tenth', 0, 10, 1, 0],
  ['after a few milliseconds from then on', 0, 11, 0.9, 7],
  ['after a random part of that', 0, 11, 0.1, 1],
  ['half as late again each time', 0, 13, 0.999, 17],
  ['after the longest pause at last', 0, 1_000, 0.999, 500],
  ['until the last millisecond of two minutes', 119_999, 40, 0.999, 500],
  ['not any more then', 120_000, 1, 0, undefined],
] as const)('a try that met a conflict is made again %s', (_title, lastedMs, count, random, pauseMs) => {
  expect(pauseAfterConflict({ since: 1_000, count }, { now: 1_000 + lastedMs, random, longestPauseMs: 500 })).toBe(pauseMs);
});
