/** Opens batches that are due: their places become their own, then they are written as open, then their steps begin. */

import type { Unfinished } from '../../async/background-retry.js';
import type { Leases } from '../control/dispatcher-leases.js';
import type { ServerTime } from '../driver/server-time.js';
import type { News } from '../feed/notifier.js';
import { asPipeline, Computed } from '../jobs/job-collection.js';
import { attemptKey } from '../local/running-attempts.js';
import type { HeldPlaces } from '../quotas/job-places.js';
import type { Uses } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import type { Tender } from '../settle/completion.js';
import type { Relief } from '../settle/owner-release.js';

export interface OpeningSources {
  readonly collections: Collections;
  readonly held: HeldPlaces;
  readonly leases: Leases;
  readonly news: News;
  readonly relief: Relief;
  readonly uses: Uses;
  readonly tender: Tender;
  readonly time: ServerTime;
  readonly unfinished: Unfinished;
}

export interface Opening {
  readonly dispatcher: string;
  readonly batch: JobDocument;
  /** Under which its places are in use. */
  readonly token: string;
}

export class Openings {
  constructor(private readonly sources: OpeningSources) {}

  /** @returns whether it was opened here */
  async open(opening: Opening): Promise<boolean> {
    try {
      return await this.#open(opening);
    } catch (error) {
      // Sent again, rather than looked at: then it cannot be done after its places were given up.
      this.sources.unfinished.again(async () => {
        await this.#open(opening);
      });
      throw error;
    }
  }

  /** Goes on where it was cut off. */
  async #open({ dispatcher, batch, token }: Opening): Promise<boolean> {
    const { uses, held, news, tender, relief } = this.sources;
    const id = batch._id.toHexString();
    const key = attemptKey({ id, token });
    const needsPlaces = batch.held === undefined && Object.keys(batch.quotas).length > 0;
    const isKept =
      !needsPlaces ||
      held.has({ id: batch._id, attempt: token, places: batch.quotas }) ||
      (await uses.keepFor(id, { attempt: token, key }));
    const opened = isKept ? await this.#opened(dispatcher, batch, needsPlaces ? token : batch.held) : undefined;
    await uses.free(key);
    // Somebody else has opened it, with places of its own.
    if (opened === undefined) {
      if (needsPlaces) await held.drop({ ...batch, held: token });
      return false;
    }
    news.changed(opened);
    await tender.open(opened);
    relief.add(opened);
    return true;
  }

  /** The batch, unless somebody else has opened it; its dispatcher owns it until its steps have begun. */
  async #opened(dispatcher: string, batch: JobDocument, held: string | undefined): Promise<JobDocument | undefined> {
    const { collections, leases, time } = this.sources;
    const fence = leases.fence(dispatcher);
    const written = asPipeline({
      status: 'active',
      waiting: 'steps',
      owner: dispatcher,
      attempts: 1,
      startedAt: new Computed(time.now),
      bell: undefined,
      startBy: undefined,
      held,
    });
    const filter: Where<JobDocument> = { _id: batch._id, status: 'pending' as const, $expr: fence ?? false };
    const opened = await collections.jobs.findOneAndUpdate(filter, [{ $set: written }], { returnDocument: 'after', hint: { _id: 1 } });
    // If another process has cancelled it since, that one handles it.
    const isOpenedHere = { $or: [{ owner: dispatcher }, ...(held === undefined ? [] : [{ held }])] };
    return opened ?? (await collections.jobs.findOne({ _id: batch._id, status: 'active', waiting: 'steps', ...isOpenedHere })) ?? undefined;
  }
}
