/** The part of the service that job handles use: the store, and the revival of stored values. */

import { types } from 'node:util';
import { concatMap, filter, from, map, type Observable, type OperatorFunction, of } from 'rxjs';
import type { Clock } from '../clock.js';
import type { CallbackPlan } from '../job/job-plan.js';
import type { JobRecord } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import { NO_METADATA } from '../job/metadata.js';
import { namedIn } from '../job/outcome.js';
import type { Revive } from '../job/payload.js';
import { anonymous } from '../job/principal.js';
import type { JobStore } from '../store/job-store.js';
import type { ChangeFilter, StoreChange } from '../store/store-changes.js';
import type { Logger } from '../task/logger.js';
import type { Described, Job } from './job.js';

export interface JobAccess {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The changes of the store, until the service stops. */
  readonly changes: (interest: ChangeFilter) => Observable<StoreChange>;
  /** Whether the service still reports changes. */
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

/** The named jobs of an outcome without any. */
export const NOBODY: ReadonlyMap<string, JobRecord> = new Map();

/** The sighting of a record; a promise only where other jobs have to be looked up. */
export function see(record: JobRecord, store: JobStore): Sighting | Promise<Sighting> {
  const references = namedIn(record.state.outcome);
  if (references.length === 0) return { record, named: NOBODY };
  return lookUp(references, store).then((named) => ({ record, named }));
}

/** The sightings of the reported jobs, in order. Each is begun at once, since a job that another one names may be forgotten after that. */
export function sightings(store: JobStore): OperatorFunction<StoreChange, Sighting> {
  return (changes) =>
    changes.pipe(
      filter((change) => change.type === 'job'),
      map(({ record }) => begun(see(record, store))),
      concatMap((sighting) => (types.isPromise(sighting) ? from(sighting) : of(sighting))),
    );
}

/** A rejection that nobody waits for any more must not fail the process. */
function begun(sighting: Sighting | Promise<Sighting>): Sighting | Promise<Sighting> {
  if (types.isPromise(sighting)) sighting.catch(() => undefined);
  return sighting;
}

/** The jobs that are named, and those that their outcomes name in turn, such as children of children. */
export async function lookUp(references: readonly JobReference[], store: JobStore): Promise<ReadonlyMap<string, JobRecord>> {
  const found = await store.find({ ids: [...new Set(references.map(({ id }) => id))], withNamed: true });
  return new Map(found.map((record) => [record.job.id, record]));
}

/** Makes handles of the jobs that a stored value names. */
export function reviver(named: Sighting['named'], handle: (reference: JobReference, sighting: Sighting | undefined) => unknown): Revive {
  return (reference) => {
    const record = named.get(reference.id);
    return handle(reference, record === undefined ? undefined : { record, named });
  };
}

/** The part of a snapshot that needs no other job: the queued job, its times, and its dispatcher. */
export function described({ job, state }: JobRecord): Described {
  const { taskName, name, queue, priority, principal = anonymous, metadata = NO_METADATA, parent } = job;
  const { queuedAt, dueAt, startedAt, endedAt, owner } = state;
  return { taskName, name, queue, priority, principal, metadata, parent, queuedAt, dueAt, startedAt, endedAt, dispatcher: owner };
}
