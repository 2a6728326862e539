/** The batches of which this process knows that they are cancelled: from then on none of their steps begins here. */

import type { JobDocument } from './documents.js';

/** Before as many others have been cancelled, the steps of a batch have ended in the store as well. */
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

  /** Known from the moment it is asked for, as a claim may be under way; what fails has cancelled nothing. */
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
