/** Unique keys: one that is over is taken off its job by who needs it, so that no move of a job has to care. */

import type { ClientSession } from 'mongodb';
import type { QueuedJob } from '../../job/job-record.js';
import { laneOf } from '../../job/lane.js';
import { hasKey, hasYetToBegin, isPutOffBy, putOffBy } from '../../job/unique-key-rule.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { asPipeline, Computed } from './jobs.js';
import type { News } from './news.js';
import { toJob, toRecord } from './records.js';
import type { ServerTime } from './server-time.js';
import { toBytes } from './values.js';

export interface UniqueKeySources {
  readonly news: News;
  readonly time: ServerTime;
}

/** Where to look: in the transaction of a session, or in none. */
export interface Place {
  readonly collections: Collections;
  readonly session?: ClientSession;
}

/** Whatever else is written, the job is not as it was. */
const ONCE_MORE = { $add: [{ $ifNull: ['$asked', 0] }, 1] };

export class UniqueKeys {
  constructor(private readonly sources: UniqueKeySources) {}

  /**
   * The jobs that have the keys of these, by key; debounced ones have been put off by them. What is not among
   * them was free a moment ago: who puts a job in under it may find that somebody was faster, and asks again.
   */
  async holders(jobs: readonly QueuedJob[], place: Place): Promise<ReadonlyMap<string, JobDocument>> {
    const wanted = new Map(jobs.flatMap((job) => (job.unique === undefined ? [] : [[job.unique.key, job] as const])));
    const { collections, session } = place;
    const found = wanted.size === 0 ? [] : await collections.jobs.find({ keyHeld: { $in: [...wanted.keys()] } }, given(session));
    const holders = new Map<string, JobDocument>();
    for (const document of found) {
      const { keyHeld = '' } = document;
      const holder = await this.#holding(document, wanted.get(keyHeld), place);
      if (holder !== undefined) holders.set(keyHeld, holder);
    }
    return holders;
  }

  /** The job, if the key is still its own; put off by the one that comes, if both are debounced. */
  async #holding(document: JobDocument, wanted: QueuedJob | undefined, place: Place): Promise<JobDocument | undefined> {
    const { job, state } = toRecord(document);
    if (!hasKey(job, state, this.sources.time.estimate())) {
      await this.#relieve(document, place);
      return undefined;
    }
    if (wanted !== undefined && isPutOffBy(wanted, job)) return this.#putOff(document, wanted, place);
    if (place.session !== undefined && hasYetToBegin(job)) await this.#keepWaiting(document, place);
    return document;
  }

  /** Takes the key off a job that is as it was read. */
  async #relieve({ _id, keyHeld = '', status, attempts }: JobDocument, { collections, session }: Place): Promise<void> {
    await collections.jobs.updateOne({ _id, keyHeld, status, attempts }, { $unset: { keyHeld: '' } }, given(session));
  }

  /** Until the transaction ends, a job does not begin; one that has begun since it was read makes the transaction run again. */
  async #keepWaiting({ _id }: JobDocument, { collections, session }: Place): Promise<void> {
    await collections.jobs.updateOne({ _id }, { $inc: { asked: 1 } }, given(session));
  }

  /** @returns `undefined` where it has become due meanwhile */
  async #putOff(document: JobDocument, by: QueuedJob, { collections, session }: Place): Promise<JobDocument | undefined> {
    const { news, time } = this.sources;
    const { _id, keyHeld = '' } = document;
    const debounce = by.unique?.debounce;
    const soonest = time.after(debounce?.ms ?? 0);
    const dueAt = debounce?.maxMs === undefined ? soonest : { $min: [soonest, { $add: ['$queuedAt', debounce.maxMs] }] };
    // The version of the arguments says who can run it.
    const lane = laneOf(putOffBy(toJob(document), by), false);
    const written = asPipeline({
      args: toBytes(by.args),
      version: by.version,
      lane,
      asked: new Computed(ONCE_MORE),
      dueAt: new Computed(dueAt),
    });
    const waiting = { _id, keyHeld, status: 'scheduled' as const, attempts: 0 };
    const after = await collections.jobs.findOneAndUpdate(waiting, [{ $set: written }], { returnDocument: 'after', ...given(session) });
    if (after === null) return undefined;
    if (after.dueAt !== undefined) news.due(after.dueAt);
    news.changed(after);
    return after;
  }
}

function given(session: ClientSession | undefined): { readonly session?: ClientSession } {
  return session === undefined ? {} : { session };
}
