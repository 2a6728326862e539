/** A logger for all lines about one attempt of a job. */

import { jobDetails } from '../job/job-details.js';
import type { QueuedJob } from '../job/job-record.js';
import { type Logger, loggerWith } from './logger.js';

export function jobLogger(logger: Logger, job: Pick<QueuedJob, 'id' | 'taskName' | 'queue'>, attempt: number): Logger {
  return loggerWith(logger, jobDetails(job, attempt));
}
