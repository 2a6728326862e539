/** Records ends: all that are asked for at once by one write, in which every job finds its own outcome. */

import { type Document, ObjectId } from 'mongodb';
import type { StoredOutcome } from '../../job/outcome.js';
import { GroupCommit } from '../group-commit.js';
import type { AttemptKey, End } from '../job-store.js';
import type { Ahead } from './ahead.js';
import type { Collections } from './collections.js';
import type { JobDocument, OutcomeDocument } from './documents.js';
import { asPipeline, Computed, type Jobs } from './jobs.js';
import { ended, hasDuties } from './moves.js';
import type { News } from './news.js';
import { toOutcome } from './records.js';
import { attemptKey, type Running } from './running.js';
import type { ServerTime } from './server-time.js';
import type { Shares } from './shares.js';
import type { Tender } from './tender.js';

export interface SettlementSources {
  readonly collections: Collections;
  readonly ahead: Ahead;
  readonly jobs: Jobs;
  readonly running: Running;
  readonly shares: Shares;
  readonly tender: Tender;
  readonly time: ServerTime;
  readonly news: News;
  readonly process: string;
}

/** An end of work, as against one that waits for another job. */
export interface Outcome extends AttemptKey {
  readonly outcome: StoredOutcome;
  readonly keepsPlaces?: boolean;
}

interface Known {
  readonly end: Outcome;
  readonly job: JobDocument;
}

export function isOutcome(end: End): end is Outcome {
  return end.outcome.status !== 'follows';
}

export class Settlements {
  readonly #group = new GroupCommit<Known, boolean>((known) => this.#settleTogether(known), { maxItems: 500 });

  constructor(private readonly sources: SettlementSources) {}

