/** Turns the documents that a claim has won into claimed jobs for a dispatcher; a job that cannot be handed out is put back. */

import type { ObjectId } from 'mongodb';
import type { JobReference } from '../../../job/job-reference.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { ClaimedJob } from '../../store-messages.js';
import { referenceOf, reportedOf, toJob } from '../jobs/job-codec.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { AttemptTransitions } from '../settle/attempt-transitions.js';
import { type CancelledBatches, isPart } from '../settle/cancelled-batches.js';
import type { Completion } from '../settle/completion.js';

export interface ClaimedJobsSources {
  readonly transitions: AttemptTransitions;
  readonly cancelled: CancelledBatches;
  readonly collections: Collections;
  readonly completion: Completion;
  readonly backgroundRetry: BackgroundRetry;
}

export class ClaimedJobs {
  constructor(private readonly sources: ClaimedJobsSources) {}

  /** @throws if none of them can be read */
  async handOut(won: readonly JobDocument[]): Promise<readonly ClaimedJob[]> {
    const claimed = await this.#notCancelled(won);
    const read = await Promise.allSettled(claimed.map((job) => this.#claimedJob(job)));
    for (const job of claimed.filter((_, index) => read[index]?.status === 'rejected')) this.#putBackLater(job);
    const handedOut = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const errors = read.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    if (handedOut.length === 0 && errors.length > 0) throw errors[0];
    return handedOut;
  }

  /** Puts back the jobs whose batch was cancelled during the claim. */
  async #notCancelled(claimed: readonly JobDocument[]): Promise<readonly JobDocument[]> {
    const { cancelled, backgroundRetry } = this.sources;
    if (claimed.some(isPart)) await cancelled.complete();
    const isCancelled = (job: JobDocument): boolean => cancelled.isAbove(job);
    for (const job of claimed.filter(isCancelled)) await backgroundRetry.run(() => this.#putBack(job));
    return claimed.filter((job) => !isCancelled(job));
  }

  /** Not at once, or the next claim would take the same job again. */
  #putBackLater(job: JobDocument): void {
    this.sources.backgroundRetry.schedule(() => this.#putBack(job));
  }

  async #putBack({ _id, token = '' }: JobDocument): Promise<void> {
    await this.sources.transitions.release({ id: _id.toHexString(), token, hasBegun: false });
  }

  async #claimedJob(document: JobDocument): Promise<ClaimedJob> {
    const { token = '', attempts, failures } = document;
    const job = toJob(document);
    const attempt = { token, number: attempts, failures };
    const input = job.callbackInput === 'none' || document.parent === undefined ? undefined : await this.#input(document, document.parent);
    const reported = reportedOf(document);
    return { job, attempt, ...(input === undefined ? {} : { input }), ...(reported.size === 0 ? {} : { reported }) };
  }

  async #input({ callbackInput }: JobDocument, parent: ObjectId): Promise<ClaimedJob['input']> {
    const { collections, completion } = this.sources;
    if (callbackInput !== 'jobs') return completion.outcomeOf((await collections.jobs.findOne({ _id: parent })) ?? undefined);
    const steps = await collections.jobs.find({ parent, role: 'step' }, { sort: { position: 1 } });
    return steps.map(referenceOf) satisfies readonly JobReference[];
  }
}
