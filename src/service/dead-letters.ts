/** Jobs that have failed and wait for an operator. */

import type { JobRecord } from '../job/job-record.js';
import type { Status } from '../job/job-status.js';
import type { StoredError } from '../job/stored-error.js';
import type { JobStore } from '../store/job-store.js';
import type { JobQuery } from '../store/store-messages.js';
import type { Job } from './job.js';
import { type JobAccess, see } from './job-access.js';
import { JOB_FILTER_DEFAULTS, type JobFilter, queryOf } from './job-filter.js';
import { handleOf } from './job-handles.js';

/** A job that has failed and was not retried. */
export interface DeadLetter {
  readonly job: Job<unknown>;
  /** Why it failed. */
  readonly error: StoredError;
  readonly failedAt: Date;
}

/** The latest failure comes first. @throws OptionError, NotATaskError */
export async function deadLetters(access: JobAccess, filter: Omit<JobFilter, 'statuses'>): Promise<readonly DeadLetter[]> {
  const { limit = JOB_FILTER_DEFAULTS.limit, ...query } = queryOf('the filter of `getDeadLetters`', filter);
  const failures = await latestFailures(query, limit, access.store);
  const letters = failures.map(async (record) => {
    const { outcome, endedAt } = record.state;
    if (outcome?.status !== 'failed' || endedAt === undefined) return [];
    return [{ job: handleOf(access, await see(record, access.store)), error: outcome.error, failedAt: endedAt }];
  });
  const found = (await Promise.all(letters)).flat();
  return found.sort((one, other) => other.failedAt.getTime() - one.failedAt.getTime());
}

/** Reads on until there are as many as asked for: several of those found may be parts of one batch. */
async function latestFailures(query: JobQuery, limit: number, store: Pick<JobStore, 'find'>): Promise<readonly JobRecord[]> {
  for (let asked = limit; ; asked *= 2) {
    const found = await store.find({ ...query, statuses: ['failed'], isRetried: false, latestFirst: true, limit: asked });
    const failures = await topmost(found, ['failed'], store);
    if (failures.length >= limit || found.length < asked) return failures.slice(0, limit);
  }
}

/**
 * The jobs to retry for ended ones. In place of a job whose batch has failed, or has ended with one of the statuses, it is the
 * topmost such batch, since its retry repeats all of it.
 * @returns each once; nothing for parts of a batch that was retried, or that ended otherwise
 */
export async function topmost(
  records: readonly JobRecord[],
  statuses: readonly Status[],
  store: Pick<JobStore, 'find'>,
): Promise<readonly JobRecord[]> {
  const counts = new Set<Status | undefined>([...statuses, 'failed']);
  let climbs = records.map((record) => ({ top: record, batch: batchOf(record) }));
  for (let ids = idsOf(climbs); ids.length > 0; ids = idsOf(climbs)) {
    const batches = new Map((await store.find({ ids })).map((record) => [record.job.id, record]));
    climbs = climbs.map(({ top, batch: id }) => {
      const batch = batches.get(id ?? '');
      if (batch === undefined) return { top, batch: undefined };
      return { top: counts.has(batch.state.outcome?.status) ? batch : top, batch: batchOf(batch) };
    });
  }
  const found = new Map(climbs.map(({ top }) => [top.job.id, top]));
  return [...found.values()].filter(({ state }) => statuses.includes(state.status) && state.retriedAs === undefined);
}

function idsOf(climbs: readonly { readonly batch: string | undefined }[]): readonly string[] {
  return [...new Set(climbs.flatMap(({ batch }) => batch ?? []))];
}

/** A callback is not part of its job. */
function batchOf({ job }: JobRecord): string | undefined {
  return job.role === 'callback' ? undefined : job.parent;
}
