/** Fails jobs whose records are damaged, with an error that says so, and handles what follows, so that other jobs go on. */

import { Binary, type Collection, type Document, ObjectId, type WithId } from 'mongodb';
import type { CancelReason } from '../../../errors.js';
import { type JobDetails, jobDetails } from '../../../job/job-details.js';
import { LEAST_KEPT_MS, type ServerTime } from '../driver/server-time.js';
import { damageOfJob, failedOver } from '../jobs/job-damage.js';
import type { JobDocument } from '../schema/documents.js';
import { encodeObject } from '../schema/payload-codec.js';
import type { Care } from '../schema/timed-collection.js';
import type { Completion } from '../settle/completion.js';

/** A larger record is not kept in its replacement. */
const MAX_KEPT_BYTES = 1024 * 1024;
const NOT_KEPT = new Binary(new Uint8Array(0));

export interface JobCareSources {
  readonly time: ServerTime;
  /** This process, which handles what follows. */
  readonly process: string;
  readonly completion: () => Completion;
  /** Jobs of a tree that may wait for one that has lost its place in it. */
  readonly waitingIn: (root: ObjectId) => Promise<readonly JobDocument[]>;
  /** Is notified, since the job's method may still run. */
  readonly cancel: (owner: string, id: string, reason: string) => void;
  readonly onDamage: (message: string, details?: JobDetails) => void;
  /** Is called with work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class JobCare implements Care<JobDocument> {
  constructor(private readonly sources: JobCareSources) {}

  damageOf(document: Document, only?: readonly string[]): string | undefined {
    return damageOfJob(document, only);
  }

  view(damaged: Document): WithId<JobDocument> {
    const { time, process } = this.sources;
    return failedOver(damaged, damageOfJob(damaged) ?? '', { now: time.estimate(), by: process, keepMs: LEAST_KEPT_MS + time.keepMs });
  }

  /** Not a move: a damaged record may have any status, or none. Writes nothing if another process was faster. */
  async repair(damaged: Document, table: Collection<JobDocument>): Promise<void> {
    const { onDamage, onBackground, cancel } = this.sources;
    const damage = damageOfJob(damaged);
    if (damage === undefined) return;
    const { _id, ...replacement } = this.view(damaged);
    const asRead = { _id, status: 'status' in damaged ? { $eq: damaged['status'] } : { $exists: false } };
    const after = await table.findOneAndReplace(
      asRead as object,
      { ...replacement, damaged: keptOf(damaged) },
      { returnDocument: 'after' },
    );
    if (after === null) return;
    const id = after._id.toHexString();
    const details = jobDetails({ id, taskName: after.taskName, queue: after.queue }, after.attempts);
    onDamage(`the record of job ${id} (${after.taskName}) was damaged: ${damage}; the job has ended as ${after.outcome?.kind}`, details);
    if (typeof damaged['owner'] === 'string') cancel(damaged['owner'], id, 'record-damaged' satisfies CancelReason);
    onBackground(this.#followUp(after, damaged));
  }

  async #followUp(after: JobDocument, damaged: Document): Promise<void> {
    const completion = this.sources.completion();
    await completion.followUp(after, damaged['status'] === 'pending');
    if (after.parent !== undefined) return;
    const above = damaged['parent'] instanceof ObjectId ? [damaged['parent']] : [];
    const tree = after.root === undefined || after.root.equals(after._id) ? [] : await this.sources.waitingIn(after.root);
    for (const parent of [...above, ...tree.map(({ _id }) => _id)]) {
      await completion.advance(parent);
      await completion.finish(parent);
    }
  }
}

/** The record as it was, for later inspection. */
function keptOf(damaged: Document): Binary {
  try {
    const kept = encodeObject(damaged);
    return kept.length() <= MAX_KEPT_BYTES ? kept : NOT_KEPT;
  } catch {
    return NOT_KEPT;
  }
}
