/** Logs the failures that this process records, of all kinds of jobs, each at the level that the job asks for. */

import type { Subscription } from 'rxjs';
import { failureLogLevelOf } from '../job/failure-log-level.js';
import { jobDetails } from '../job/job-details.js';
import type { JobRecord } from '../job/job-record.js';
import { revivedError } from '../job/stored-error.js';
import type { Logger } from '../task/logger.js';
import type { JobAccess } from './job-access.js';

export function logFailures({ changes, logger }: Pick<JobAccess, 'changes' | 'logger'>): Subscription {
  return changes({ failures: 'here' }).subscribe((change) => {
    if (change.type === 'job') logFailure(change.record, logger);
  });
}

function logFailure({ job, state }: JobRecord, logger: Logger): void {
  const level = failureLogLevelOf(job);
  if (level === 'none' || state.outcome?.status !== 'failed') return;
  const { error } = state.outcome;
  const tries = state.attempts === 1 ? '' : ` after ${state.attempts} attempts`;
  const name = job.name === undefined ? job.taskName : `${job.taskName}, ${job.name}`;
  const details = jobDetails(job, state.attempts, { err: revivedError(error) });
  logger[level](`job ${job.id} (${name}) failed${tries}: ${error.message}; see \`async.getDeadLetters()\``, details);
}
