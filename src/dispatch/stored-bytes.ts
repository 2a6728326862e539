/** How much a running job stores: a call that would make it too large throws in its task. */

import { TooLargeError } from '../errors.js';
import type { QueuedJob } from '../job/job-record.js';
import { MAX_JOB_BYTES, queuedBytes, valueBytes } from '../job/job-size.js';

export class StoredBytes {
  readonly #reported: Map<string, number>;
  #sum: number;

  /** @param reported - the bytes that earlier attempts have reported, by path */
  constructor(
    private readonly job: Pick<QueuedJob, 'id' | 'taskName' | 'args' | 'branches'>,
    reported: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#reported = new Map(reported);
    this.#sum = queuedBytes(job) + [...reported].reduce((sum, [path, bytes]) => sum + valueBytes(path, bytes), 0);
  }

  /**
   * Counts a value that is to be stored at a path, instead of the one before.
   * @throws TooLargeError where the job would become too large
   */
  add(path: string, bytes: number): void {
    const before = this.#reported.get(path);
    const sum = this.#sum + valueBytes(path, bytes) - (before === undefined ? 0 : valueBytes(path, before));
    if (sum > MAX_JOB_BYTES) {
      const { id, taskName } = this.job;
      throw new TooLargeError(
        `with \`${path}\` of ${bytes} bytes, job ${id} (${taskName}) would store ${sum} bytes of arguments, progress and annotations, but the limit of a job is ${MAX_JOB_BYTES}; keep large data elsewhere`,
      );
    }
    this.#reported.set(path, bytes);
    this.#sum = sum;
  }
}