  /** @returns of each whether its token was not stale */
  async settle(ends: readonly Outcome[]): Promise<readonly boolean[]> {
    const settled = new Map<Outcome, boolean>();
    const known: Known[] = [];
    const seen = new Set<string>();
    for (const end of ends) {
      const job = this.sources.running.get(end);
      if (job === undefined || seen.has(end.id)) continue;
      seen.add(end.id);
      known.push({ end, job });
      this.#workIsOver(end);
    }
    const recorded = await Promise.all(known.map((one) => this.#group.add(one)));
    for (const [index, one] of known.entries()) if (recorded[index] === true) settled.set(one.end, true);
    for (const end of ends) if (!settled.has(end)) settled.set(end, await this.#settleAlone(end));
    return ends.map((end) => settled.get(end) === true);
  }

  /** Its places are free as soon as the work is over, for what it leaves to be written needs none. */
  #workIsOver(end: Outcome): void {
    this.sources.running.remove(end);
    this.sources.ahead.ends(attemptKey(end));
    if (end.keepsPlaces !== true) this.sources.shares.freeSoon(attemptKey(end));
  }

  /** @returns of each whether it was recorded */
  async #settleTogether(known: readonly Known[]): Promise<readonly boolean[]> {
    const receipt = new ObjectId().toHexString();
    const { collections, time, process } = this.sources;
    const { filter, written } = groupOf(known, { receipt, time, process });
    const { modifiedCount } = await collections.jobs.updateMany(filter, [{ $set: written }], { hint: { _id: 1 } });
    const recorded = new Set(modifiedCount === known.length ? known : await this.#recorded(known, receipt));
    await Promise.all([...recorded].map((one) => this.#after(one)));
    return known.map((one) => recorded.has(one));
  }

  async #recorded(known: readonly Known[], receipt: string): Promise<readonly Known[]> {
    const ids = known.map(({ job }) => job._id);
    const found = this.sources.collections.jobs.find({ _id: { $in: ids }, receipt }).project<Pick<JobDocument, '_id'>>({ _id: 1 });
    const recorded = new Set((await found.toArray()).map(({ _id }) => _id.toHexString()));
    return known.filter(({ end }) => recorded.has(end.id));
  }

  async #after({ end, job }: Known): Promise<void> {
    const { time, tender, news, process } = this.sources;
    const outcome = toOutcome(end.outcome);
    const after = {
      ...job,
      ...withoutUndefined(ended(job, end.outcome, { time, by: process })),
      status: job.tail === true ? 'callbacks' : outcome.kind,
      outcome,
      endedAt: time.estimate(),
      owner: hasDuties(job) ? process : undefined,
    } as JobDocument;
    if (hasDuties(job)) await tender.tend(after);
    else news.outcome(after);
  }

  /** One that is not known here, or has changed since: it is read, and decided about. */
  async #settleAlone(end: Outcome): Promise<boolean> {
    const { jobs, tender, time, process, shares } = this.sources;
    if (!ObjectId.isValid(end.id)) return false;
    const after = await jobs.decide(new ObjectId(end.id), (job) => {
      if (!mayEnd(job) || job.token !== end.token || job.waiting !== undefined) return 'nothing';
      return jobs.move(job, 'end', job.tail === true ? 'callbacks' : end.outcome.status, ended(job, end.outcome, { time, by: process }));
    });
    if (after === undefined) return false;
    if (end.keepsPlaces !== true) await shares.free(attemptKey(end));
    await tender.tend(after);
    return true;
  }
}

/** One write for all: each job finds its token, and its outcome, by the place of its id in a list. */
function groupOf(
  known: readonly Known[],
  { receipt, time, process }: { readonly receipt: string; readonly time: ServerTime; readonly process: string },
) {
  const place = { $indexOfArray: [{ $literal: known.map(({ job }) => job._id) }, '$_id'] };
  const own = (values: readonly unknown[]): Document => ({ $arrayElemAt: [{ $literal: values }, place] });
  const outcomes = known.map(({ end }): OutcomeDocument => toOutcome(end.outcome));
  const hasTail = { $eq: [{ $ifNull: ['$tail', false] }, true] };
  const isAhead = { $eq: ['$status', 'assigned'] };
  const hasDuty = {
    $or: [
      hasTail,
      { $ne: ['$kind', 'task'] },
      { $ne: [{ $type: '$parent' }, 'missing'] },
      { $eq: [{ $ifNull: ['$followed', false] }, true] },
      { $eq: [{ $ifNull: ['$held', false] }, true] },
    ],
  };
  const filter = {
    _id: { $in: known.map(({ job }) => job._id) },
    status: { $in: ['active' as const, 'assigned' as const] },
    waiting: { $exists: false },
    $expr: {
      $and: [
        { $eq: ['$token', own(known.map(({ job }) => job.token))] },
        { $eq: [{ $ifNull: ['$adds', 0] }, own(known.map(({ job }) => job.adds ?? 0))] },
      ],
    },
  };
  const written = {
    ...asPipeline({ bell: undefined, dueAt: undefined, startBy: undefined, receipt, endedAt: new Computed(time.now) }),
    outcome: own(outcomes),
    attempts: { $add: ['$attempts', { $cond: [isAhead, 1, 0] }] },
    startedAt: { $cond: [isAhead, time.now, '$startedAt'] },
    status: { $cond: [hasTail, 'callbacks', own(outcomes.map(({ kind }) => kind))] },
    open: { $cond: [hasTail, true, '$$REMOVE'] },
    told: { $cond: [hasTail, '$$REMOVE', '$origin'] },
    expireAt: { $cond: [{ $eq: [{ $type: '$root' }, 'missing'] }, time.removal, '$$REMOVE'] },
    owner: { $cond: [hasDuty, { $literal: process }, '$$REMOVE'] },
  };
  return { filter, written };
}

/** By a dispatcher; one claimed ahead may have begun without its being recorded yet. */
function mayEnd({ status }: JobDocument): boolean {
  return status === 'active' || status === 'assigned';
}

function withoutUndefined(written: object): object {
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, value instanceof Computed ? undefined : value]));
}
