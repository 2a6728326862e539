/** The operations on one job, for all jobs that pass a filter. */

import { JobNotFoundError, SealError } from '../errors.js';
import { jobDetails } from '../job/job-details.js';
import type { JobRecord } from '../job/job-record.js';
import { isFinal, STATUSES, type Status } from '../job/job-status.js';
import { topmost } from './dead-letters.js';
import type { Job } from './job.js';
import type { JobAccess } from './job-access.js';
import { type JobFilter, pages, queryOfSome } from './job-filter.js';
import { isRetriable } from './manual-retry.js';

/** The number of jobs that are retried at the same time. */
const AT_ONCE = 20;

/** @returns how many were asked to end. @throws OptionError, NotATaskError */
export async function cancelJobs({ store }: Pick<JobAccess, 'store'>, filter: JobFilter, reason: string | undefined): Promise<number> {
  const { statuses = Object.keys(STATUSES) as Status[], ...query } = queryOfSome('the filter of `cancelJobs`', filter);
  const mayEnd = statuses.filter((status) => !isFinal(status) && status !== 'callbacks');
  let count = 0;
  for await (const page of pages(store, { ...query, statuses: mayEnd })) {
    await store.cancel(
      page.map(({ job }) => job.id),
      reason,
    );
    count += page.length;
  }
  return count;
}

/** @returns the jobs that were queued. @throws OptionError, NotATaskError */
export async function retryJobs(
  access: Pick<JobAccess, 'store' | 'retry' | 'logger'>,
  filter: JobFilter,
): Promise<readonly Job<unknown>[]> {
  const { store } = access;
  const { statuses: asked = ['failed'], ...query } = queryOfSome('the filter of `retryJobs`', filter);
  const statuses = asked.filter((status) => status === 'failed' || status === 'cancelled');
  const queued: Job<unknown>[] = [];
  for await (const page of pages(store, { ...query, statuses, isRetried: false })) {
    const records = (await topmost(page, statuses, store)).filter(isRetriable);
    for (let next = 0; next < records.length; next += AT_ONCE) {
      const again = await Promise.all(records.slice(next, next + AT_ONCE).map((record) => retryOf(record, access)));
      queued.push(...again.flat());
    }
  }
  return queued;
}

/** @returns nothing where the job is gone, is not as it was queued, or another one is there in place of its retry */
async function retryOf(
  { job, state }: JobRecord,
  { retry, logger }: Pick<JobAccess, 'retry' | 'logger'>,
): Promise<readonly Job<unknown>[]> {
  try {
    const again = await retry(job.id);
    return again.isExisting ? [] : [again];
  } catch (error) {
    if (error instanceof JobNotFoundError) return [];
    if (error instanceof SealError) {
      logger.error(`it is not retried: ${error.message}`, jobDetails(job, state.attempts, { err: error }));
      return [];
    }
    throw error;
  }
}
