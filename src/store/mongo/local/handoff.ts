/** Gives a job whose turn has come straight to a dispatcher of this process that has room: nobody has to find and claim it. */

import { ObjectId } from 'mongodb';
import type { ClaimRequest } from '../../store-messages.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { PauseControl } from '../control/pause-control.js';
import type { Notifier } from '../feed/notifier.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import type { JobCollection, JobUpdate } from '../jobs/job-collection.js';
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

/** By queue: the dispatcher that claimed last, and how many more jobs it could have run. */
interface Room {
  readonly request: ClaimRequest;
  left: number;
}

export class Handoff {
  readonly #rooms = new Map<string, Room>();

  constructor(private readonly sources: HandoffSources) {}

  /** A dispatcher has claimed, and could run this many more. */
  hasRoom(request: ClaimRequest, left: number): void {
    this.#rooms.set(nameOf(request), { request, left });
  }

  /** Writes a job whose turn has come as a dispatcher's. @returns it, or `undefined` where none has room, or somebody was faster */
  async hand(job: JobDocument, written: JobUpdate): Promise<JobDocument | undefined> {
    const { jobs, leases, notifier, claimWrites } = this.sources;
    const room = this.#roomFor(job);
    const fence = room === undefined ? undefined : leases.fence(room.request.dispatcher);
    if (room === undefined || fence === undefined) return undefined;
    const { dispatcher } = room.request;
    const token = new ObjectId().toHexString();
    const as: JobUpdate = { ...written, bell: undefined, owner: dispatcher, token };
    room.left--;
    const [handed] = await claimWrites.under(dispatcher, { now: [], forLater: [job], token }, async () => {
      const after = await jobs.move(job, 'claimAhead', 'assigned', as, fence);
      return after === undefined ? [] : [after];
    });
    if (handed !== undefined) notifier.work(handed.queue);
    return handed;
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [name, { request }] of this.#rooms) if (request.dispatcher === dispatcher) this.#rooms.delete(name);
  }

  /** One that needs places is claimed, since others may wait for them; so is one for whose queue nobody is awake here. */
  #roomFor(job: JobDocument): Room | undefined {
    if (job.held !== undefined || Object.keys(job.quotas).length > 0) return undefined;
    if (!this.sources.notifier.isLookedAfter(job.queue)) return undefined;
    const taskVersion = taskVersionOfDocument(job);
    if (this.sources.pauses.isPaused(job.queue, taskVersion)) return undefined;
    return [...this.#rooms.values()].find(
      ({ request, left }) =>
        left > 0 &&
        request.queue === job.queue &&
        request.taskVersions.has(taskVersion) &&
        mayBeClaimedAhead(job, request) &&
        this.sources.leases.isAlive(request.dispatcher),
    );
  }
}
