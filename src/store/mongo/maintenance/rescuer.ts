/** Takes over from processes that are gone: the jobs and places of dead dispatchers, and unfinished follow-ups. */

import { afterInterruption } from '../../../job/attempt-rule.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { referenceOf } from '../jobs/job-codec.js';
import { transition } from '../jobs/job-update.js';
import { HAND_BACK } from '../jobs/transition-updates.js';
import type { JobPlaces, PlaceOwner } from '../quotas/job-places.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import type { AttemptTransitions } from '../settle/attempt-transitions.js';
import type { Completion } from '../settle/completion.js';

export interface RescuerSources {
  readonly transitions: AttemptTransitions;
  readonly collections: Collections;
  readonly jobPlaces: JobPlaces;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly completion: Completion;
  readonly time: ServerTime;
  /** Lets go of all that this process remembers of a dispatcher. */
  readonly forget: (dispatcher: string) => void;
}

const AT_ONCE = 200;
/** After this many jobs, other work has a turn. */
const BETWEEN = 20;
/** The follow-up of an end takes milliseconds; if it is not done after this time, the process that had begun it is gone. */
const LEFT_UNDONE_MS = 30_000;

export class Rescuer {
  constructor(private readonly sources: RescuerSources) {}

  /**
   * Jobs and places of a dispatcher that is dead, or has given its lease up; each step may be done twice.
   * @param between - done after some jobs, and at the end
   */
  async takeOver(dead: string, between: () => Promise<void> = async () => {}): Promise<void> {
    const { collections, transitions, jobPlaces, leases } = this.sources;
    this.sources.forget(dead);
    await this.#putBack(dead);
    const isRunning = { owner: dead, status: 'active' as const, waitsFor: { $exists: false } };
    const left = await collections.jobs.find(isRunning, { sort: { startedAt: 1, _id: 1 } });
    // Before they are pending: nobody may have the places of those that are to go on with them.
    await jobPlaces.takeBack(dead, left.filter(needsReservation).map(keeperOf));
    for (const [index, { _id, token = '' }] of left.entries()) {
      await transitions.interrupt({ id: _id.toHexString(), token });
      if (index % BETWEEN === BETWEEN - 1) await between();
    }
    await this.resumeFollowUps({ owner: dead }, 0);
    await leases.buried(dead);
    await between();
  }

  /**
   * The follow-up of an end or an opening that was not done soon after is done by the first process that looks; doing it twice does no
   * harm.
   */
  async resumeFollowUps(owner: Where<JobDocument>, afterMs: number = LEFT_UNDONE_MS): Promise<void> {
    const { collections, time, completion } = this.sources;
    const longAgo = new Date(time.estimate().getTime() - afterMs);
    const isUndone: Where<JobDocument> = {
      ...owner,
      status: { $in: ['blocked', 'active', 'callbacks', 'completed', 'failed', 'cancelled'] },
      $or: [
        { endedAt: { $lte: longAgo } },
        { waitsFor: { $exists: true }, startedAt: { $lte: longAgo } },
        { status: 'blocked', queuedAt: { $lte: longAgo } },
      ],
    };
    for (const job of await collections.jobs.find(isUndone, { limit: AT_ONCE })) await completion.resume(job);
  }

  /** Jobs that were claimed ahead have not begun: they return to their places as if they had never been claimed. */
  async #putBack(dead: string): Promise<void> {
    const { collections, notifier, transitions } = this.sources;
    const isAhead = { owner: dead, status: 'assigned' as const };
    const back = transition('handBack', { ...HAND_BACK, where: { owner: dead, cancel: { $exists: false } }, from: ['assigned'] });
    const ahead = await collections.jobs.find<Pick<JobDocument, 'lane'>>(isAhead, { projection: { lane: 1 } });
    if (ahead.length === 0) return;
    await collections.jobs.updateMany(...back, { hint: 'owner' });
    for (const job of await collections.jobs.find(isAhead)) await transitions.putBack(job);
    for (const lane of new Set(ahead.map((job) => job.lane))) notifier.found(lane);
  }
}

/** Whether a job keeps its places for its next attempt, and does not hold them in its own name yet. */
function needsReservation(job: JobDocument): boolean {
  const sequel = afterInterruption(referenceOf(job), job.interruptionPolicy, job);
  return sequel.next === 'at-once' && job.reservation === undefined && Object.keys(job.places).length > 0;
}

function keeperOf({ _id, token = '', places }: JobDocument): PlaceOwner {
  return { id: _id, attempt: token, places };
}
