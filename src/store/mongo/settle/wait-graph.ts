/** Answers the searches of the wait rule over the jobs of the database. */

import type { ObjectId } from 'mongodb';
import * as rule from '../../../job/wait-rule.js';
import { objectIdOf } from '../jobs/job-collection.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

/** By id, the jobs that one search has read. */
type ReadJobs = Map<string, JobDocument>;

export class WaitGraph {
  constructor(
    private readonly collections: Collections,
    private readonly quotas: QuotaCache,
  ) {}

  /**
   * Whether the end of a job has to wait for the outcome of another, over however many jobs.
   * @param known - the jobs that have been read just now
   */
  async waitsFor(id: ObjectId, other: JobDocument, known: readonly JobDocument[] = []): Promise<boolean> {
    if (!id.equals(other._id) && !mayBeAwaited(other)) return false;
    const job = known.find(({ _id }) => _id.equals(id)) ?? (await this.collections.jobs.causal.findOne({ _id: id }));
    return job !== null && this.#search(rule.waitsFor(waitingJob(job), other._id.toHexString()), [...known, job]);
  }

  /** A quota of which the waiters of a job hold so much that another job, or one that it waits for, could not start before they end. */
  async quotaHeldAround(job: JobDocument, other: JobDocument): Promise<string | undefined> {
    if (job.parent === undefined && job.hasFollowers !== true) return undefined;
    const needed = await this.#search(rule.placesNeeded(waitingJob(other)), [other]);
    const names = new Set(needed.flatMap((places) => Object.keys(places)));
    if (names.size === 0) return undefined;
    await this.quotas.refresh();
    // The job gives back the places that it holds itself.
    const own = job._id.toHexString();
    if (!this.quotas.held.some(({ name, held }) => names.has(name) && held.job !== own)) return undefined;
    const waiters = await this.#search(rule.waitersOf(waitingJob(job)), [job]);
    return rule.quotaLacking(
      needed,
      waiters.map((id) => this.quotas.heldBy(id)),
      this.quotas.book,
    );
  }

  async #search<T>(search: rule.Search<T>, known: readonly JobDocument[]): Promise<T> {
    const read: ReadJobs = new Map(known.map((job) => [job._id.toHexString(), job]));
    for (let step = search.next(); ; ) {
      if (step.done === true) return step.value;
      const found = await this.#answer(step.value, read);
      for (const job of found) read.set(job._id.toHexString(), job);
      step = search.next(found.map(waitingJob));
    }
  }

  /** Sends no command for a job that was read, or for callbacks, steps or followers that a job does not have. */
  async #answer(question: rule.Question, read: ReadJobs): Promise<readonly JobDocument[]> {
    const _id = objectIdOf(question.id);
    const job = read.get(question.id);
    const { causal } = this.collections.jobs;
    if (_id === undefined) return [];
    if (question.find === 'job') return job === undefined ? causal.find({ _id }) : [job];
    if (question.find === 'followers') return job?.hasFollowers === true ? causal.find({ followedJob: _id, isOpen: true }) : [];
    const roles = question.roles.filter((role) => (role === 'callback' ? job?.hasCallbacks === true : job?.kind !== 'task'));
    return roles.length === 0 ? [] : causal.find({ parent: _id, role: { $in: roles }, isOpen: true });
  }
}

/** No job waits for any other one. Without this, a chain of jobs that each wait for an earlier one would be walked along. */
function mayBeAwaited({ kind, parent, hasFollowers, hasCallbacks }: JobDocument): boolean {
  return kind !== 'task' || parent !== undefined || hasFollowers === true || hasCallbacks === true;
}

function waitingJob(document: JobDocument): rule.WaitingJob {
  const { _id, parent, role, position, places, status, waitsFor, followedJob, outcome } = document;
  const followed = followedJob === undefined ? undefined : { job: followedJob.toHexString() };
  return {
    job: { id: _id.toHexString(), parent: parent?.toHexString(), role, position, places },
    state: { status, outcome, waitsFor: followed ?? (waitsFor === 'steps' ? waitsFor : undefined) },
  };
}
