/** The attempts that this process has claimed and not ended, with their jobs as last known; other jobs are read. */

import type { AttemptKey } from '../../store-messages.js';
import type { JobDocument } from '../schema/documents.js';

/** Names an attempt in memory. */
export function attemptKey({ id, token }: AttemptKey): string {
  return `${id} ${token}`;
}

export class RunningAttempts {
  readonly #jobs = new Map<string, JobDocument>();

  add(job: JobDocument): void {
    this.#jobs.set(attemptOf(job), job);
  }

  get(key: AttemptKey): JobDocument | undefined {
    return this.#jobs.get(attemptKey(key));
  }

  /** Its reports are published with its end; the fields that decide about the job stay as they were read. */
  reported(key: AttemptKey, { progress, annotations }: Pick<JobDocument, 'progress' | 'annotations'>): void {
    const job = this.get(key);
    if (job === undefined) return;
    const reported = {
      ...(progress === undefined ? {} : { progress }),
      ...(annotations === undefined ? {} : { annotations: { ...job.annotations, ...annotations } }),
    };
    this.#jobs.set(attemptKey(key), { ...job, ...reported });
  }

  has(job: JobDocument): boolean {
    return this.#jobs.has(attemptOf(job));
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [key, { owner }] of this.#jobs) if (owner === dispatcher) this.#jobs.delete(key);
  }

  /** It ends, however it does. */
  remove(key: AttemptKey): void {
    this.#jobs.delete(attemptKey(key));
  }
}

/** The token of the attempt that follows at once, so that who asks for it again sees whether it has been recorded. */
export function tokenAfter(token: string): string {
  const [first = token, rerun = '0'] = token.split('+');
  return `${first}+${Number(rerun) + 1}`;
}

/** Names the attempt that a job is in. */
export function attemptOf({ _id, token = '' }: Pick<JobDocument, '_id' | 'token'>): string {
  return attemptKey({ id: _id.toHexString(), token });
}
