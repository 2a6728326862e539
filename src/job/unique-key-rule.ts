/** The rule of unique keys: how long a job has its own, and when one that comes puts it off. */

import type { JobRecord, JobState, QueuedJob } from './job-record.js';
import { isFinal, isWaiting } from './job-status.js';

type Keyed = Pick<QueuedJob, 'unique'>;
type Lived = Pick<JobState, 'status' | 'attempts' | 'queuedAt'>;

/** Whether a job that has a key has it still. */
export function hasKey({ unique }: Keyed, { status, attempts, queuedAt }: Lived, now: Date): boolean {
  if (unique === undefined) return false;
  if (unique.debounce !== undefined) return status === 'scheduled' && attempts === 0;
  if (unique.for === 'waiting') return attempts === 0 && isWaiting(status);
  if (unique.for === 'unfinished') return !isFinal(status);
  return status !== 'failed' && status !== 'cancelled' && now.getTime() < queuedAt.getTime() + unique.for;
}

/** Whether who is answered with the job that has a key may rely on it that this one has yet to begin. */
export function hasYetToBegin({ unique }: Keyed): boolean {
  return unique?.for === 'waiting';
}

/** Whether a new job puts off the one that waits under its key; a retry does not, since its arguments are old. */
export function isDebouncedBy({ unique, retryOf }: QueuedJob, holder: Keyed): boolean {
  return unique?.debounce !== undefined && holder.unique?.debounce !== undefined && retryOf === undefined;
}

/** A debounced job: it takes over the arguments of the other one, their version, its principal and its metadata. It is not sealed. */
export function replaceArguments(
  job: QueuedJob,
  { args, encrypted, version, principal, metadata }: Pick<QueuedJob, 'args' | 'encrypted' | 'version' | 'principal' | 'metadata'>,
): QueuedJob {
  const { version: _, principal: __, encrypted: ___, seal: ____, metadata: _____, ...rest } = job;
  return {
    ...rest,
    args,
    ...(encrypted === undefined ? {} : { encrypted }),
    ...(version === undefined ? {} : { version }),
    ...(principal === undefined ? {} : { principal }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** A debounced job that is put off by another one, which is queued at a time. @param become - what is done with the jobs themselves */
export function debounce(
  { job, state }: JobRecord,
  by: QueuedJob,
  at: Date,
  become: (job: QueuedJob, by: QueuedJob) => QueuedJob = replaceArguments,
): JobRecord {
  const { ms = 0, maxMs = Number.POSITIVE_INFINITY } = by.unique?.debounce ?? {};
  const dueAt = new Date(Math.min(at.getTime() + ms, state.queuedAt.getTime() + maxMs));
  return { job: become(job, by), state: { ...state, dueAt } };
}
