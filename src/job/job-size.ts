/** How large a job may become: its queued part, the reports of its attempts and its outcome, all in one document of the store. */

import { TooLargeError } from '../errors.js';
import type { Choice, JobRecord, QueuedJob } from './job-record.js';
import type { StoredOutcome } from './outcome.js';
import { Payload } from './payload.js';
import { recordedError } from './stored-error.js';

/** A document of MongoDB may have 16 MiB; the rest is for errors, whose size is limited separately, and for all short fields. */
export const MAX_JOB_BYTES = 14 * 1024 * 1024;

type Values = Pick<QueuedJob, 'args' | 'branches'>;

/** Each of nested choices is weighed once, however deep they are. */
const choiceBytes = new WeakMap<Choice, number>();

/** The bytes that a job stores from the beginning. */
export function queuedBytes({ args, branches }: Values): number {
  if (branches === undefined) return args.bytes;
  const bytes = choiceBytes.get(branches) ?? packedBytes(branches.success ?? []) + packedBytes(branches.failure ?? []);
  choiceBytes.set(branches, bytes);
  return args.bytes + bytes;
}

/** Jobs that are stored in the document of another one: all their fields count, the lane repeats some of them. */
function packedBytes(tree: readonly QueuedJob[]): number {
  return tree.reduce((sum, job) => {
    const { args: _, branches: __, ...fields } = job;
    return sum + queuedBytes(job) + 2 * Buffer.byteLength(JSON.stringify(fields));
  }, 0);
}

/** @throws TooLargeError for a job that no store could take */
export function checkJobSize(job: QueuedJob): void {
  const bytes = queuedBytes(job);
  if (bytes <= MAX_JOB_BYTES) return;
  const what =
    job.branches === undefined ? `the arguments of ${job.taskName} take` : 'the drafts of a callback, with all that is below them, take';
  throw new TooLargeError(
    `${what} ${bytes} bytes, but a job may have ${MAX_JOB_BYTES}; store the data elsewhere and pass its key, or let a task queue the jobs`,
  );
}

/** The bytes that attempts have reported, by the paths that messages name, such as `annotations.file`. */
export function reportedBytes({ progress, annotations = {} }: JobRecord['state']): ReadonlyMap<string, number> {
  const sizes = new Map(Object.entries(annotations).map(([name, { bytes }]) => [annotationPath(name), bytes]));
  return progress === undefined ? sizes : sizes.set('progress', Payload.of(progress, 'progress').bytes);
}

export function annotationPath(name: string): string {
  return `annotations.${name}`;
}

/** A reported value with its name, which takes up to three bytes a character. */
export function valueBytes(path: string, bytes: number): number {
  return bytes + 3 * path.length;
}

/** The bytes that a job stores before it has ended. */
export function storedBytes({ job, state }: JobRecord): number {
  return [...reportedBytes(state)].reduce((sum, [path, bytes]) => sum + valueBytes(path, bytes), queuedBytes(job));
}

/** Why a result does not fit beside the data that its job stores already, if it does not. */
export function problemOfSize(outcome: StoredOutcome, job: Pick<QueuedJob, 'id' | 'taskName'>, stored: number): TooLargeError | undefined {
  if (outcome.status !== 'completed' || outcome.result.bytes + stored <= MAX_JOB_BYTES) return undefined;
  return new TooLargeError(
    `the result of job ${job.id} (${job.taskName}) takes ${outcome.result.bytes} bytes, and its arguments, progress and annotations ${stored}, but a job may have ${MAX_JOB_BYTES}; store the data elsewhere and return its key`,
  );
}

/** An outcome as its job can store it: instead of a result that does not fit, a failure that says so. */
export function fitting(outcome: StoredOutcome, job: Pick<QueuedJob, 'id' | 'taskName'>, stored: number): StoredOutcome {
  const problem = problemOfSize(outcome, job, stored);
  return problem === undefined ? outcome : { status: 'failed', error: recordedError(problem) };
}
