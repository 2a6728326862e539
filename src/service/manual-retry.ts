/** Queues failed or cancelled jobs again, as new jobs. */

import type { Clock } from '../clock.js';
import { JobStateError } from '../errors.js';
import { jobGone } from '../job/job-errors.js';
import type { JobRecord, JobTree, QueuedJob } from '../job/job-record.js';
import type { JobSealer } from '../job/job-sealer.js';
import { isFinal } from '../job/job-status.js';
import { NO_PLACES, type Places, placesInAll } from '../job/places.js';
import { copyTree } from '../job/retry-copy.js';
import type { JobStore } from '../store/job-store.js';

export interface RetrySources {
  readonly store: Pick<JobStore, 'find'>;
  readonly clock: Clock;
  readonly nextId: () => string;
  readonly sealer: JobSealer;
}

/** Whether a job can be retried, and if not, why. */
export function isRetriable({ job, state }: JobRecord): boolean {
  return (state.status === 'failed' || state.status === 'cancelled') && job.role !== 'postprocess';
}

/** The tree that is to be queued in place of a job. @throws JobNotFoundError, JobStateError, SealError */
export async function retryTree(id: string, { store, clock, nextId, sealer }: RetrySources): Promise<JobTree> {
  const [record] = await store.find({ ids: [id] });
  if (record === undefined) throw jobGone(id, 'it cannot be retried');
  check(record);
  const { job } = record;
  return copyTree(job, await below(job, store), {
    nextId,
    sealer,
    now: new Date(clock.now()),
    placesAround: await placesAround(job, store),
  });
}

function check({ job, state }: JobRecord): void {
  const what = `job ${job.id} (${job.taskName})`;
  if (!isFinal(state.status)) throw new JobStateError(`${what} has not ended: it is ${state.status}; cancel it first, or wait`);
  if (state.status === 'completed') throw new JobStateError(`${what} has completed, so there is nothing to retry: queue its work again`);
  if (job.role === 'postprocess') throw new JobStateError(`${what} works on the jobs of its batch: retry the batch, job ${job.parent}`);
}

/** Everything below a job, each parent before its children, steps in their order. */
async function below(job: QueuedJob, store: RetrySources['store']): Promise<readonly QueuedJob[]> {
  const found: QueuedJob[] = [];
  for (let parents = [job.id]; parents.length > 0; ) {
    const children = (await store.find({ parents })).map((record) => record.job);
    children.sort((one, other) => (one.position ?? children.length) - (other.position ?? children.length));
    for (const child of children) found.push(child);
    parents = children.map(({ id }) => id);
  }
  return found;
}

/** The places of the nearest batch around a step that has some. */
async function placesAround({ role, parent }: QueuedJob, store: RetrySources['store']): Promise<Places> {
  if (role !== 'step' || parent === undefined) return NO_PLACES;
  const [batch] = await store.find({ ids: [parent] });
  if (batch === undefined) return NO_PLACES;
  return placesInAll(batch.job.places) > 0 ? batch.job.places : placesAround(batch.job, store);
}
