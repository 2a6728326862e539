/** Does to all jobs that pass a filter what can be done to one. */

import { isFinal, STATUSES, type Status } from '../job/job-status.js';
import { topmostFailures } from './dead-letters.js';
import type { Job } from './job.js';
import type { JobAccess } from './job-access.js';
import { type JobFilter, pages, queryOfSome } from './job-filter.js';
import { isRetriable } from './retries.js';

/** @returns how many were asked to end. @throws OptionError, NotATaskError */
export async function cancelJobs({ store }: Pick<JobAccess, 'store'>, filter: JobFilter, reason: string | undefined): Promise<number> {
  const { statuses = Object.keys(STATUSES) as Status[], ...query } = queryOfSome('the filter of `cancelJobs`', filter);
  let count = 0;
  for await (const page of pages(store, { ...query, statuses: statuses.filter((status) => !isFinal(status)) })) {
    await store.cancel(
      page.map(({ job }) => job.id),
      reason,
    );
    count += page.length;
  }
  return count;
}

/** @returns the jobs that were queued. @throws OptionError, NotATaskError */
export async function retryJobs({ store, retry }: Pick<JobAccess, 'store' | 'retry'>, filter: JobFilter): Promise<readonly Job<unknown>[]> {
  const { statuses = ['failed'], ...query } = queryOfSome('the filter of `retryJobs`', filter);
  const queued: Job<unknown>[] = [];
  for await (const page of pages(store, { ...query, statuses, isRetried: false })) {
    const records = await topmostFailures(page.filter(isRetriable), store);
    queued.push(...(await Promise.all(records.map(({ job }) => retry(job.id)))));
  }
  return queued;
}
