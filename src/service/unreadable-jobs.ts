/** Jobs that wait, and that the tasks of this process could not run: to be looked for before an old build goes, or a new one comes. */

import type { JobRecord } from '../job/job-record.js';
import { isWaiting } from '../job/job-status.js';
import { FIRST_VERSION, taskVersionOf } from '../job/task-version.js';
import type { Job } from './job.js';
import type { JobAccess } from './job-access.js';
import { JOB_FILTER_DEFAULTS, type JobFilter, pages, queryOf } from './job-filter.js';
import { handlesOf } from './job-handles.js';

/** A job that waits, and why it could not be run here; or one whose record was damaged. */
export interface UnreadableJob {
  readonly job: Job<unknown>;
  readonly why: keyof typeof UNREADABLE;
}

/** The reasons for which a job is unreadable, and their meanings. */
export const UNREADABLE = Object.freeze({
  'unknown-task': 'no task of its name is in `tasks`',
  'older-arguments': "its arguments are older than the first step of the task's `upcast`",
  'newer-arguments': "its arguments are newer than the last step of the task's `upcast`",
  'damaged-record': 'its record in the store was damaged, and it has failed for that reason',
});

/**
 * Goes through all open jobs, and ends those whose records are damaged.
 * @param taskVersionsOf - the versions of a task that can be run here.
 * @throws OptionError, NotATaskError
 */
export async function unreadableJobs(
  access: JobAccess,
  filter: Omit<JobFilter, 'statuses'>,
  taskVersionsOf: (taskName: string) => readonly string[],
): Promise<readonly UnreadableJob[]> {
  const { limit = JOB_FILTER_DEFAULTS.limit, ...query } = queryOf('the filter of `getUnreadableJobs`', filter);
  const found: UnreadableJob[] = [];
  for await (const page of pages(access.store, { ...query, limit: undefined, mayBeUnreadable: true })) {
    const unreadable = page.filter((record) => isUnreadable(record, taskVersionsOf));
    const jobs = await handlesOf(access, unreadable.slice(0, limit - found.length));
    found.push(...jobs.map((job, index) => ({ job, why: why(unreadable[index] ?? page[0], taskVersionsOf) })));
    if (found.length >= limit) break;
  }
  return found;
}

function isUnreadable({ job, state }: JobRecord, taskVersionsOf: (taskName: string) => readonly string[]): boolean {
  if (state.isDamaged === true) return true;
  return isWaiting(state.status) && job.kind === 'task' && !taskVersionsOf(job.taskName).includes(taskVersionOf(job));
}

function why(record: JobRecord | undefined, taskVersionsOf: (taskName: string) => readonly string[]): UnreadableJob['why'] {
  if (record?.state.isDamaged === true) return 'damaged-record';
  const job = record?.job;
  const taskVersions = job === undefined ? [] : taskVersionsOf(job.taskName);
  if (job === undefined || taskVersions.length === 0) return 'unknown-task';
  for (let older = (job.version ?? FIRST_VERSION) - 1; older >= FIRST_VERSION; older--)
    if (taskVersions.includes(taskVersionOf({ taskName: job.taskName, version: older }))) return 'newer-arguments';
  return 'older-arguments';
}
