/**
 * Shows why jobs wait: which dispatchers run which jobs, and which jobs have the places of quotas. Only reads, and takes part in nothing.
 */

import { isLane } from '../../job/lane.js';
import { takes, weightOf } from '../../job/places.js';
import { OVERDUE_MS } from '../overdue.js';
import type { DispatcherStatus, Insight, QuotaHolder, QuotaStatus, WaitingJobs } from '../store-insight.js';
import type { ServerTime } from './driver/server-time.js';
import { taskVersionOfDocument } from './jobs/job-codec.js';
import { objectIdOf } from './jobs/job-collection.js';
import type { QuotaCache } from './quotas/quota-cache.js';
import { isHeld } from './quotas/quota-pipelines.js';
import type { RateLimiter } from './quotas/rate-limiter.js';
import type { Collections } from './schema/collections.js';
import type { JobDocument, QuotaDocument, Reservation, ShareDocument } from './schema/documents.js';
import type { Where } from './schema/timed-collection.js';

export interface InsightSources {
  readonly collections: Collections;
  readonly quotas: QuotaCache;
  readonly rateLimiter: RateLimiter;
  readonly time: ServerTime;
}

type Seen = Pick<JobDocument, '_id' | 'taskName' | 'version' | 'queue' | 'places' | 'owner' | 'reservation' | 'startedAt' | 'waitsFor'>;

const SEEN = { taskName: 1, version: 1, queue: 1, places: 1, owner: 1, reservation: 1, startedAt: 1, waitsFor: 1 } as const;

/** The number of overdue jobs whose lanes are read. */
const MAX_OVERDUE = 100;

export class MongoInsight implements Insight {
  constructor(private readonly sources: InsightSources) {}

  async dispatchers(): Promise<readonly DispatcherStatus[]> {
    const { dispatchers } = this.sources.collections;
    const living = await dispatchers.find({ state: 'alive', $expr: { $gt: ['$leaseUntil', this.sources.time.now] } });
    const running = await this.#runBy(living.map(({ _id }) => _id));
    return living.map(({ _id, agents = [] }) => {
      const own = running.filter(({ owner }) => owner === _id);
      return { dispatcher: _id, agents, running: own.map((job) => ({ queue: job.queue, taskVersion: taskVersionOfDocument(job) })) };
    });
  }

  async quotas(names: readonly string[]): Promise<readonly QuotaStatus[]> {
    if (names.length === 0) return [];
    const { collections, quotas } = this.sources;
    const found = await collections.quotas.find({ _id: { $in: [...names] } });
    for (const quota of found) quotas.notice(quota);
    const holders = found.flatMap((quota) => quota.holders);
    const running = await this.#runBy(holders.flatMap((holder) => (isHeld(holder) ? [] : [holder.dispatcher])));
    const ids = holders.flatMap((holder) => (isHeld(holder) ? (objectIdOf(holder.job) ?? []) : []));
    const held = await this.#find({ _id: { $in: ids } });
    return found.map((quota) => this.#use(quota, [...running.filter((job) => job.reservation === undefined), ...held]));
  }

  async countAhead(id: string, limit: number): Promise<number> {
    const { jobs } = this.sources.collections;
    const _id = objectIdOf(id);
    const job = _id === undefined ? null : await jobs.findOne({ _id }, { projection: { queue: 1, priority: 1, order: 1 } });
    if (job === null) return 0;
    const { queue, priority, order } = job;
    // All lanes of the queue, whose keys are JSON that begins with its name.
    const lane = { $gte: `[${JSON.stringify(queue)},`, $lt: `[${JSON.stringify(queue)}-` };
    const before = [{ priority: { $lt: priority } }, { priority, order: { $lt: order } }];
    let ahead = 0;
    for (const come of before)
      if (ahead < limit) ahead += await jobs.countDocuments({ status: 'pending', lane, ...come }, { limit: limit - ahead });
    return ahead;
  }

  async lanes(): Promise<readonly string[]> {
    const { jobs } = this.sources.collections;
    const [pending, overdue] = await Promise.all([
      jobs.distinct('lane', { status: 'pending' }),
      jobs.find<Pick<JobDocument, 'lane'>>(this.#overdue, { sort: { dueAt: 1, order: 1 }, limit: MAX_OVERDUE, projection: { lane: 1 } }),
    ]);
    return [...new Set([...pending, ...overdue.map(({ lane }) => lane)])].filter(isLane);
  }

  async waiting(lane: string, limit: number): Promise<WaitingJobs> {
    const { jobs } = this.sources.collections;
    const now = this.sources.time.estimate().getTime();
    const kinds = [
      { filter: { status: 'pending', lane } as const, sort: { priority: 1, order: 1, _id: 1 } },
      { filter: { ...this.#overdue, lane }, sort: { dueAt: 1, order: 1 } },
    ] as const;
    for (const { filter, sort } of kinds) {
      const [first] = await jobs.find(filter, { sort, limit: 1 });
      if (first === undefined) continue;
      const { queuedAt, dueAt = queuedAt } = first;
      const waitedMs = now - Math.max(queuedAt.getTime(), dueAt.getTime());
      return { count: await jobs.countDocuments(filter, { limit }), waitedMs };
    }
    return { count: 0, waitedMs: 0 };
  }

  /** Scheduled jobs that nobody has made pending. */
  get #overdue(): Where<JobDocument> {
    return { status: 'scheduled', dueAt: { $lt: new Date(this.sources.time.estimate().getTime() - OVERDUE_MS) } };
  }

  /** The jobs whose code these dispatchers run. */
  #runBy(dispatchers: readonly string[]): Promise<readonly Seen[]> {
    if (dispatchers.length === 0) return Promise.resolve([]);
    return this.#find({ owner: { $in: [...dispatchers] }, status: 'active', waitsFor: { $exists: false } });
  }

  #find(filter: Where<JobDocument>): Promise<readonly Seen[]> {
    return this.sources.collections.jobs.find<Seen>(filter, { projection: SEEN });
  }

  #use(quota: QuotaDocument, jobs: readonly Seen[]): QuotaStatus {
    const { _id: name, size, holders, rate } = quota;
    return {
      name,
      size,
      holders: holders.flatMap((holder) => (isHeld(holder) ? heldBy(holder, jobs) : sharedBy(holder, name, jobs))),
      rate,
      nextStart: this.sources.rateLimiter.nextOf(name),
    };
  }
}

function heldBy({ job: id, places }: Pick<Reservation, 'job' | 'places'>, jobs: readonly Seen[]): readonly QuotaHolder[] {
  const job = jobs.find(({ _id }) => _id.toHexString() === id);
  // Nobody runs a batch, nor a job that is to go on.
  return [job === undefined ? { places } : { ...holderOf(job, places), dispatcher: undefined }];
}

/** The jobs of a dispatcher that use its places, and its idle places. */
function sharedBy(
  { dispatcher, places }: Pick<ShareDocument, 'dispatcher' | 'places'>,
  name: string,
  jobs: readonly Seen[],
): readonly QuotaHolder[] {
  const users = jobs.filter((job) => job.owner === dispatcher && job.reservation === undefined && takes(job.places, name));
  const used = users.map((job) => holderOf(job, weightOf(job.places, name)));
  const idle = used.reduce((left, job) => left - job.places, places);
  return idle > 0 ? [...used, { places: idle, dispatcher }] : used;
}

function holderOf({ _id, taskName, startedAt, owner }: Seen, places: number): QuotaHolder {
  return { places, job: { id: _id.toHexString(), taskName }, since: startedAt, dispatcher: owner };
}
