/** Jobs that have failed and wait for somebody to look at them. */

import type { JobRecord } from '../job/job-record.js';
import type { StoredError } from '../job/stored-error.js';
import type { JobStore } from '../store/job-store.js';
import type { Job } from './job.js';
import { type JobAccess, see } from './job-access.js';
import { type JobFilter, queryOf } from './job-filter.js';
import { handleOf } from './job-handle.js';

/** A job that has failed and was not retried. */
export interface DeadLetter {
  readonly job: Job<unknown>;
  /** Why it failed. */
  readonly error: StoredError;
  readonly failedAt: Date;
}

/** What failed last comes first. @throws OptionError, NotATaskError */
export async function deadLetters(access: JobAccess, filter: Omit<JobFilter, 'statuses'>): Promise<readonly DeadLetter[]> {
  const query = queryOf('the filter of `getDeadLetters`', filter);
  const found = await access.store.find({ ...query, statuses: ['failed'], isRetried: false, latestFirst: true });
  const letters = (await topmostFailures(found, access.store)).flatMap(async (record) => {
    const { outcome, endedAt } = record.state;
    if (outcome?.status !== 'failed' || endedAt === undefined) return [];
    return [{ job: handleOf(access, await see(record, access.store)), error: outcome.error, failedAt: endedAt }];
  });
  return (await Promise.all(letters)).flat();
}

/** Those below which no batch has failed as well: the retry of a batch does all of it again. */
export async function topmostFailures(records: readonly JobRecord[], store: Pick<JobStore, 'find'>): Promise<readonly JobRecord[]> {
  const covered = new Set<JobRecord>();
  let open = records.map((record) => ({ record, batch: batchOf(record) })).filter(({ batch }) => batch !== undefined);
  while (open.length > 0) {
    const found = await store.find({ ids: [...new Set(open.flatMap(({ batch }) => batch ?? []))] });
    const batches = new Map(found.map((batch) => [batch.job.id, batch]));
    open = open.flatMap(({ record, batch: id = '' }) => {
      const batch = batches.get(id);
      if (batch?.state.status === 'failed') covered.add(record);
      return batch === undefined || covered.has(record) ? [] : [{ record, batch: batchOf(batch) }];
    });
    open = open.filter(({ batch }) => batch !== undefined);
  }
  return records.filter((record) => !covered.has(record));
}

/** A callback is no part of what its job does. */
function batchOf({ job }: JobRecord): string | undefined {
  return job.role === 'callback' ? undefined : job.parent;
}
