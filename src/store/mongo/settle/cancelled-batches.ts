/** The batches that this process knows to be cancelled: none of their steps begins here any more. */

import type { JobDocument } from '../schema/documents.js';

/** After this number of other cancellations, the steps of a batch have ended in the store as well. */
const MAX_KNOWN = 10_000;

export class CancelledBatches {
  readonly #ids = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();

  add(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= MAX_KNOWN) return;
    const [oldest = id] = this.#ids;
    this.#ids.delete(oldest);
  }

  /** A batch is known from the call on, since a claim may be under way; if the call fails, it is forgotten. */
  async whileCancelling(id: string, cancel: () => Promise<unknown>): Promise<void> {
    this.add(id);
    const cancelling = cancel();
    this.#underWay.add(cancelling);
    try {
      await cancelling;
    } catch (error) {
      this.#ids.delete(id);
      throw error;
    } finally {
      this.#underWay.delete(cancelling);
    }
  }

  /** Resolves when the batches below those that are being cancelled here are known as well. */
  async complete(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** Whether a job is a part of one of them; callbacks run all the same. */
  isAbove(job: Pick<JobDocument, 'parent' | 'role'>): boolean {
    return isPart(job) && this.#ids.has(job.parent?.toHexString() ?? '');
  }
}

/** Whether a job ends with the batch that it is in. */
export function isPart({ parent, role }: Pick<JobDocument, 'parent' | 'role'>): boolean {
  return parent !== undefined && role !== 'callback';
}
