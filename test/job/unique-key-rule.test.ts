/** How long a job has its unique key, and what puts a debounced job off, as tables. */

import { describe, expect, it } from 'vitest';
import type { JobState, QueuedJob } from '../../src/job/job-record.js';
import type { Status } from '../../src/job/job-status.js';
import { Payload } from '../../src/job/payload.js';
import type { Uniqueness } from '../../src/job/unique-key-options.js';
import { debounce, hasKey, hasYetToBegin, isDebouncedBy, replaceArguments } from '../../src/job/unique-key-rule.js';

const queuedAt = new Date(10_000);
const at = (ms: number): Date => new Date(queuedAt.getTime() + ms);
const unique = (known: Partial<Uniqueness>): Uniqueness => ({ key: 'k', for: 'unfinished', ...known });

describe('a unique key', () => {
  it.each<readonly [string, Uniqueness | undefined, Status, number, number, boolean]>([
    ['is not had by a job without one', undefined, 'pending', 0, 0, false],
    ['for a job that waits is had while it is pending', unique({ for: 'waiting' }), 'pending', 0, 0, true],
    ['for a job that waits is had while it is scheduled', unique({ for: 'waiting' }), 'scheduled', 0, 0, true],
    ['for a job that waits is had while it is blocked', unique({ for: 'waiting' }), 'blocked', 0, 0, true],
    ['for a job that waits is lost when it is claimed ahead', unique({ for: 'waiting' }), 'assigned', 0, 0, false],
    ['for a job that waits is lost when it begins', unique({ for: 'waiting' }), 'active', 1, 0, false],
    ['for a job that waits is not had again before a retry', unique({ for: 'waiting' }), 'scheduled', 1, 0, false],
    ['for an unfinished job is had while it runs', unique({}), 'active', 1, 0, true],
    ['for an unfinished job is had while its callbacks run', unique({}), 'callbacks', 1, 0, true],
    ['for an unfinished job is lost when it completes', unique({}), 'completed', 1, 0, false],
    ['for an unfinished job is lost when it fails', unique({}), 'failed', 1, 0, false],
    ['for a time is had while the job runs', unique({ for: 1_000 }), 'active', 1, 999, true],
    ['for a time is had after the job has completed', unique({ for: 1_000 }), 'completed', 1, 999, true],
    ['for a time is lost at the end of it', unique({ for: 1_000 }), 'completed', 1, 1_000, false],
    ['for a time is lost at the end of it by a job that waits', unique({ for: 1_000 }), 'pending', 0, 1_000, false],
    ['for a time is lost when the job fails', unique({ for: 1_000 }), 'failed', 1, 1, false],
    ['for a time is lost when the job is cancelled', unique({ for: 1_000 }), 'cancelled', 0, 1, false],
    ['of a debounced job is had until it is due', unique({ debounce: { ms: 5 } }), 'scheduled', 0, 0, true],
    ['of a debounced job is lost when it is due', unique({ debounce: { ms: 5 } }), 'pending', 0, 0, false],
    ['of a debounced job is not had again before a retry', unique({ debounce: { ms: 5 } }), 'scheduled', 1, 0, false],
  ])('%s', (_fact, key, status, attempts, ageMs, isHad) => {
    expect(hasKey(key === undefined ? {} : { unique: key }, { status, attempts, queuedAt }, at(ageMs))).toBe(isHad);
  });

  it.each([
    [unique({ for: 'waiting' }), true],
    [unique({ for: 'unfinished' }), false],
    [unique({ for: 1_000 }), false],
  ])('promises that its job has yet to begin only for a job that waits: %#', (key, promises) => {
    expect(hasYetToBegin({ unique: key })).toBe(promises);
  });
});

const args = (value: unknown): Payload => Payload.of([value], 'arguments');
const job = (known: Partial<QueuedJob>): QueuedJob => ({ id: '1', args: args('old'), ...known }) as QueuedJob;
const debounced = unique({ debounce: { ms: 5 } });

describe('a debounced job', () => {
  it.each<readonly [string, Partial<QueuedJob>, Partial<QueuedJob>, boolean]>([
    ['is put off by another debounced one', { unique: debounced }, { unique: debounced }, true],
    ['is not put off by a retry', { unique: debounced, retryOf: '0' }, { unique: debounced }, false],
    ['is not put off by one that only shares its key', { unique: unique({}) }, { unique: debounced }, false],
    ['puts off only debounced ones', { unique: debounced }, { unique: unique({}) }, false],
  ])('%s', (_fact, by, holder, isPutOff) => {
    expect(isDebouncedBy(job(by), job(holder))).toBe(isPutOff);
  });

  it.each([
    ['is due after the delay of the later one', { ms: 100 }, 50, 150],
    ['is due at its longest delay, counted from its own insertion', { ms: 100, maxMs: 120 }, 50, 120],
    ['is due at the delay where that is less than the longest', { ms: 100, maxMs: 500 }, 50, 150],
  ])('%s', (_fact, delays, queuedMs, dueMs) => {
    const state = { status: 'scheduled', queuedAt } as JobState;
    const by = job({ unique: unique({ debounce: delays }), args: args('new') });
    const after = debounce({ job: job({ unique: debounced }), state }, by, at(queuedMs));
    expect(after.state.dueAt).toEqual(at(dueMs));
    expect(after.job.args.read()).toEqual(['new']);
  });

  it('takes over what belongs to the arguments, and nothing else; its seal is gone', () => {
    const old = job({ version: 2, encrypted: [0], principal: { realm: 'users', id: 'a' }, seal: {} as never, priority: 3 });
    const after = replaceArguments(old, job({ args: args('new'), version: 3, priority: 9 }));
    expect(after).toEqual({ id: '1', args: args('new'), version: 3, priority: 3 });
  });
});
