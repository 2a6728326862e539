/** Gives a job whose turn has come straight to a dispatcher of this process that has room: nobody has to find and claim it. */

import { ObjectId } from 'mongodb';
import type { ClaimRequest } from '../../store-messages.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { PauseControl } from '../control/pause-control.js';
import type { Notifier } from '../feed/notifier.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import type { JobCollection } from '../jobs/job-collection.js';
import type { JobUpdate } from '../jobs/job-update.js';
import type { JobDocument } from '../schema/documents.js';
import { type ClaimWrites, nameOf } from './claim-writes.js';
import { mayBeClaimedAhead } from './known-lanes.js';

export interface HandoffSources {
  readonly jobs: JobCollection;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly pauses: PauseControl;
  readonly claimWrites: ClaimWrites;
}

/** The last claim of a dispatcher for a queue, and how many more jobs it could have run. */
interface SpareCapacity {
  readonly request: ClaimRequest;
  left: number;
}

export class Handoff {
  readonly #spare = new Map<string, SpareCapacity>();

  constructor(private readonly sources: HandoffSources) {}

  /** A dispatcher has claimed, and could run some more. */
  noteSpare(request: ClaimRequest, left: number): void {
    this.#spare.set(nameOf(request), { request, left });
  }

  /**
   * Writes a job whose turn has come as a dispatcher's.
   * @returns it, or `undefined` where none has spare capacity, or another process was faster
   */
  async hand(job: JobDocument, written: JobUpdate): Promise<JobDocument | undefined> {
    const { jobs, leases, notifier, claimWrites } = this.sources;
    const spare = this.#spareFor(job);
    const fence = spare === undefined ? undefined : leases.fence(spare.request.dispatcher);
    if (spare === undefined || fence === undefined) return undefined;
    const { dispatcher } = spare.request;
    const token = new ObjectId().toHexString();
    const as: JobUpdate = { ...written, pendingSignal: undefined, owner: dispatcher, token };
    spare.left--;
    const [handed] = await claimWrites.under(dispatcher, { now: [], forLater: [job], token }, async () => {
      const after = await jobs.move(job, 'claimAhead', 'assigned', as, fence);
      return after === undefined ? [] : [after];
    });
    if (handed !== undefined) notifier.work(handed.queue);
    return handed;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [name, { request }] of this.#spare) if (request.dispatcher === dispatcher) this.#spare.delete(name);
  }

  /**
   * A job that needs places is claimed instead, since other dispatchers may wait for them; so is one whose queue no agent here listens to.
   */
  #spareFor(job: JobDocument): SpareCapacity | undefined {
    if (job.reservation !== undefined || Object.keys(job.places).length > 0) return undefined;
    if (!this.sources.notifier.isLookedAfter(job.queue)) return undefined;
    const taskVersion = taskVersionOfDocument(job);
    if (this.sources.pauses.isPaused(job.queue, taskVersion)) return undefined;
    return [...this.#spare.values()].find(
      ({ request, left }) =>
        left > 0 &&
        request.queue === job.queue &&
        request.taskVersions.has(taskVersion) &&
        mayBeClaimedAhead(job, request) &&
        this.sources.leases.isAlive(request.dispatcher),
    );
  }
}
