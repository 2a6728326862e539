/** The sentences of the errors that a job ends with, or is refused with, by itself. */

import { expect, it } from 'vitest';
import type { MillraceError } from '../../src/errors.js';
import { aborted, batchFailed, cannotFollow, expired, jobGone } from '../../src/job/job-errors.js';

const job = { id: '7', taskName: 'work' };

it.each<readonly [string, MillraceError, string]>([
  ['AbortedError', aborted(job, 3, 2), 'job 7 (work) was interrupted 3 times, 2 are allowed'],
  ['ExpiredError', expired(job, new Date(0)), 'job 7 (work) was not started by 1970-01-01T00:00:00.000Z, its `beginBy`'],
  ['JobNotFoundError', jobGone('7', 'it cannot be retried'), 'job 7 is not there, so it cannot be retried: its retention is over'],
  [
    'BatchFailedError',
    batchFailed({ count: 2, of: 3, first: job, message: 'it broke' }),
    '2 of 3 jobs of the batch failed; the first is 7 (work): it broke',
  ],
  ['JobNotFoundError', cannotFollow('7', '8', 'gone'), 'the task of job 7 returned job 8, which is not there'],
  ['CircularJobError', cannotFollow('7', '8', 'circular'), 'the task of job 7 returned job 8, which waits for job 7 itself'],
  [
    'QuotaError',
    cannotFollow('7', '8', { quota: 'gpu' }),
    'the task of job 7 returned job 8, which could never run: a batch that waits for job 7 holds places of the quota `gpu` that it needs. Give the batch `quotas: []`',
  ],
])('a %s says which job, the fact, and the next step', (name, error, message) => {
  expect([error.name, error.message]).toEqual([name, message]);
});
