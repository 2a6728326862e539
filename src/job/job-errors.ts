/** The errors that a job ends with, or is refused with, by itself: both stores use these sentences. */

import {
  AbortedError,
  BatchFailedError,
  CircularJobError,
  ExpiredError,
  JobNotFoundError,
  type MillraceError,
  QuotaError,
} from '../errors.js';
import type { QueuedJob } from './job-record.js';

type NamedJob = Pick<QueuedJob, 'id' | 'taskName'>;

export function aborted({ id, taskName }: NamedJob, interruptions: number, limit: number): AbortedError {
  return new AbortedError(`job ${id} (${taskName}) was interrupted ${interruptions} times, ${limit} are allowed`);
}

export function expired({ id, taskName }: NamedJob, beginBy: Date | undefined): ExpiredError {
  return new ExpiredError(`job ${id} (${taskName}) was not started by ${beginBy?.toISOString()}, its \`beginBy\``);
}

/** @param consequence - of its absence, such as `it cannot be retried` */
export function jobGone(id: string, consequence: string): JobNotFoundError {
  return new JobNotFoundError(`job ${id} is not there, so ${consequence}: its retention is over`);
}

/** The steps of a batch that failed. */
export interface FailedSteps {
  readonly count: number;
  /** How many steps it has in all. */
  readonly of: number;
  /** The first in order, and the message of its error. */
  readonly first: NamedJob | undefined;
  readonly message: string | undefined;
}

export function batchFailed({ count, of, first, message }: FailedSteps): BatchFailedError {
  return new BatchFailedError(`${count} of ${of} jobs of the batch failed; the first is ${first?.id} (${first?.taskName}): ${message}`);
}

/** Why a job could never end with another one, if it could not. */
export type FollowProblem = 'gone' | 'circular' | { readonly quota: string };

/** @param id - the job whose task returned the other one */
export function cannotFollow(id: string, other: string, problem: FollowProblem): MillraceError {
  const returned = `the task of job ${id} returned job ${other}`;
  if (problem === 'gone') return new JobNotFoundError(`${returned}, which is not there`);
  if (problem === 'circular') return new CircularJobError(`${returned}, which waits for job ${id} itself`);
  return new QuotaError(
    `${returned}, which could never run: a batch that waits for job ${id} holds places of the quota \`${problem.quota}\` that it needs. Give the batch \`quotas: []\``,
  );
}
