/** Says of a job that it failed and is tried again: the first time and every fifth, so that one that fails on and on is seen, and does not fill the log. */

import { failureLogLevelOf } from '../job/failure-log.js';
import type { QueuedJob } from '../job/job-record.js';
import type { Logger } from '../task/logger.js';
import type { Verdict } from './verdict.js';

const LOGGED_FAILURE = 5;

/** @param failures - how many attempts have failed with this one */
export function logRetry(logger: Logger, job: QueuedJob, failures: number, { error, delayMs }: Verdict & { type: 'again' }): void {
  const isLogged = (failures - 1) % LOGGED_FAILURE === 0 && failureLogLevelOf(job) !== 'none';
  if (error === undefined || !isLogged) return;
  const times = failures === 1 ? 'once' : `${failures} times`;
  const when = delayMs === 0 ? 'at once' : `in ${delayMs} ms`;
  logger.warn(`job ${job.id} (${job.taskName}) has failed ${times}, and is tried again ${when}: ${error.message}`);
}
