/** Moves jobs whose time has come, many by one write: scheduled jobs become pending, jobs not started in time end. */

import { ObjectId } from 'mongodb';
import { expired } from '../../../job/job-errors.js';
import { MOVES } from '../../../job/job-status.js';
import { recordedError } from '../../../job/stored-error.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { Expression } from '../driver/expression.js';
import { ownValues } from '../driver/own-values.js';
import type { ServerTime } from '../driver/server-time.js';
import { referenceOf, toOutcome } from '../jobs/job-codec.js';
import { ServerExpression, statusIn, transition } from '../jobs/job-update.js';
import { endEffect } from '../jobs/transition-updates.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument, OutcomeDocument } from '../schema/documents.js';
import type { SortBy } from '../schema/timed-collection.js';
import type { Completion } from '../settle/completion.js';

export interface DueJobsSources {
  readonly collections: Collections;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
  /** Is called with work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
  /** This process, which handles what follows from an end. */
  readonly process: string;
}

/** The fields that are read of a job whose time has come. */
type DueJob = Pick<JobDocument, '_id' | 'taskName' | 'lane' | 'status' | 'dueAt' | 'pendingBeginBy'>;

/** Jobs that wait for a time. */
interface Agenda {
  readonly move: 'promote' | 'expire';
  readonly field: 'dueAt' | 'pendingBeginBy';
  /** A further condition. */
  readonly also: { readonly attempts?: 0 };
  /** In the order of their index. */
  readonly sort: SortBy<JobDocument>;
  /** How many of them one write moves. */
  readonly atOnce: number;
}

/** Scheduled jobs, which become pending. */
const STARTS: Agenda = { move: 'promote', field: 'dueAt', also: {}, sort: { dueAt: 1, order: 1 }, atOnce: 500 };
/** Jobs that have not begun in time, which end. */
const DEADLINES: Agenda = {
  move: 'expire',
  field: 'pendingBeginBy',
  also: { attempts: 0 },
  sort: { pendingBeginBy: 1 },
  atOnce: 200,
};

/** How many are read at first: usually all that are due, and the one that comes next. */
const FEW = 20;
/** How many writes make a turn, after which other work has one. */
const WRITES = 4;
/** The wait when other processes were faster, or when earlier ends are still being handled. */
const AGAIN_MS = 1_000;
/** The bounds of dates that JavaScript can represent. */
const [FIRST_DATE, LAST_DATE] = [new Date(-8.64e15), new Date(8.64e15)];
const BY_ID = { hint: { _id: 1 } } as const;

export class DueJobs {
  /** How many writes have ended jobs whose effects are still being handled. */
  #following = 0;

  constructor(private readonly sources: DueJobsSources) {}

  /**
   * One turn for due jobs, and one for late jobs unless earlier ones are still being handled.
   * @returns when the next turn is needed, possibly at once
   */
  async turn(): Promise<readonly Date[]> {
    const due = await this.#turn(STARTS, (jobs) => this.#promote(jobs));
    const late = this.#following > 0 ? [this.#soon] : await this.#turn(DEADLINES, (jobs) => this.#expire(jobs));
    return [...due, ...late];
  }

  /** @param move - returns how many it has moved */
  async #turn(agenda: Agenda, move: (jobs: readonly DueJob[]) => Promise<number>): Promise<readonly Date[]> {
    const { time } = this.sources;
    for (let writes = 0, moved = 1; ; writes++) {
      const { due, next } = await this.#read(agenda);
      const [first] = due;
      if (first === undefined) return next === undefined ? [] : [next];
      if (moved === 0) return [this.#soon];
      if (writes === WRITES) return [timeOf(agenda, first)];
      moved = await move(due);
      if (moved === due.length && due.length < FEW) return next === undefined ? [] : [next];
      // By the server's own clock it may not be time yet.
      if (moved === 0) await time.askAgain();
    }
  }

