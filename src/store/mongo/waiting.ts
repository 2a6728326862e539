/** Who waits for whom: whether a job can only go on once another one has come to its end. */

import type { ObjectId } from 'mongodb';
import { isFinal, isWaiting } from '../../job/job-status.js';
import type { QuotaBook } from '../../job/places.js';
import type { JobDocument } from './documents.js';
import type { Jobs } from './jobs.js';
import type { Shares } from './shares.js';

/** A moment in the life of a job that others wait for: its turn, its outcome, or its end, callbacks included. */
interface Moment {
  readonly of: 'turn' | 'outcome' | 'end';
  readonly id: ObjectId;
}

export class WaitGraph {
  constructor(
    private readonly jobs: Jobs,
    private readonly shares: Shares,
  ) {}

  /** Whether the end of a job has to wait for the outcome of another, over however many jobs. */
  async waitsFor(id: ObjectId, other: ObjectId): Promise<boolean> {
    const open: Moment[] = [{ of: 'end', id }];
    const seen = new Set<string>();
    for (let moment = open.pop(); moment !== undefined; moment = open.pop()) {
      if (moment.of === 'outcome' && moment.id.equals(other)) return true;
      const key = `${moment.of} ${moment.id.toHexString()}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const job = await this.jobs.get(moment.id);
      if (job !== undefined) open.push(...(await this.#before(moment.of, job)));
    }
    return false;
  }

  /** A quota of which the batches around a job hold so much that another job, or one below it, could not be started before they end. */
  async quotaHeldAround(job: JobDocument, other: JobDocument): Promise<string | undefined> {
    if (job.parent === undefined) return undefined;
    await this.shares.refresh();
    const held = new Map<string, number>();
    for (let above = await this.#parentOf(job); above !== undefined; above = await this.#parentOf(above))
      for (const [name, weight] of Object.entries(this.shares.heldBy(above._id.toHexString())))
        held.set(name, (held.get(name) ?? 0) + weight);
    return held.size === 0 ? undefined : this.#tooLittleFor(other, held, this.shares.book);
  }

  async #tooLittleFor(top: JobDocument, held: ReadonlyMap<string, number>, book: QuotaBook): Promise<string | undefined> {
    for (const open = [top]; open.length > 0; ) {
      const job = open.pop();
      if (job === undefined) break;
      const needed = isWaiting(job.status) ? Object.entries(job.quotas) : [];
      const missing = needed.find(([name, weight]) => weight + (held.get(name) ?? 0) > (book.get(name) ?? 0));
      if (missing !== undefined) return missing[0];
      if (job.kind !== 'task' || job.tail === true) open.push(...(await this.jobs.find({ parent: job._id, open: true })));
    }
    return undefined;
  }

  /** What has to come before a moment that has not come yet. */
  async #before(of: Moment['of'], job: JobDocument): Promise<readonly Moment[]> {
    if (of === 'turn') return job.status === 'blocked' ? this.#beforeTurn(job) : [];
    if (of === 'outcome') return job.outcome === undefined ? this.#beforeOutcome(job) : [];
    if (isFinal(job.status)) return [];
    const callbacks = job.tail === true ? await this.jobs.find({ parent: job._id, role: 'callback', open: true }) : [];
    return [{ of: 'outcome', id: job._id }, ...callbacks.map(endOf)];
  }

  async #beforeOutcome(job: JobDocument): Promise<readonly Moment[]> {
    if (job.status === 'blocked') return [{ of: 'turn', id: job._id }];
    if (job.inner !== undefined) return [{ of: 'end', id: job.inner }];
    if (job.waiting !== 'steps') return [];
    return (await this.jobs.find({ parent: job._id, role: { $in: ['step', 'postprocess'] }, open: true })).map(endOf);
  }

  async #beforeTurn(job: JobDocument): Promise<readonly Moment[]> {
    const parent = await this.#parentOf(job);
    if (parent === undefined) return [];
    if (job.role === 'callback') return [{ of: 'outcome', id: parent._id }];
    if (parent.status !== 'active') return [{ of: 'turn', id: parent._id }];
    const steps = await this.jobs.find({ parent: parent._id, role: 'step', open: true });
    const before = job.role === 'postprocess' ? steps : steps.filter(({ index = 0 }) => index < (job.index ?? 0)).slice(0, 1);
    return before.map(endOf);
  }

  async #parentOf({ parent }: JobDocument): Promise<JobDocument | undefined> {
    return parent === undefined ? undefined : this.jobs.get(parent);
  }
}

function endOf({ _id }: JobDocument): Moment {
  return { of: 'end', id: _id };
}
