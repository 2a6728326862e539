/** Makes handles of jobs: of one that was seen, of records, and of the jobs that a stored value names. */

import type { JobRecord } from '../job/job-record.js';
import { JobReference } from '../job/job-reference.js';
import type { Revive } from '../job/payload.js';
import { type JobAccess, lookUp, reviver, type Sighting, see } from './job-access.js';
import { JobHandle } from './job-handle.js';

export function handleOf(access: JobAccess, sighting: Sighting, isExisting = false): JobHandle {
  const { id, taskName } = sighting.record.job;
  return new JobHandle(access, new JobReference(id, taskName), sighting, isExisting);
}

export function handlesOf(access: JobAccess, records: readonly JobRecord[]): Promise<readonly JobHandle[]> {
  return Promise.all(records.map(async (record) => handleOf(access, await see(record, access.store))));
}

/** Makes handles of the jobs that are named, as the store has them now. */
export async function handlesFor(access: JobAccess, references: readonly JobReference[]): Promise<Revive> {
  const named = await lookUp(references, access.store);
  return reviver(named, (reference, sighting) => new JobHandle(access, reference, sighting));
}
