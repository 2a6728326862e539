/** The reports of transactional attempts, kept apart from their jobs: a write to the job would conflict with the transaction. */

import type { Binary, ObjectId } from 'mongodb';
import { Payload } from '../../../job/payload.js';
import type { AttemptReport } from '../../store-messages.js';
import { ignoreDuplicates } from '../driver/driver-errors.js';
import { literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument, NoteDocument } from '../schema/documents.js';
import { toBytes } from '../schema/payload-codec.js';
import { toKey } from './job-codec.js';
import { asSetStage, type JobUpdate, ServerExpression } from './job-update.js';

export type Noted = Pick<JobDocument, 'progress' | 'annotations'>;

export class AttemptReports {
  constructor(
    private readonly collections: Collections,
    private readonly time: ServerTime,
  ) {}

  /** Adds the reports of attempts; the report of an attempt is dropped if a later attempt of its job has reported. */
  async report(reports: readonly { readonly job: JobDocument; readonly noted: Noted }[]): Promise<void> {
    const updates = reports.map(({ job, noted }) => ({
      filter: { _id: job._id, attempt: { $lte: job.attempts } },
      update: [
        {
          $set: asSetStage<NoteDocument>({ ...fieldsOf(noted), attempt: job.attempts, expireAt: new ServerExpression(this.time.removal) }),
        },
      ],
      upsert: true,
    }));
    if (updates.length > 0) await this.collections.notes.updateEach(updates).catch(ignoreDuplicates);
  }

  /** Jobs with their reports. */
  async addTo(jobs: readonly JobDocument[]): Promise<readonly JobDocument[]> {
    const isTransactional = jobs.filter((job) => job.isTransactional === true);
    if (isTransactional.length === 0) return jobs;
    const found = await this.collections.notes.find({ _id: { $in: isTransactional.map(({ _id }) => _id) } });
    const noted = new Map(found.map((note) => [note._id.toHexString(), note]));
    return jobs.map((job) => (job.isTransactional === true ? withReports(job, noted.get(job._id.toHexString())) : job));
  }

  /** The reports of a job whose attempt ends. @param job - as its process knows it; the first attempt has only its own reports */
  async of(id: ObjectId, job: JobDocument | undefined): Promise<Noted> {
    if (job?.attempts === 1) return job;
    return (await this.collections.notes.findOne({ _id: id })) ?? {};
  }
}

/** A report, as it is stored. */
export function reportsOf({ progress, annotations }: AttemptReport): Noted {
  return {
    ...(progress === undefined ? {} : { progress: toBytes(Payload.of(progress, 'progress')) }),
    ...(annotations === undefined
      ? {}
      : { annotations: Object.fromEntries(Object.entries(annotations).map(([name, value]) => [toKey(name), toBytes(value)])) }),
  };
}

/** The fields of a document that take it in, each annotation apart from those that are there. */
export function fieldsOf({ progress, annotations = {} }: Noted): Readonly<Record<string, Binary>> {
  const added = Object.entries(annotations).map(([key, value]) => [`annotations.${key}`, value] as const);
  return { ...(progress === undefined ? {} : { progress }), ...Object.fromEntries(added) };
}

/** As it is when nothing can have been noted of it yet, or all of it is in it. */
export function withReports({ isTransactional: _, ...job }: JobDocument, note: NoteDocument | undefined = undefined): JobDocument {
  if (note === undefined) return job;
  const { progress, annotations } = note;
  return {
    ...job,
    ...(progress === undefined ? {} : { progress }),
    ...(annotations === undefined ? {} : { annotations: { ...job.annotations, ...annotations } }),
  };
}

/** The reports as the end of the job stores them. */
export function reportsTakenOver({ progress, annotations }: Noted): JobUpdate {
  return {
    ...(progress === undefined ? {} : { progress }),
    ...(annotations === undefined ? {} : { annotations: new ServerExpression({ $mergeObjects: ['$annotations', literal(annotations)] }) }),
    isTransactional: undefined,
  };
}
