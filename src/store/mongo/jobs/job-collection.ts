/** The jobs collection: reads, and writes of single jobs, moves and others, conditional on the document being as it was read. */

import { type Binary, ObjectId } from 'mongodb';
import type { Role } from '../../../job/job-record.js';
import { checkMove, type MoveName, type Target } from '../../../job/job-status.js';
import type { Expression, Stage } from '../driver/expression.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import { type JobUpdate, type Transition, transition, updateOf } from './job-update.js';

/** The fields on which every decision about a job rests: while they are the same, a decision still holds. */
const DECISIVE = ['status', 'token', 'waitsFor', 'additions', 'cancel', 'outcome'] as const satisfies readonly (keyof JobDocument)[];

export class JobCollection {
  /** @param onWrite - called for each job that was written */
  constructor(
    private readonly collections: Collections,
    private readonly onWrite: (job: JobDocument) => void,
  ) {}

  async get(id: ObjectId): Promise<JobDocument | undefined> {
    return (await this.collections.jobs.causal.findOne({ _id: id })) ?? undefined;
  }

  /** Of an id as the rest of Millrace has it; one that is not an ObjectId names no job. */
  async ofId(id: string): Promise<JobDocument | undefined> {
    const objectId = objectIdOf(id);
    return objectId === undefined ? undefined : this.get(objectId);
  }

  find(filter: Where<JobDocument>): Promise<JobDocument[]> {
    return this.collections.jobs.find(filter);
  }

  /**
   * Makes a move, if the job is still as it was read.
   * @param fence - a condition that must hold as well
   * @returns the job after it, or `undefined` where somebody was faster
   */
  move<M extends MoveName>(
    before: JobDocument,
    name: M,
    status: Target<M>,
    written: JobUpdate = {},
    fence?: Expression,
  ): Promise<JobDocument | undefined> {
    const { status: _, ...asRead } = ifUnchanged(before);
    const where = fence === undefined ? asRead : { ...asRead, $expr: fence };
    return this.#write(...transition(name, { to: status, from: [before.status], where, set: written }));
  }

  /** Makes a move that writes the whole job anew, if it is still as it was read. @returns as `move` */
  async replace(before: JobDocument, name: MoveName, { _id, ...after }: JobDocument): Promise<JobDocument | undefined> {
    checkMove([name], before.status, after.status);
    return (await this.collections.jobs.findOneAndReplace(ifUnchanged(before), after, { returnDocument: 'after' })) ?? undefined;
  }

  /** Writes fields that are not part of a move, if the job is still as it was read. */
  note(before: JobDocument, written: JobUpdate): Promise<JobDocument | undefined> {
    return this.#write(ifUnchanged(before), updateOf(written));
  }

  /** Writes fields of several jobs that are not part of a move, each if its filter holds; by one command. */
  async noteEach(
    notes: readonly { readonly filter: Where<JobDocument>; readonly written: Readonly<Record<string, Binary>> }[],
  ): Promise<void> {
    const updates = notes.map(({ filter, written }) => ({ filter, update: { $set: written }, hint: { _id: 1 } }));
    if (updates.length > 0) await this.collections.jobs.updateEach(updates);
  }

  /** A job, and the first by index of those below it that have a role and have not ended; by one command. */
  async withFirstOpen(
    id: ObjectId,
    ...roles: readonly Role[]
  ): Promise<{ readonly job: JobDocument | undefined; readonly open: JobDocument | undefined }> {
    const { jobs } = this.collections;
    const firstOpen: readonly Stage[] = [
      { $match: { parent: id, role: { $in: roles }, isOpen: true } },
      { $sort: { position: 1 } },
      { $limit: 1 },
    ];
    const pipeline: readonly Stage[] = [{ $match: { _id: id } }, { $unionWith: { coll: jobs.collectionName, pipeline: firstOpen } }];
    const found = await jobs.aggregate<JobDocument>(pipeline);
    return { job: found.find(({ _id }) => _id.equals(id)), open: found.find(({ _id }) => !_id.equals(id)) };
  }

  /** Reads a job and decides about it, again and again until the decision could be written. */
  async decide<T>(id: ObjectId, decide: (job: JobDocument) => Promise<T | undefined> | 'nothing'): Promise<T | undefined> {
    for (;;) {
      const job = await this.get(id);
      const decision = job === undefined ? 'nothing' : decide(job);
      if (decision === 'nothing') return undefined;
      const done = await decision;
      if (done !== undefined) return done;
    }
  }

  /**
   * Does something with a job that is blocked, again where something was added to it meanwhile.
   * @param act - answers whether it was done
   */
  async whileBlocked(job: JobDocument, act: (job: JobDocument) => Promise<boolean>): Promise<void> {
    for (let now: JobDocument | undefined = job; now?.status === 'blocked' && !(await act(now)); ) now = await this.get(now._id);
  }

  async #write(...[filter, update]: Transition): Promise<JobDocument | undefined> {
    const after = await this.collections.jobs.findOneAndUpdate(filter, update, { returnDocument: 'after', hint: { _id: 1 } });
    if (after === null) return undefined;
    this.onWrite(after);
    return after;
  }
}

/** An id as the store has it; `undefined` for one that is not an ObjectId, and so names no job. */
export function objectIdOf(id: string): ObjectId | undefined {
  return ObjectId.isValid(id) ? new ObjectId(id) : undefined;
}

/** Finds a job only if it is still as it was read. */
function ifUnchanged(job: JobDocument): Where<JobDocument> {
  const filter: Record<string, unknown> = { _id: job._id };
  for (const field of DECISIVE) filter[field] = field in job && isScalar(field) ? job[field] : { $exists: field in job };
  return filter as Where<JobDocument>;
}

/** Of the others it counts only whether they are there. */
function isScalar(field: (typeof DECISIVE)[number]): boolean {
  return field !== 'cancel' && field !== 'outcome';
}
