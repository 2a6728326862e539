/** Finds and counts the jobs of the memory store, by looking at each. */

import type { JobRecord } from '../../job/job-record.js';
import { isFinal } from '../../job/job-status.js';
import { namedIn } from '../../job/outcome.js';
import type { JobQuery } from '../store-messages.js';
import type { JobTable } from './job-table.js';

export class JobFinder {
  constructor(private readonly table: JobTable) {}

  find(query: JobQuery): readonly JobRecord[] {
    const found = this.#matching(query);
    const ordered = (query.ids === undefined ? found.sort(orderOf(query)) : found).slice(0, query.limit);
    return query.withNamed === true ? this.#withNamed(ordered) : ordered;
  }

  count(query: JobQuery): number {
    return this.#matching(query).length;
  }

  #matching(query: JobQuery): JobRecord[] {
    const found =
      query.ids === undefined ? [...this.table.all()] : query.ids.map((id) => this.table.get(id)).filter((record) => record !== undefined);
    return found.filter((record) => matches(record, query));
  }

  /** In one step, for listeners that learn of an end: the named jobs may be forgotten after that. */
  #withNamed(records: readonly JobRecord[]): readonly JobRecord[] {
    const found = new Map(records.map((record) => [record.job.id, record]));
    for (const { state } of found.values()) {
      for (const { id } of namedIn(state.outcome)) {
        const named = this.table.get(id);
        if (named !== undefined) found.set(id, named);
      }
    }
    return [...found.values()];
  }
}

function matches({ job, state }: JobRecord, query: JobQuery): boolean {
  return (
    (query.queue === undefined || job.queue === query.queue) &&
    (query.statuses === undefined || query.statuses.includes(state.status)) &&
    (query.taskNames === undefined || query.taskNames.includes(job.taskName)) &&
    (query.parents === undefined || query.parents.includes(job.parent ?? '')) &&
    (query.endedSince === undefined || (state.endedAt !== undefined && state.endedAt >= query.endedSince)) &&
    (query.endedBefore === undefined || (state.endedAt !== undefined && state.endedAt < query.endedBefore)) &&
    (query.mayBeUnreadable === undefined || !isFinal(state.status)) &&
    (query.isRetried === undefined || query.isRetried === (state.retriedAs !== undefined)) &&
    (query.after === undefined || job.id > query.after)
  );
}

function orderOf({ after, latestFirst }: JobQuery): (one: JobRecord, other: JobRecord) => number {
  const byId = (one: JobRecord, other: JobRecord): number => (one.job.id < other.job.id ? -1 : 1);
  if (after !== undefined) return byId;
  if (latestFirst !== true) return (one, other) => one.state.order - other.state.order;
  const endMs = ({ state }: JobRecord): number => state.endedAt?.getTime() ?? 0;
  return (one, other) => endMs(other) - endMs(one) || byId(other, one);
}
