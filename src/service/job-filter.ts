/** Filters of jobs, and the iteration over all jobs that pass one. */

import { checkOptions, is, type Rules } from '../check.js';
import { JobTypeError, OptionError } from '../errors.js';
import type { JobRecord } from '../job/job-record.js';
import { STATUSES, type Status } from '../job/job-status.js';
import type { JobStore } from '../store/job-store.js';
import type { JobQuery } from '../store/store-messages.js';
import { namesOf } from '../task/definition-of.js';
import type { TaskLike } from '../task/task.js';

/** Which jobs; everything given must hold. */
export interface JobFilter {
  /** @default jobs of every queue */
  readonly queue?: string | undefined;
  readonly statuses?: readonly Status[] | undefined;
  readonly task?: TaskLike | undefined;
  /** Jobs whose work ended then or later. */
  readonly endedSince?: Date | undefined;
  /** Jobs whose work ended before. */
  readonly endedBefore?: Date | undefined;
  /** The most jobs. @default 1_000 */
  readonly limit?: number | undefined;
}

export const JOB_FILTER_DEFAULTS = Object.freeze({ limit: 1_000 } as const satisfies JobFilter);

const RULES: Rules<JobFilter> = {
  queue: is.labelOrEmpty,
  statuses: {
    must: `an array of ${Object.keys(STATUSES).join(', ')}`,
    holds: (value) => Array.isArray(value) && value.every((status) => Object.hasOwn(STATUSES, String(status))),
  },
  task: is.anything,
  endedSince: is.date,
  endedBefore: is.date,
  limit: is.count,
};

/** @param what - what messages call the filter. @throws OptionError, NotATaskError */
export function queryOf(what: string, filter: JobFilter): JobQuery {
  checkOptions<JobFilter>(what, filter, RULES);
  const { task, limit = JOB_FILTER_DEFAULTS.limit, ...rest } = filter;
  return { ...rest, limit, ...(task === undefined ? {} : { taskNames: namesOf(task) }) };
}

/**
 * The same, for calls that change jobs: refuses a filter without criteria, which would mean every job; has no default limit.
 * @throws OptionError, NotATaskError
 */
export function queryOfSome(what: string, filter: JobFilter): JobQuery {
  const query = queryOf(what, filter);
  const { limit: _, ...criteria } = filter;
  if (Object.values(criteria).every((value) => value === undefined))
    throw new OptionError(`${what} says nothing of the jobs that are meant, so it would mean every job: name a queue, a task or statuses`);
  return { ...query, limit: filter.limit };
}

/** The number of jobs that are read at once. */
const PAGE = 1_000;

/** All jobs that a query finds, up to its limit, a page at a time. */
export async function* pages(store: Pick<JobStore, 'find'>, query: JobQuery): AsyncGenerator<readonly JobRecord[]> {
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  for (let after = '0'.repeat(24); left > 0; ) {
    const limit = Math.min(PAGE, left);
    const page = await store.find({ ...query, after, limit });
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = last.job.id;
    left -= page.length;
  }
}

/** @throws JobTypeError for a job of another task */
export function checkTask({ job }: JobRecord, task: TaskLike): void {
  const names = namesOf(task);
  if (names.includes(job.taskName)) return;
  throw new JobTypeError(`job ${job.id} is one of ${job.taskName}, not of ${names[0]}; ask for it with its own task, or with none`);
}
