/** Does what time makes due: promotes scheduled jobs, ends those not started in time, takes back what the dead left. */

import { type Filter, ObjectId, Timestamp } from 'mongodb';
import { ExpiredError } from '../../errors.js';
import { WAITING } from '../../job/job-status.js';
import { recordedError } from '../../job/stored-error.js';
import type { Recovery } from '../job-store.js';
import type { Ahead } from './ahead.js';
import type { Attempts } from './attempts.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import type { HeldPlaces, Keeper } from './held-places.js';
import { asPipeline, Computed, type Jobs } from './jobs.js';
import type { Leases } from './leases.js';
import type { News } from './news.js';
import type { Quotas } from './quotas.js';
import { attemptOf, type Running } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Takes } from './takes.js';
import type { Tender } from './tender.js';

export interface RoundSources {
  readonly collections: Collections;
  readonly jobs: Jobs;
  readonly leases: Leases;
  readonly quotas: Quotas;
  readonly held: HeldPlaces;
  readonly takes: Takes;
  /** Lets go of all that this process remembers of a dispatcher. */
  readonly forget: (dispatcher: string) => void;
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
  /** Attempts and places that nobody seems to know, since when. */
  readonly #unknown = new Map<string, number>();

  constructor(private readonly sources: RoundSources) {}

  async round(dispatcher: string): Promise<Recovery> {
    const { leases, quotas, news, collections } = this.sources;
    await this.#promote();
    await this.#expire();
    for (const dead of await leases.declareDead(dispatcher)) await this.takeBack(dead);
    await quotas.refresh();
    const { known, living } = await leases.roster();
    await this.#resume({ owner: { $gt: '', $nin: [...living] } });
    await this.#auditOwners(known);
    await this.#auditPlaces(known);
    await this.#auditOwn(dispatcher);
    for (const lane of await collections.jobs.distinct('lane', { status: 'pending' })) news.found(String(lane));
    const nextAt = await this.#next();
    return nextAt === undefined ? {} : { nextAt };
  }

  /** Jobs and places of a dispatcher that is dead, or has given its lease up; each step may be done twice. */
  async takeBack(dead: string): Promise<void> {
    const { collections, attempts, held, leases } = this.sources;
    this.sources.forget(dead);
    await this.#putBack(dead);
    const isRunning = { owner: dead, status: 'active' as const, waiting: { $exists: false } };
    const left = await collections.jobs.find(isRunning, { sort: { startedAt: 1, _id: 1 } });
    // Before they are pending: nobody may have the places of those that are to go on with them.
    await held.takeBack(dead, left.filter(goesOnAtOnce).map(keeperOf));
    for (const { _id, token = '' } of left) await attempts.interrupt({ id: _id.toHexString(), token });
    await this.#resume({ owner: dead }, 0);
    await leases.buried(dead);
  }

