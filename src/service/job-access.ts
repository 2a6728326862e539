/** What handles of jobs need of the service: the store, and how stored values become what the application knows. */

import type { Observable } from 'rxjs';
import type { Clock } from '../clock.js';
import type { CallbackPlan } from '../job/job-plan.js';
import type { JobRecord } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import type { Revive } from '../job/payload.js';
import type { Change, Interest, JobStore } from '../store/job-store.js';
import type { Logger } from '../task/logger.js';
import type { Job } from './job.js';

export interface JobAccess {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What happens in the store, until the service stops. */
  readonly changes: (interest: Interest) => Observable<Change>;
  /** Whether the service goes on telling of changes. */
  readonly isRunning: () => boolean;
  /** Of jobs queued in a transaction: throws while they cannot be there. */
  readonly checkThere?: (id: string) => void;
  /** Queues a callback of a job. */
  readonly addCallback: (callback: CallbackPlan, parent: JobRecord) => Promise<Job<never>>;
  /** Queues a job that has ended again. */
  readonly retry: (id: string) => Promise<Job<never>>;
}

/** A record, with the records of all jobs that its outcome names, so that it can be read at once. */
export interface Sighting {
  readonly record: JobRecord;
  readonly named: ReadonlyMap<string, JobRecord>;
}

/** What an outcome without jobs in it names. */
export const NOBODY: ReadonlyMap<string, JobRecord> = new Map();

/** The sighting of a record; a promise only where other jobs have to be looked up. */
export function see(record: JobRecord, store: JobStore): Sighting | Promise<Sighting> {
  const references = referencesOf(record);
  if (references.length === 0) return { record, named: NOBODY };
  return lookUp(references, store).then((named) => ({ record, named }));
}

/** The jobs that are named, and those that their outcomes name in turn, such as children of children. */
export async function lookUp(references: readonly JobReference[], store: JobStore): Promise<ReadonlyMap<string, JobRecord>> {
  const named = new Map<string, JobRecord>();
  for (let open = references; open.length > 0; ) {
    const found = await store.find({ ids: [...new Set(open.map(({ id }) => id))] });
    for (const record of found) named.set(record.job.id, record);
    open = found.flatMap(referencesOf).filter(({ id }) => !named.has(id));
  }
  return named;
}

/** Makes handles of the jobs that a stored value names. */
export function reviver(named: Sighting['named'], handle: (reference: JobReference, sighting: Sighting | undefined) => unknown): Revive {
  return (reference) => {
    const record = named.get(reference.id);
    return handle(reference, record === undefined ? undefined : { record, named });
  };
}

function referencesOf({ state }: JobRecord): readonly JobReference[] {
  return state.outcome?.status === 'completed' ? state.outcome.result.references : [];
}
