/** Protects jobs in a store that others may write to, by seals and encrypted arguments. */

import { OptionError, SealError } from '../errors.js';
import type { QueuedJob } from './job-record.js';
import type { Seal } from './seal.js';
import { replaceArguments } from './unique-key-rule.js';

/** Which arguments are encrypted: all, or those at these places. */
export type Encrypted = boolean | readonly number[];

export interface JobSealer {
  /**
   * A new job as it is stored: with its arguments encrypted, and sealed.
   * @param dueMs - it is not due before this, since one above it is not
   * @throws OptionError where it has nothing to encrypt with
   */
  protect(job: QueuedJob, encrypt?: Encrypted, dueMs?: number): QueuedJob;
  /** When a job that is sealed will have been due; 0 where nothing says so. */
  dueMs(job: QueuedJob): number;
  /** Why a job must not run, and why jobs that follow from it must not get a seal. */
  refusal(job: QueuedJob): SealError | undefined;
  /** A job as it is run: with its arguments as they were queued. @throws SealError */
  open(job: QueuedJob): QueuedJob;
  /** Protects a job as another one. @throws SealError for one that must not be run */
  transfer(from: QueuedJob, to: QueuedJob, dueMs?: number): QueuedJob;
  /** A seal that lasts for longer, where a job that is to run again after a delay needs one. */
  renewed(job: QueuedJob, delayMs: number): Seal | undefined;
}

/** How a debounced job is put off by another one. */
export type Debounce = (job: QueuedJob, by: QueuedJob) => QueuedJob;

/** One that must not be run gets no seal by being put off. */
export function debounceWithin(sealer: JobSealer): Debounce {
  return (job, by) => {
    const after = replaceArguments(job, by);
    return sealer.refusal(job) === undefined ? sealer.transfer(by, after) : after;
  };
}

/** The name of a job in messages. Its stored names may have been altered. */
export function shownJob({ id, taskName }: Pick<QueuedJob, 'id' | 'taskName'>): string {
  const name = String(taskName);
  return `job ${id} (${/^[\w$.:/ -]{1,200}$/.test(name) ? name : JSON.stringify(name.slice(0, 100))})`;
}

/** Of a process without secrets: it refuses sealed jobs. */
export const NO_SEALER: JobSealer = {
  protect: (job, encrypt = false) => {
    if (encrypt === false) return job;
    throw new OptionError(`${job.taskName} has \`encrypt\`, which needs \`secrets\` of \`asyncModule\`, with a \`current\` key`);
  },
  dueMs: () => 0,
  refusal: (job) => {
    if (job.seal === undefined && job.encrypted === undefined) return undefined;
    return new SealError('no-secrets', `${shownJob(job)} is sealed, but this process has no \`secrets\` by which that could be checked`);
  },
  open: (job) => checked(job),
  transfer: (from, to) => {
    checked(from);
    return to;
  },
  renewed: () => undefined,
};

function checked(job: QueuedJob): QueuedJob {
  const refusal = NO_SEALER.refusal(job);
  if (refusal !== undefined) throw refusal;
  return job;
}
