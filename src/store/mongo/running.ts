/** The attempts that this process has claimed and not ended, with their jobs as last known. */

import type { AttemptKey } from '../job-store.js';
import type { JobDocument } from './documents.js';

/** Names an attempt in memory. */
export function attemptKey({ id, token }: AttemptKey): string {
  return `${id} ${token}`;
}

export class Running {
  readonly #jobs = new Map<string, JobDocument>();
  /** By attempt, whose it is: what becomes of them is being written. */
  readonly #ending = new Map<string, string | undefined>();

  add(job: JobDocument): void {
    this.#jobs.set(attemptOf(job), job);
  }

  get(key: AttemptKey): JobDocument | undefined {
    return this.#jobs.get(attemptKey(key));
  }

  /** What it has reported is told with its end as well; what decides about the job stays as it was known. */
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
    return this.#jobs.has(attemptOf(job)) || this.#ending.has(attemptOf(job));
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [key, { owner }] of this.#jobs) if (owner === dispatcher) this.#jobs.delete(key);
    for (const [key, owner] of this.#ending) if (owner === dispatcher) this.#ending.delete(key);
  }

  /** Its end, or whatever else ends the attempt, is being written: nobody may take it for lost meanwhile. */
  ends(key: AttemptKey): void {
    const name = attemptKey(key);
    const job = this.#jobs.get(name);
    if (job !== undefined) this.#ending.set(name, job.owner);
    this.#jobs.delete(name);
  }

  /** That has been written. */
  remove(key: AttemptKey): void {
    this.#jobs.delete(attemptKey(key));
    this.#ending.delete(attemptKey(key));
  }
}

/** The token of the attempt that follows at once, so that who asks for it again sees whether it has been recorded. */
export function tokenAfter(token: string): string {
  const [first = token, rerun = '0'] = token.split('+');
  return `${first}+${Number(rerun) + 1}`;
}

/** Names the attempt that a job is in. */
export function attemptOf({ _id, token = '' }: JobDocument): string {
  return attemptKey({ id: _id.toHexString(), token });
}
