/** The jobs collection: reads, and writes each of which is one move, conditional on the document being as it was read. */

import { type Binary, type Filter, ObjectId } from 'mongodb';
import type { Role } from '../../../job/job-record.js';
import { type MoveName, mayMove, type Status } from '../../../job/job-status.js';
import { type Expression, type Fields, literal, type Stage } from '../driver/expression.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

/** A value that the server computes, such as its time; all other values are written as they are. */
export class ServerExpression {
  constructor(readonly expression: Expression) {}
}

/** New values for fields of a document; `undefined` removes one. */
export type Written<D> = { readonly [K in keyof D]?: D[K] | ServerExpression | undefined };

/** The fields that a move writes beside the status. */
export type JobUpdate = Omit<Written<JobDocument>, '_id' | 'status'>;

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

  find(filter: Filter<JobDocument>): Promise<JobDocument[]> {
    return this.collections.jobs.find(filter);
  }

  /**
   * Makes a move, if the job is still as it was read.
   * @param fence - a condition that must hold as well
   * @returns the job after it, or `undefined` where somebody was faster
   */
  async move(
    before: JobDocument,
    name: MoveName,
    status: Status,
    written: JobUpdate = {},
    fence?: Expression,
  ): Promise<JobDocument | undefined> {
    if (!mayMove(name, before.status, status)) throw new Error(`no move '${name}' leads from ${before.status} to ${status}`);
    return this.#write(before, { ...written, status }, fence);
  }

  /** Writes fields that are not part of a move, if the job is still as it was read. */
  async note(before: JobDocument, written: JobUpdate): Promise<JobDocument | undefined> {
    return this.#write(before, written);
  }

  /** Writes fields of several jobs that are not part of a move, each if its filter holds; by one command. */
  async noteEach(
    notes: readonly { readonly filter: Filter<JobDocument>; readonly written: Readonly<Record<string, Binary>> }[],
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

  async #write(
    before: JobDocument,
    written: JobUpdate & { readonly status?: Status },
    fence?: Expression,
  ): Promise<JobDocument | undefined> {
    const filter = fence === undefined ? ifUnchanged(before) : { ...ifUnchanged(before), $expr: fence };
    const after = await this.collections.jobs.findOneAndUpdate(filter, [{ $set: asSetStage(written) }], {
      returnDocument: 'after',
      hint: { _id: 1 },
    });
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
export function ifUnchanged(job: JobDocument): Filter<JobDocument> {
  const filter: Record<string, unknown> = { _id: job._id };
  for (const field of DECISIVE) filter[field] = field in job && isScalar(field) ? job[field] : { $exists: field in job };
  return filter as Filter<JobDocument>;
}

/** Of the others it counts only whether they are there. */
function isScalar(field: (typeof DECISIVE)[number]): boolean {
  return field !== 'cancel' && field !== 'outcome';
}

/** As the fields of a `$set` in a pipeline: no value of ours is taken for an expression. */
export function asSetStage<D extends object = JobDocument>(written: Written<D>): Fields {
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, asExpression(value)]));
}

function asExpression(value: unknown): Expression {
  if (value === undefined) return '$$REMOVE';
  return value instanceof ServerExpression ? value.expression : literal(value);
}