  /** What follows from an end or an opening, and was not done soon after, is done by whoever looks first; twice does no harm. */
  async #resume(owner: Filter<JobDocument>, afterMs: number = LEFT_UNDONE_MS): Promise<void> {
    const { collections, time, tender } = this.sources;
    const longAgo = new Date(time.estimate().getTime() - afterMs);
    const isUndone: Filter<JobDocument> = {
      ...owner,
      status: { $in: ['active', 'callbacks', 'completed', 'failed', 'cancelled'] },
      $or: [{ endedAt: { $lte: longAgo } }, { waiting: { $exists: true }, startedAt: { $lte: longAgo } }],
    };
    for (const job of await collections.jobs.find(isUndone, { limit: AT_ONCE })) await tender.resume(job);
  }

  /** What was claimed ahead has not begun: it returns to its place as if it had never been claimed. */
  async #putBack(dead: string): Promise<void> {
    const { collections, news, attempts } = this.sources;
    const isAhead = { owner: dead, status: 'assigned' as const };
    const ahead = await collections.jobs.find<Pick<JobDocument, 'lane'>>(isAhead, { projection: { lane: 1 } });
    if (ahead.length === 0) return;
    const back = asPipeline({ status: 'pending', owner: undefined, token: undefined, bell: new Computed('$lane') });
    await collections.jobs.updateMany({ ...isAhead, cancel: { $exists: false } }, [{ $set: back }], { hint: 'owner' });
    for (const job of await collections.jobs.find(isAhead)) await attempts.putBack(job);
    for (const lane of new Set(ahead.map((job) => job.lane))) news.found(lane);
  }

  /** Jobs that are a dispatcher's by the store, but unknown here: a claim of which no answer came. They have not begun, and go back. */
  async #auditOwn(dispatcher: string): Promise<void> {
    const { collections, running, ahead, takes, attempts, news } = this.sources;
    const isOwn = { owner: dispatcher, status: { $in: ['active' as const, 'assigned' as const] }, waiting: { $exists: false } };
    for (const job of await collections.jobs.find(isOwn)) {
      const { _id, token = '' } = job;
      const id = _id.toHexString();
      const isKnown = running.has(job) || ahead.has(job) || takes.isOpen(token);
      if (isKnown && job.cancel !== undefined) news.cancelOf(dispatcher, id, job.cancel.reason);
      if (!this.#isLost(attemptOf(job), isKnown)) continue;
      if (job.status === 'active') await attempts.release({ id, token, hasBegun: false });
      else if ((await attempts.putBack(job))?.status === 'pending') news.found(job.lane);
    }
  }

  /** Attempts of dispatchers that nobody remembers are taken back like those of the dead. */
  async #auditOwners(known: ReadonlySet<string>): Promise<void> {
    const { jobs } = this.sources.collections;
    for (const owner of await jobs.distinct('owner', { owner: { $gt: '' } })) {
      const name = String(owner);
      if (known.has(name)) continue;
      const isRun = { owner: name, status: { $in: ['active' as const, 'assigned' as const] }, waiting: { $exists: false } };
      if (this.#isLost(`owner ${name}`, (await jobs.findOne(isRun)) === null)) await this.takeBack(name);
    }
  }

  /** Places of dispatchers that nobody remembers, and of jobs that do not hold them. */
  async #auditPlaces(known: ReadonlySet<string>): Promise<void> {
    const { quotas, held } = this.sources;
    for (const by of quotas.dispatchers) if (this.#isLost(`share ${by}`, known.has(by))) await held.takeBack(by, []);
    const entries = quotas.held;
    if (entries.length === 0) return;
    const ids = entries.map((entry) => new ObjectId(entry.held.job));
    const holders = await this.sources.collections.jobs.find({ _id: { $in: ids }, held: { $exists: true } });
    const holds = new Set(holders.map((job) => `${job._id.toHexString()} ${job.held}`));
    for (const { name, held: entry } of entries) {
      const key = `${entry.job} ${entry.attempt}`;
      if (this.#isLost(`place ${name} ${key}`, holds.has(key))) await held.dropEntry(name, entry);
    }
  }

  /** Whether something has been unknown for longer than any command is under way that would explain it. */
  #isLost(what: string, isKnown: boolean): boolean {
    const now = this.sources.time.estimate().getTime();
    const since = this.#unknown.get(what) ?? now;
    const isLost = !isKnown && now - since >= UNKNOWN_MS;
    if (isKnown || isLost) this.#unknown.delete(what);
    else this.#unknown.set(what, since);
    return isLost;
  }

  async #promote(): Promise<void> {
    const { collections, jobs, time, news } = this.sources;
    for (;;) {
      const isDue = { status: 'scheduled' as const, dueAt: { $lte: time.estimate() } };
      const due = await collections.jobs.find(isDue, { sort: { dueAt: 1, order: 1 }, limit: AT_ONCE });
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
      const isLate = { startBy: { $lte: time.estimate() }, status: { $in: [...WAITING] }, attempts: 0 };
      const late = await collections.jobs.find(isLate, { limit: AT_ONCE });
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
        { startBy: { $exists: true }, status: { $in: [...WAITING] }, attempts: 0 },
        { sort: { startBy: 1 }, projection: { startBy: 1 } },
      ),
    ]);
    const times = [due?.dueAt, late?.startBy].flatMap((time) => (time === undefined ? [] : [time.getTime()]));
    return times.length === 0 ? undefined : new Date(Math.min(...times));
  }
}

function goesOnAtOnce({ limits, interruptions, cancel, held, quotas }: JobDocument): boolean {
  const isRetried = limits.delayMs === 0 && interruptions < limits.interruptions && cancel === undefined;
  return isRetried && held === undefined && Object.keys(quotas).length > 0;
}

function keeperOf({ _id, token = '', quotas }: JobDocument): Keeper {
  return { id: _id, attempt: token, places: quotas };
}

/** As if it had been queued when it was due. */
function orderAt(due: Date): Timestamp {
  const ms = due.getTime();
  return new Timestamp({ t: Math.floor(ms / 1_000), i: (ms % 1_000) + 1 });
}
