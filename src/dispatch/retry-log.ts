/** Logs that a job is tried again, but only now and then: a job that keeps failing is seen, and does not fill the log. */

import { failureLogLevelOf } from '../job/failure-log-level.js';
import type { QueuedJob } from '../job/job-record.js';
import { revivedError, storedError } from '../job/stored-error.js';
import type { Logger } from '../task/logger.js';
import type { Again, AttemptContext } from './verdict.js';

const LOGGED_FAILURE = 5;
/** After that many, the other transaction was probably left open by a dead process. */
const LOGGED_CONFLICT = 20;

/** @param failures - how many attempts have failed with this one */
export function logRetry(logger: Logger, job: QueuedJob, failures: number, { because, error, delayMs }: Again): void {
  const isLogged = (failures - 1) % LOGGED_FAILURE === 0 && failureLogLevelOf(job) !== 'none';
  if (because !== 'failed' || error === undefined || !isLogged) return;
  const times = failures === 1 ? 'once' : `${failures} times`;
  const when = delayMs === 0 ? 'at once' : `in ${delayMs} ms`;
  logger.warn(`job ${job.id} (${job.taskName}) has failed ${times}, and is tried again ${when}: ${error.message}`, {
    err: revivedError(error),
  });
}

/** @param count - how many attempts in a row have met a conflict */
export function logConflict(
  { job, redacts, logger }: AttemptContext,
  { thrown, count }: { readonly thrown: unknown; readonly count: number },
): void {
  if (count !== LOGGED_CONFLICT || failureLogLevelOf(job) === 'none') return;
  const why = redacts ? '' : `: ${storedError(thrown).message}`;
  logger.warn(
    `job ${job.id} (${job.taskName}) has met a conflict with another transaction ${count} times in a row; it is tried again until that one is over${why}`,
    redacts ? undefined : { err: thrown },
  );
}
