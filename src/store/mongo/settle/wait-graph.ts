/** Which job waits for which: whether a job can only go on once another one has ended. */

import type { ObjectId } from 'mongodb';
import { CircularJobError } from '../../../errors.js';
import { isFinal, isWaiting } from '../../../job/job-status.js';
import type { JobCollection } from '../jobs/job-collection.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import type { JobDocument } from '../schema/documents.js';

/** A moment in the life of a job that others wait for: its turn, its outcome, or its end, callbacks included. */
interface Moment {
  readonly of: 'turn' | 'outcome' | 'end';
  readonly id: ObjectId;
}

export class WaitGraph {
  constructor(
    private readonly jobs: JobCollection,
    private readonly quotas: QuotaCache,
  ) {}

  /**
   * Whether the end of a job has to wait for the outcome of another, over however many jobs.
   * @param known - the jobs that have been read just now
   */
  async waitsFor(id: ObjectId, other: JobDocument, known: readonly JobDocument[] = []): Promise<boolean> {
    if (!id.equals(other._id) && !mayBeAwaited(other)) return false;
    const read = new Map(known.map((job) => [job._id.toHexString(), job]));
    const open: Moment[] = [{ of: 'end', id }];
    const seen = new Set<string>();
    for (let moment = open.pop(); moment !== undefined; moment = open.pop()) {
      if (moment.of === 'outcome' && moment.id.equals(other._id)) return true;
      const hex = moment.id.toHexString();
      if (seen.has(`${moment.of} ${hex}`)) continue;
      seen.add(`${moment.of} ${hex}`);
      const job = read.get(hex) ?? (await this.jobs.get(moment.id));
      if (job === undefined) continue;
      read.set(hex, job);
      open.push(...(await this.#before(moment.of, job)));
    }
    return false;
  }

  /**
   * A quota of which those who wait for a job hold so much that another one, or one that it waits for, could not be started before they
   * end.
   */
  async quotaHeldAround(job: JobDocument, other: JobDocument): Promise<string | undefined> {
    if (job.parent === undefined && job.hasFollowers !== true) return undefined;
    const below = await this.#reached(other, (at) => this.#awaitedBy(at));
    const needed = below.flatMap(({ status, places }) => (isWaiting(status) ? Object.entries(places) : []));
    if (needed.length === 0) return undefined;
    await this.quotas.refresh();
    // The job gives back the places that it holds itself.
    const own = job._id.toHexString();
    const names = new Set(this.quotas.held.flatMap(({ name, held }) => (held.job === own ? [] : [name])));
    if (!needed.some(([name]) => names.has(name))) return undefined;
    const above = (await this.#reached(job, (at) => this.#waitersOf(at))).filter(({ _id }) => !_id.equals(job._id));
    const held = new Map<string, number>();
    for (const { _id } of above)
      for (const [name, weight] of Object.entries(this.quotas.heldBy(_id.toHexString()))) held.set(name, (held.get(name) ?? 0) + weight);
    const isTooMuch = (name: string, weight: number): boolean => weight + (held.get(name) ?? 0) > (this.quotas.book.get(name) ?? 0);
    return needed.find(([name, weight]) => held.has(name) && isTooMuch(name, weight))?.[0];
  }

  /** Its batch or the job that it is a callback of, and those who wait for its outcome. */
  async #waitersOf(job: JobDocument): Promise<readonly JobDocument[]> {
    const parent = await this.#parentOf(job);
    const followers = job.hasFollowers === true ? await this.jobs.find({ followedJob: job._id, isOpen: true }) : [];
    return parent === undefined ? followers : [parent, ...followers];
  }

  /** The jobs below it, and the job whose outcome it waits for. */
  async #awaitedBy(job: JobDocument): Promise<readonly JobDocument[]> {
    const below = job.kind !== 'task' || job.hasCallbacks === true ? await this.jobs.find({ parent: job._id, isOpen: true }) : [];
    const followedJob = job.followedJob === undefined ? undefined : await this.jobs.get(job.followedJob);
    return followedJob === undefined ? below : [...below, followedJob];
  }

  /** A job and all that are reached from it. */
  async #reached(from: JobDocument, next: (job: JobDocument) => Promise<readonly JobDocument[]>): Promise<readonly JobDocument[]> {
    const found = new Map([[from._id.toHexString(), from]]);
    for (const job of found.values()) for (const other of await next(job)) found.set(other._id.toHexString(), other);
    return [...found.values()];
  }

  /** The moments that have to come before one that has not come yet. */
  async #before(of: Moment['of'], job: JobDocument): Promise<readonly Moment[]> {
    if (of === 'turn') return job.status === 'blocked' ? this.#beforeTurn(job) : [];
    if (of === 'outcome') return job.outcome === undefined ? this.#beforeOutcome(job) : [];
    if (isFinal(job.status)) return [];
    const callbacks = job.hasCallbacks === true ? await this.jobs.find({ parent: job._id, role: 'callback', isOpen: true }) : [];
    return [{ of: 'outcome', id: job._id }, ...callbacks.map(endOf), ...(job.outcome === undefined ? [] : await this.#openWork(job))];
  }

  async #beforeOutcome(job: JobDocument): Promise<readonly Moment[]> {
    if (job.followedJob !== undefined) return [{ of: 'end', id: job.followedJob }];
    const turn: readonly Moment[] = job.status === 'blocked' ? [{ of: 'turn', id: job._id }] : [];
    return [...turn, ...(await this.#openWork(job))];
  }

  /** Of a batch that is not open yet as well, or was cancelled by then: its steps may have ended, but for their callbacks. */
  async #openWork({ _id, kind }: JobDocument): Promise<readonly Moment[]> {
    if (kind === 'task') return [];
    return (await this.jobs.find({ parent: _id, role: { $in: ['step', 'postprocess'] }, isOpen: true })).map(endOf);
  }

  async #beforeTurn(job: JobDocument): Promise<readonly Moment[]> {
    const parent = await this.#parentOf(job);
    if (parent === undefined) return [];
    if (job.role === 'callback') return [{ of: 'outcome', id: parent._id }];
    if (parent.status !== 'active') return [{ of: 'turn', id: parent._id }];
    const steps = await this.jobs.find({ parent: parent._id, role: 'step', isOpen: true });
    const before = job.role === 'postprocess' ? steps : steps.filter(({ position = 0 }) => position < (job.position ?? 0)).slice(0, 1);
    return before.map(endOf);
  }

  async #parentOf({ parent }: JobDocument): Promise<JobDocument | undefined> {
    return parent === undefined ? undefined : this.jobs.get(parent);
  }
}

/** Nobody waits for any other job, so a chain of jobs that each wait for an earlier one is not walked along. */
function mayBeAwaited({ kind, parent, hasFollowers, hasCallbacks }: JobDocument): boolean {
  return kind !== 'task' || parent !== undefined || hasFollowers === true || hasCallbacks === true;
}

function endOf({ _id }: JobDocument): Moment {
  return { of: 'end', id: _id };
}

export function circular(id: ObjectId, followedJob: ObjectId): CircularJobError {
  return new CircularJobError(
    `the task of job ${id.toHexString()} returned job ${followedJob.toHexString()}, which waits for job ${id.toHexString()} itself`,
  );
}
