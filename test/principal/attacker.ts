/** An attacker who can write to the jobs: in MongoDB's collection with a separate client, in memory by a change of the store's answers. */

import type { Document } from 'mongodb';
import type { JobStore } from '../../src/index.js';
import type { JobRecord, QueuedJob } from '../../src/job/job-record.js';
import { toDocument, toJob } from '../../src/store/mongo/jobs/job-codec.js';
import type { JobDocument } from '../../src/store/mongo/schema/documents.js';
import type { Stage } from '../support/both-stores.js';

type Change = (job: QueuedJob) => object;

export class Attacker {
  readonly #changes = new Map<string, Change>();

  constructor(private readonly stage: Stage) {}

  /** For processes on the memory store. */
  readonly faults = (store: JobStore): Partial<JobStore> => ({
    claim: async (request) => (await store.claim(request)).map((claimed) => ({ ...claimed, job: this.#altered(claimed.job) })),
    find: async (query) => (await store.find(query)).map((record): JobRecord => ({ ...record, job: this.#altered(record.job) })),
  });

  /** Makes a job what the change gives; on MongoDB every field of its document that is another one then. */
  async alter({ id }: { readonly id: string }, change: Change): Promise<void> {
    const { jobs } = this.stage;
    if (jobs === undefined) return void this.#changes.set(id, change);
    const document = (await jobs.find().toArray()).find(({ _id }) => _id.toHexString() === id);
    if (document === undefined) throw new Error(`job ${id} is not there`);
    const before = toDocument(toJob(document), document.queuedBy, document.root);
    const after: Partial<JobDocument> = toDocument(change(toJob(document)) as QueuedJob, document.queuedBy, document.root);
    const gone = Object.fromEntries(Object.keys(before).flatMap((key) => (key in after ? [] : [[key, '']])));
    const update: Document = Object.keys(gone).length === 0 ? { $set: after } : { $set: after, $unset: gone };
    await jobs.updateOne({ _id: document._id }, update);
  }

  #altered(job: QueuedJob): QueuedJob {
    return (this.#changes.get(job.id)?.(job) ?? job) as QueuedJob;
  }
}

/** A job without one of its fields. */
export function without(job: QueuedJob, ...fields: readonly (keyof QueuedJob)[]): object {
  return Object.fromEntries(Object.entries(job).filter(([field]) => !fields.includes(field as keyof QueuedJob)));
}
