/** Whether a failed attempt is followed by another one, and after which delay, as tables. */

import { describe, expect, it } from 'vitest';
import { asTransient, isTransient } from '../../src/job/conflict-rule.js';
import {
  exponential,
  type FailedAttempt,
  fixedDelay,
  forever,
  never,
  type RetryPolicy,
  retriesConflict,
  retryCommon,
  retryDelay,
} from '../../src/job/retry-policy.js';

const conflict = asTransient(new Error('conflict'));
const own = new TypeError('own');
const failed = (failures: number, error: unknown, random = 0): FailedAttempt => ({ failures, error, random });

describe('after a failed attempt', () => {
  it.each<readonly [string, RetryPolicy, FailedAttempt, number | undefined]>([
    ['the common policy goes on after a conflict', retryCommon, failed(1, conflict), 0],
    ['the common policy gives up after five', retryCommon, failed(5, conflict), undefined],
    ['the common policy gives up on an own error', retryCommon, failed(1, own), undefined],
    ['an empty policy is the common one', {}, failed(4, conflict), 0],
    ['`never` gives up', never, failed(1, conflict), undefined],
    ['`forever` goes on', forever(7), failed(1_000_000, own), 7],
    ['`fixedDelay` waits each time', fixedDelay({ attempts: 3, delayMs: 9 }), failed(2, own), 9],
    ['`fixedDelay` gives up at last', fixedDelay({ attempts: 3, delayMs: 9 }), failed(3, own), undefined],
    ['`exponential` begins with its first delay', exponential(), failed(1, own), 1_000],
    ['`exponential` doubles it', exponential({ attempts: 9 }), failed(4, own), 8_000],
    ['`exponential` waits no longer than its maximum', exponential({ attempts: 99, maxMs: 5_000 }), failed(9, own), 5_000],
    ['`exponential` shortens by up to its jitter', exponential({ jitter: 0.5 }), failed(1, own, 0.5), 750],
    ['no delay grows to none', exponential({ firstMs: 0, factor: 3, attempts: 5_000 }), failed(4_000, own), 0],
    ['a function says the delay', { retries: 'any', delayMs: (attempt) => attempt * 10 }, failed(3, own), 30],
    ['a function says which errors are worth it', { retries: (error) => error === own }, failed(1, own), 0],
    ['a function says which are not', { retries: (error) => error === own }, failed(1, conflict), undefined],
  ])('%s', (_fact, policy, attempt, delayMs) => {
    expect(retryDelay(policy, attempt)).toBe(delayMs);
  });

  it('a delay that is not one is refused, naming the policy', () => {
    expect(() => retryDelay({ retries: 'any', delayMs: () => Number.NaN }, failed(1, own))).toThrow('delayMs(attempt)');
  });
});

it.each<readonly [string, RetryPolicy, unknown, boolean]>([
  ['outlasts a conflict', retryCommon, conflict, true],
  ['does not outlast an own error', forever(), own, false],
  ['does not outlast a conflict with one attempt', never, conflict, false],
  ['does not outlast a conflict that its function refuses', { retries: () => false }, conflict, false],
])('a policy %s', (_fact, policy, error, retries) => {
  expect(retriesConflict(policy, error)).toBe(retries);
});

it.each<readonly [string, unknown, boolean]>([
  ['an error with the label', conflict, true],
  ['an error with a set of labels', Object.assign(new Error('x'), { errorLabelSet: new Set(['TransientTransactionError']) }), true],
  ['an error with another label', Object.assign(new Error('x'), { errorLabels: ['RetryableWriteError'] }), false],
  ['an error without labels', own, false],
  ['an error whose labels are not a list', Object.assign(new Error('x'), { errorLabels: 5 }), false],
  ['nothing', undefined, false],
])('a conflict is told by its label: %s', (_what, error, is) => {
  expect(isTransient(error)).toBe(is);
});
