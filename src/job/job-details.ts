/** The details that each log line about a job has, whichever part of Millrace writes it. */

import type { QueuedJob } from './job-record.js';

export interface JobDetails {
  readonly jobId: string;
  readonly taskName: string;
  /** The attempt that the line is about, from 1; 0 for a job that has not begun. */
  readonly attempt: number;
  readonly queue: string;
  readonly err?: unknown;
}

export function jobDetails(
  { id, taskName, queue }: Pick<QueuedJob, 'id' | 'taskName' | 'queue'>,
  attempt: number,
  error?: { readonly err: unknown },
): JobDetails {
  return { jobId: id, taskName, attempt, queue, ...error };
}
