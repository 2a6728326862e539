/** Does what time makes due: scheduled jobs become pending, those not started in time end. */

import { ExpiredError } from '../../errors.js';
import { WAITING } from '../../job/job-status.js';
import { recordedError } from '../../job/stored-error.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { type Expression, literal } from './expression.js';
import { Computed, type Jobs } from './jobs.js';
import type { News } from './news.js';
import type { ServerTime } from './server-time.js';
import type { Tender } from './tender.js';

export interface DueSources {
  readonly collections: Collections;
  readonly jobs: Jobs;
  readonly news: News;
  readonly tender: Tender;
  readonly time: ServerTime;
}

const AT_ONCE = 200;
const MAY_EXPIRE = { startBy: { $exists: true }, status: { $in: [...WAITING] }, attempts: 0 };

export class Due {
  constructor(private readonly sources: DueSources) {}

  /** @returns when the next scheduled job will be due */
  async promote(): Promise<Date | undefined> {
    const { collections, time } = this.sources;
    for (;;) {
      const next = await collections.jobs.findOne({ status: 'scheduled' }, { sort: { dueAt: 1 }, projection: { dueAt: 1 } });
      if (next?.dueAt === undefined || next.dueAt > time.estimate()) return next?.dueAt;
      const isDue = { status: 'scheduled' as const, dueAt: { $lte: time.estimate() } };
      const due = await collections.jobs.find(isDue, { sort: { dueAt: 1, order: 1 }, limit: AT_ONCE });
      for (const job of due) await this.#promote(job);
    }
  }

  /** @returns when the next job will be late */
  async expire(): Promise<Date | undefined> {
    const { collections, time } = this.sources;
    for (;;) {
      const next = await collections.jobs.findOne(MAY_EXPIRE, { sort: { startBy: 1 }, projection: { startBy: 1 } });
      if (next?.startBy === undefined || next.startBy > time.estimate()) return next?.startBy;
      const late = await collections.jobs.find({ ...MAY_EXPIRE, startBy: { $lte: time.estimate() } }, { limit: AT_ONCE });
      for (const job of late) await this.#expire(job);
    }
  }

  /** Unless it has been put off since it was read, and perhaps got another lane. */
  async #promote(job: JobDocument): Promise<void> {
    const { jobs, time, news } = this.sources;
    const order = time.orderAt(job.dueAt ?? time.estimate());
    const isDueStill: Expression = { $eq: ['$dueAt', literal(job.dueAt)] };
    const promoted = await jobs.move(job, 'promote', 'pending', { order, dueAt: undefined, bell: new Computed('$lane') }, isDueStill);
    if (promoted !== undefined) news.waits(promoted);
  }

  async #expire(job: JobDocument): Promise<void> {
    const { _id, task, beginBy } = job;
    const error = new ExpiredError(`job ${_id.toHexString()} (${task}) was not started by ${beginBy?.toISOString()}, its \`beginBy\``);
    await this.sources.tender.end(job, 'expire', { status: 'failed', error: recordedError(error) });
  }
}
