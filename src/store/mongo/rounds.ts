/** Does what time makes due: promotes scheduled jobs, ends those not started in time, takes back what the dead left. */

import { Timestamp } from 'mongodb';
import { ExpiredError } from '../../errors.js';
import { recordedError } from '../../job/stored-error.js';
import type { Recovery } from '../job-store.js';
import type { Ahead } from './ahead.js';
import type { Attempts } from './attempts.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import type { Jobs } from './jobs.js';
import type { Leases } from './leases.js';
import type { News } from './news.js';
import type { Running } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Shares } from './shares.js';
import type { Tender } from './tender.js';

export interface RoundSources {
  readonly collections: Collections;
  readonly jobs: Jobs;
  readonly leases: Leases;
  readonly shares: Shares;
  readonly time: ServerTime;
  readonly tender: Tender;
  readonly attempts: Attempts;
  readonly ahead: Ahead;
  readonly running: Running;
  readonly news: News;
}

const AT_ONCE = 200;
/** What follows from an end takes milliseconds; if it is undone so long after, whoever had begun it is gone. */
const LEFT_UNDONE_MS = 30_000;

/** A claim under way is unknown for a moment; one that is unknown for so long has been lost. */
const UNKNOWN_MS = 5_000;

export class Rounds {
  /** By attempt, since when. */
  #unknown = new Map<string, number>();

  constructor(private readonly sources: RoundSources) {}

  async round(dispatcher: string): Promise<Recovery> {
    const { leases, shares, news, collections } = this.sources;
    await this.#promote();
    await this.#expire();
    for (const dead of await leases.declareDead(dispatcher)) await this.takeBack(dead);
    await this.#resume();
    await this.#audit(dispatcher);
    await shares.refresh();
    for (const lane of await collections.jobs.distinct('lane', { status: 'pending' })) news.found(lane);
    const nextAt = await this.#next();
    return nextAt === undefined ? {} : { nextAt };
  }

  /** Jobs and places of a dispatcher that is dead, or has given its lease up. */
  async takeBack(dead: string): Promise<void> {
    const { collections, attempts, shares, leases } = this.sources;
    await this.#putBack(dead);
    const kept: { readonly job: string; readonly places: JobDocument['quotas'] }[] = [];
    const left = collections.jobs.find({ owner: dead, status: 'active' }).sort({ startedAt: 1, _id: 1 });
    for (const job of await left.toArray()) {
      const id = job._id.toHexString();
      const after = await attempts.interrupt({ id, token: job.token ?? '' });
      if (after?.status === 'pending' && Object.keys(job.quotas).length > 0 && job.held !== true)
        kept.push({ job: id, places: job.quotas });
    }
    await shares.takeBack(dead, kept);
    await leases.buried(dead);
  }

  /** What follows from an end, and was not done soon after, is done by whoever looks first; twice does no harm. */
  async #resume(): Promise<void> {
    const { collections, time, tender } = this.sources;
    const longAgo = new Date(time.estimate().getTime() - LEFT_UNDONE_MS);
    const statuses = ['active', 'callbacks', 'completed', 'failed', 'cancelled'] as const;
    const undone = collections.jobs.find({
      owner: { $exists: true },
      status: { $in: [...statuses] },
      $or: [{ endedAt: { $lt: longAgo } }, { waiting: { $exists: true }, startedAt: { $lt: longAgo } }],
    });
    for (const job of await undone.limit(AT_ONCE).toArray()) await tender.resume(job);
  }

  /** What was claimed ahead has not begun: it returns to its place as if it had never been claimed. */
  async #putBack(dead: string): Promise<void> {
    const { collections, news, attempts } = this.sources;
    await this.sources.ahead.handBack(dead);
    for (const job of await collections.jobs.find({ owner: dead, status: 'assigned' }).toArray()) {
      const after = await attempts.putBack(job);
      if (after?.status === 'pending') news.waits(after);
    }
  }

  /** Jobs that are a dispatcher's by the store, but unknown here: a claim of which no answer came. They have not begun, and go back. */
  async #audit(dispatcher: string): Promise<void> {
    const { collections, running, ahead, attempts, news, time } = this.sources;
    const before = this.#unknown;
    this.#unknown = new Map();
    const own = collections.jobs.find({ owner: dispatcher, status: { $in: ['active', 'assigned'] }, waiting: { $exists: false } });
    for (const job of await own.toArray()) {
      const id = job._id.toHexString();
      if (running.has(job) || ahead.has(job)) {
        if (job.cancel !== undefined) news.cancelOf(dispatcher, id, job.cancel.reason);
        continue;
      }
      const sinceMs = before.get(`${id} ${job.token}`) ?? time.estimate().getTime();
      if (time.estimate().getTime() - sinceMs < UNKNOWN_MS) this.#unknown.set(`${id} ${job.token}`, sinceMs);
      else if (job.status === 'assigned') await attempts.putBack(job).then((after) => after?.status === 'pending' && news.waits(after));
      else await attempts.release({ id, token: job.token ?? '', hasBegun: false });
    }
  }

  async #promote(): Promise<void> {
    const { collections, jobs, time, news } = this.sources;
    for (;;) {
      const due = await collections.jobs
        .find({ status: 'scheduled', dueAt: { $lte: time.estimate() } })
        .sort({ dueAt: 1, order: 1 })
        .limit(AT_ONCE)
        .toArray();
      for (const job of due) {
        const promoted = await jobs.move(job, 'promote', 'pending', {
          order: orderAt(job.dueAt ?? time.estimate()),
          dueAt: undefined,
          bell: job.lane,
        });
        if (promoted !== undefined) news.waits(promoted);
      }
      if (due.length < AT_ONCE) return;
    }
  }

  async #expire(): Promise<void> {
    const { collections, time, tender } = this.sources;
    for (;;) {
      const late = await collections.jobs
        .find({ startBy: { $lte: time.estimate() }, status: { $in: ['scheduled', 'blocked', 'pending'] }, attempts: 0 })
        .limit(AT_ONCE)
        .toArray();
      for (const job of late) {
        const { _id, task, beginBy } = job;
        const error = new ExpiredError(`job ${_id.toHexString()} (${task}) was not started by ${beginBy?.toISOString()}, its \`beginBy\``);
        await tender.end(job, 'expire', { status: 'failed', error: recordedError(error) });
      }
      if (late.length < AT_ONCE) return;
    }
  }

  async #next(): Promise<Date | undefined> {
    const { jobs } = this.sources.collections;
    const [due, late] = await Promise.all([
      jobs.findOne({ status: 'scheduled' }, { sort: { dueAt: 1 }, projection: { dueAt: 1 } }),
      jobs.findOne(
        { startBy: { $exists: true }, status: { $in: ['scheduled', 'blocked', 'pending'] }, attempts: 0 },
        { sort: { startBy: 1 }, projection: { startBy: 1 } },
      ),
    ]);
    const times = [due?.dueAt, late?.startBy].flatMap((time) => (time === undefined ? [] : [time.getTime()]));
    return times.length === 0 ? undefined : new Date(Math.min(...times));
  }
}

/** As if it had been queued when it was due. */
function orderAt(due: Date): Timestamp {
  const ms = due.getTime();
  return new Timestamp({ t: Math.floor(ms / 1_000), i: (ms % 1_000) + 1 });
}