  get #soon(): Date {
    return new Date(this.sources.time.estimate().getTime() + AGAIN_MS);
  }

  /** The due jobs in the order of their times and, if these are few, the time of the next one. */
  async #read(agenda: Agenda): Promise<{ readonly due: readonly DueJob[]; readonly next?: Date }> {
    const first = await this.#find(agenda, FEW, LAST_DATE);
    const now = this.sources.time.estimate();
    const due = first.filter((job) => timeOf(agenda, job) <= now);
    if (due.length === FEW) return { due: await this.#find(agenda, agenda.atOnce, now) };
    const next = first[due.length];
    return next === undefined ? { due } : { due, next: timeOf(agenda, next) };
  }

  #find({ move, field, also, sort }: Agenda, limit: number, until: Date): Promise<DueJob[]> {
    const hasTime = { status: statusIn(MOVES[move].from), ...also, [field]: { $gte: FIRST_DATE, $lte: until }, ...hasDate(field) };
    const projection = { taskName: 1, lane: 1, status: 1, [field]: 1 };
    return this.sources.collections.jobs.find<DueJob>(hasTime, { sort, limit, projection });
  }

  /** Matches jobs that still wait for the time that was read, if it has come by the server's clock as well. */
  #still({ field, also }: Agenda, jobs: readonly DueJob[]) {
    const isSame: Expression = { $eq: [`$${field}`, ownValues(jobs)(jobs.map((job) => job[field]))] };
    const hasCome: Expression = { $lte: [`$${field}`, this.sources.time.now] };
    return { ...also, _id: { $in: jobs.map(({ _id }) => _id) }, $expr: { $and: [isSame, hasCome] } };
  }

  /** Puts each job in line as if it had been queued when it was due. */
  async #promote(due: readonly DueJob[]): Promise<number> {
    const { collections, completion, time } = this.sources;
    const orders = due.map(({ dueAt = time.estimate() }) => time.orderAt(dueAt));
    const order = new ServerExpression(ownValues(due)(orders));
    const set = { order, dueAt: undefined, pendingSignal: new ServerExpression('$lane') };
    const promotion = transition('promote', { where: this.#still(STARTS, due), to: 'pending', set });
    const { modifiedCount } = await collections.jobs.updateMany(...promotion, BY_ID);
    if (modifiedCount > 0) completion.released(due.map(({ _id, lane }) => ({ _id, lane })));
    return modifiedCount;
  }

  /** Ends each job with an error of its own; `settledToken` marks the jobs that this write has ended. */
  async #expire(late: readonly DueJob[]): Promise<number> {
    const { collections, onBackground, time, backgroundRetry, process } = this.sources;
    const settledToken = new ObjectId().toHexString();
    const outcome = ownValues(late)(late.map(expiredOutcome));
    const { to, set } = endEffect({ outcome, kind: 'failed' }, { time, by: process });
    const expiry = transition('expire', { where: this.#still(DEADLINES, late), to, set: { ...set, settledToken } });
    const follow = (): Promise<void> => this.#followUp(late, settledToken);
    const writing = collections.jobs.updateMany(...expiry, BY_ID);
    const { modifiedCount } = await writing.catch((error: unknown): never => {
      backgroundRetry.schedule(follow);
      throw error;
    });
    if (modifiedCount === 0) return 0;
    this.#following++;
    // A round does not wait for it: it takes some commands for each job that has callbacks, or a parent.
    onBackground(backgroundRetry.run(follow).finally(() => this.#following--));
    return modifiedCount;
  }

  async #followUp(late: readonly DueJob[], settledToken: string): Promise<void> {
    const { collections, completion } = this.sources;
    const waited = new Map(late.map(({ _id, status }) => [_id.toHexString(), status]));
    const ended = await collections.jobs.find({ _id: { $in: late.map(({ _id }) => _id) }, settledToken });
    for (const job of ended) await completion.followUp(job, waited.get(job._id.toHexString()) === 'pending');
  }
}

/** None is read without its time. */
function timeOf({ field }: Agenda, job: DueJob): Date {
  return job[field] ?? FIRST_DATE;
}

/** A comparison with dates also matches a list that contains one; this leaves such lists out. */
function hasDate(field: Agenda['field']): { readonly $expr: Expression } {
  return { $expr: { $eq: [{ $type: `$${field}` }, 'date'] } };
}

function expiredOutcome(job: DueJob): OutcomeDocument {
  return toOutcome({ status: 'failed', error: recordedError(expired(referenceOf(job), job.pendingBeginBy)) });
}
