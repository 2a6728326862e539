/** Opens batches that are due: their places become their own, then they are written as open, then their steps begin. */

import type { BackgroundRetry } from '../../async/background-retry.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { ServerExpression, transition } from '../jobs/job-update.js';
import { attemptKey } from '../local/running-attempts.js';
import type { JobPlaces } from '../quotas/job-places.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Completion } from '../settle/completion.js';
import type { OwnerRelease } from '../settle/owner-release.js';

export interface BatchOpenerSources {
  readonly collections: Collections;
  readonly jobPlaces: JobPlaces;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly ownerRelease: OwnerRelease;
  readonly placeUsage: PlaceUsage;
  readonly completion: Completion;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
}

export interface Opening {
  readonly dispatcher: string;
  readonly batch: JobDocument;
  /** Under which its places are in use. */
  readonly token: string;
}

/**
 * It has nine collaborators, since the order of places, status, and follow-ups is one thought: after a crash between two of them it goes
 * on.
 */
export class BatchOpener {
  constructor(private readonly sources: BatchOpenerSources) {}

  /** @returns whether it was opened here */
  async open(opening: Opening): Promise<boolean> {
    try {
      return await this.#open(opening);
    } catch (error) {
      // Sent again, rather than looked at: then it cannot be done after its places were given up.
      this.sources.backgroundRetry.schedule(async () => {
        await this.#open(opening);
      });
      throw error;
    }
  }

  /** Goes on where it was cut off. */
  async #open({ dispatcher, batch, token }: Opening): Promise<boolean> {
    const { placeUsage, jobPlaces, notifier, completion, ownerRelease } = this.sources;
    const id = batch._id.toHexString();
    const key = attemptKey({ id, token });
    const needsPlaces = batch.reservation === undefined && Object.keys(batch.places).length > 0;
    const isKept =
      !needsPlaces ||
      jobPlaces.has({ id: batch._id, attempt: token, places: batch.places }) ||
      (await placeUsage.keepFor(id, { attempt: token, key }));
    const opened = isKept ? await this.#opened(dispatcher, batch, needsPlaces ? token : batch.reservation) : undefined;
    await placeUsage.free(key);
    // Somebody else has opened it, with places of its own.
    if (opened === undefined) {
      if (needsPlaces) await jobPlaces.drop({ ...batch, reservation: token });
      return false;
    }
    notifier.changed(opened);
    await completion.open(opened);
    ownerRelease.add(opened);
    return true;
  }

  /** The batch, unless somebody else has opened it; its dispatcher owns it until its steps have begun. */
  async #opened(dispatcher: string, batch: JobDocument, reservation: string | undefined): Promise<JobDocument | undefined> {
    const { collections, leases, time } = this.sources;
    const fence = leases.fence(dispatcher);
    const opening = transition('claim', {
      where: { _id: batch._id, $expr: fence ?? false },
      to: 'active',
      set: {
        waitsFor: 'steps',
        owner: dispatcher,
        attempts: 1,
        startedAt: new ServerExpression(time.now),
        pendingSignal: undefined,
        pendingBeginBy: undefined,
        reservation,
      },
    });
    const opened = await collections.jobs.findOneAndUpdate(...opening, { returnDocument: 'after', hint: { _id: 1 } });
    // If another process has cancelled it since, that one handles it.
    const isOpenedHere = { $or: [{ owner: dispatcher }, ...(reservation === undefined ? [] : [{ reservation }])] };
    return (
      opened ?? (await collections.jobs.findOne({ _id: batch._id, status: 'active', waitsFor: 'steps', ...isOpenedHere })) ?? undefined
    );
  }
}
