/** The rule for an attempt that is over without an outcome of its own, as tables. */

import { expect, it } from 'vitest';
import { afterFailure, afterInterruption, outcomeOfCancel } from '../../src/job/attempt-rule.js';

const cancelled = { next: 'end', outcome: { status: 'cancelled', reason: 'why' } };
const cancel = { reason: 'why' };

it.each([
  ['goes on at once', {}, 0, false, { next: 'at-once' }],
  ['goes on later', {}, 5, false, { next: 'later', delayMs: 5 }],
  ['goes on later although it is paused', {}, 5, true, { next: 'later', delayMs: 5 }],
  ['waits in line while it is paused', {}, 0, true, { next: 'in-line' }],
  ['ends where it is to be cancelled', { cancel }, 0, false, cancelled],
  ['ends where it is to be cancelled, whatever the delay', { cancel }, 5, true, cancelled],
])('a job whose attempt has failed %s', (_fact, state, delayMs, isPaused, sequel) => {
  expect(afterFailure(state, { delayMs, isPaused })).toEqual(sequel);
});

const aborted = {
  next: 'end',
  outcome: {
    status: 'failed',
    error: { name: 'AbortedError', code: 'MILLRACE_ABORTED', message: 'job 7 (work) was interrupted 3 times, 2 are allowed' },
  },
};

it.each([
  ['goes on at once', {}, 0, 2, 0, { next: 'at-once' }],
  ['goes on later', {}, 0, 2, 9, { next: 'later', delayMs: 9 }],
  ['goes on after the last interruption that is allowed', {}, 1, 2, 0, { next: 'at-once' }],
  ['is aborted after one more', {}, 2, 2, 0, aborted],
  ['is aborted rather than delayed', {}, 2, 2, 9, aborted],
  ['goes on as often as it takes, if its policy says so', {}, 1_000, Number.POSITIVE_INFINITY, 0, { next: 'at-once' }],
  ['ends where it is to be cancelled', { cancel }, 0, 2, 0, cancelled],
  ['is cancelled rather than aborted', { cancel }, 2, 2, 0, cancelled],
])('a job that was interrupted %s', (_fact, state, interruptions, limit, delayMs, sequel) => {
  expect(afterInterruption({ id: '7', taskName: 'work' }, { limit, delayMs }, { ...state, interruptions })).toEqual(sequel);
});

it.each([
  ['nobody cancels it', {}, undefined],
  ['it is cancelled for a reason', { cancel }, { status: 'cancelled', reason: 'why' }],
  ['it is cancelled for none', { cancel: {} }, { status: 'cancelled', reason: undefined }],
])('the outcome of a running job is not decided before its end, unless a wish to cancel says it: %s', (_fact, state, outcome) => {
  expect(outcomeOfCancel(state)).toEqual(outcome);
});
