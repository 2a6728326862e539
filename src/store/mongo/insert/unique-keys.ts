/** Unique keys: an insert that needs a key which no longer counts removes it from its job, so that no move of a job handles keys. */

import type { ClientSession, ObjectId } from 'mongodb';
import type { QueuedJob } from '../../../job/job-record.js';
import type { Debounce } from '../../../job/job-sealer.js';
import { laneOf } from '../../../job/lane.js';
import { hasKey, hasYetToBegin, isDebouncedBy } from '../../../job/unique-key-rule.js';
import { type Expression, numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { toJob } from '../jobs/job-codec.js';
import { ServerExpression, updateOf } from '../jobs/job-update.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import { encodeObject, toBytes } from '../schema/payload-codec.js';

export interface UniqueKeySources {
  readonly notifier: Notifier;
  readonly time: ServerTime;
  /** The operations on the jobs themselves. */
  readonly putOff: Debounce;
}

/** Where to look: in the transaction of a session, or in none. */
export interface KeyScope {
  readonly collections: Collections;
  readonly session?: ClientSession;
}

/** Any other write changes the job as well. */
const ONCE_MORE: Expression = { $add: [numberIn('$keyReads'), 1] };

export class UniqueKeys {
  constructor(private readonly sources: UniqueKeySources) {}

  /**
   * The jobs that have the keys of these, by key; debounced ones have been put off by them. A key
   * without a job was free a moment ago; an insert under it may find that another process was faster, and asks again.
   */
  async holders(jobs: readonly QueuedJob[], place: KeyScope): Promise<ReadonlyMap<string, JobDocument>> {
    const wanted = new Map(jobs.flatMap((job) => (job.unique === undefined ? [] : [[job.unique.key, job] as const])));
    const { collections, session } = place;
    const found = wanted.size === 0 ? [] : await collections.jobs.find({ uniqueKey: { $in: [...wanted.keys()] } }, given(session));
    const now = this.sources.time.estimate();
    const over = new Set(found.filter((document) => !hasKey(document, document, now)));
    await this.#relieve([...over], place);
    const holders = new Map<string, JobDocument>();
    const kept: JobDocument[] = [];
    for (const document of found.filter((one) => !over.has(one))) {
      const { uniqueKey = '' } = document;
      const by = wanted.get(uniqueKey);
      const isPutOff = by !== undefined && isDebouncedBy(by, document);
      const holder = isPutOff ? await this.#putOff(document, by, place) : document;
      if (holder !== undefined) holders.set(uniqueKey, holder);
      if (!isPutOff) kept.push(document);
    }
    await this.#keepWaiting(kept.filter(hasYetToBegin), place);
    return holders;
  }

  /** Takes the keys off jobs that are as they were read. */
  async #relieve(jobs: readonly JobDocument[], { collections, session }: KeyScope): Promise<void> {
    if (jobs.length === 0) return;
    const alike = new Map<string, { readonly ids: ObjectId[] } & Pick<JobDocument, 'status' | 'attempts'>>();
    for (const { _id, status, attempts } of jobs) {
      const those = alike.get(`${status} ${attempts}`) ?? { ids: [], status, attempts };
      those.ids.push(_id);
      alike.set(`${status} ${attempts}`, those);
    }
    const asRead = [...alike.values()].map(({ ids, ...as }) => ({ _id: { $in: ids }, ...as }));
    const filter = { _id: { $in: jobs.map(({ _id }) => _id) }, $or: asRead };
    await collections.jobs.updateMany(filter, { $unset: { uniqueKey: '' } }, { hint: { _id: 1 }, ...given(session) });
  }

  /** Until a transaction ends, these do not begin; one that has begun since it was read makes it run again. */
  async #keepWaiting(jobs: readonly JobDocument[], { collections, session }: KeyScope): Promise<void> {
    if (session === undefined || jobs.length === 0) return;
    const filter = { _id: { $in: jobs.map(({ _id }) => _id) } };
    await collections.jobs.updateMany(filter, { $inc: { keyReads: 1 } }, { hint: { _id: 1 }, session });
  }

  /** @returns `undefined` where it has become due meanwhile */
  async #putOff(document: JobDocument, by: QueuedJob, { collections, session }: KeyScope): Promise<JobDocument | undefined> {
    const { notifier, time } = this.sources;
    const { _id, uniqueKey = '' } = document;
    const debounce = by.unique?.debounce;
    const soonest = time.after(debounce?.ms ?? 0);
    const dueAt: Expression = debounce?.maxMs === undefined ? soonest : { $min: [soonest, { $add: ['$queuedAt', debounce.maxMs] }] };
    const job = this.sources.putOff(toJob(document), by);
    const written = updateOf({
      args: toBytes(job.args),
      encrypted: job.encrypted,
      seal: job.seal,
      version: job.version,
      principal: job.principal,
      metadata: job.metadata && encodeObject(job.metadata),
      // The version of the arguments says who can run it.
      lane: laneOf(job, false),
      keyReads: new ServerExpression(ONCE_MORE),
      dueAt: new ServerExpression(dueAt),
    });
    const waiting = { _id, uniqueKey, status: 'scheduled' as const, attempts: 0 };
    const after = await collections.jobs.findOneAndUpdate(waiting, written, { returnDocument: 'after', ...given(session) });
    if (after === null) return undefined;
    if (after.dueAt !== undefined) notifier.due(after.dueAt);
    notifier.changed(after);
    return after;
  }
}

function given(session: ClientSession | undefined): { readonly session?: ClientSession } {
  return session === undefined ? {} : { session };
}
