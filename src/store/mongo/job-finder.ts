/** Finds and counts jobs, as the store has them now. */

import { ObjectId } from 'mongodb';
import type { JobRecord } from '../../job/job-record.js';
import { FINAL } from '../../job/job-status.js';
import { namedIn } from '../../job/outcome.js';
import type { JobQuery } from '../store-messages.js';
import type { Notifier } from './feed/notifier.js';
import type { AttemptReports } from './jobs/attempt-reports.js';
import { objectIdOf } from './jobs/job-collection.js';
import type { Collections } from './schema/collections.js';
import type { JobDocument } from './schema/documents.js';
import type { SortBy, Where } from './schema/timed-collection.js';

export interface JobFinderSources {
  readonly collections: Collections;
  readonly notifier: Notifier;
  readonly notes: AttemptReports;
}

export class JobFinder {
  constructor(private readonly sources: JobFinderSources) {}

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    const found = await this.#find(query);
    return query.withNamed === true ? this.#withNamed(found) : found;
  }

  async #find(query: JobQuery): Promise<readonly JobRecord[]> {
    const { collections, notifier, notes } = this.sources;
    const limit = query.ids === undefined ? (query.limit ?? 0) : 0;
    const found = await notes.addTo(await collections.jobs.causal.find(filterOf(query), { sort: sortOf(query), limit }));
    const records = await Promise.all(found.map((job) => notifier.recordOf(job)));
    if (query.ids === undefined) return records;
    const byId = new Map(records.map((record) => [record.job.id, record]));
    return query.ids.flatMap((id) => byId.get(id) ?? []).slice(0, query.limit);
  }

  async #withNamed(records: readonly JobRecord[]): Promise<readonly JobRecord[]> {
    const found = new Map(records.map((record) => [record.job.id, record]));
    for (let open = records; open.length > 0; ) {
      const named = open.flatMap(({ state }) => namedIn(state.outcome).map(({ id }) => id));
      const ids = [...new Set(named)].filter((id) => !found.has(id));
      open = ids.length === 0 ? [] : await this.#find({ ids });
      for (const record of open) found.set(record.job.id, record);
    }
    return [...found.values()];
  }

  async count(query: JobQuery): Promise<number> {
    return this.sources.collections.jobs.causal.countDocuments(filterOf(query));
  }
}

const LAST_ID = new ObjectId('f'.repeat(24));

function sortOf({ after, latestFirst }: JobQuery): SortBy<JobDocument> {
  if (after !== undefined) return { _id: 1 };
  return latestFirst === true ? { endedAt: -1, _id: -1 } : { order: 1, _id: 1 };
}

function filterOf({ ids, queue, statuses, taskNames, parents, after, ...query }: JobQuery): Where<JobDocument> {
  const { endedSince, endedBefore, isRetried, mayBeUnreadable } = query;
  const idsOf = (some: readonly string[]): ObjectId[] => some.flatMap((id) => objectIdOf(id) ?? []);
  const ended = { ...(endedSince === undefined ? {} : { $gte: endedSince }), ...(endedBefore === undefined ? {} : { $lt: endedBefore }) };
  return {
    ...(ids === undefined ? {} : { _id: { $in: idsOf(ids) } }),
    ...(after === undefined ? {} : { _id: { $gt: objectIdOf(after) ?? LAST_ID, ...(ids === undefined ? {} : { $in: idsOf(ids) }) } }),
    ...(queue === undefined ? {} : { queue }),
    ...(statuses === undefined ? {} : { status: { $in: [...statuses] } }),
    ...(mayBeUnreadable === true ? { $or: [{ status: { $nin: [...FINAL] } }, { damaged: { $exists: true } }] } : {}),
    ...(taskNames === undefined ? {} : { taskName: { $in: [...taskNames] } }),
    ...(parents === undefined ? {} : { parent: { $in: idsOf(parents) } }),
    ...(endedSince === undefined && endedBefore === undefined ? {} : { endedAt: ended }),
    ...(isRetried === undefined ? {} : { retriedAs: { $exists: isRetried } }),
  };
}
