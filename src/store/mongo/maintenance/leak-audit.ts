/** Finds attempts and places that the store counts for a process which does not know of them: after a lost answer, or a late command. */

import { ObjectId } from 'mongodb';
import type { AttemptKey } from '../../store-messages.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import type { ClaimWrites } from '../local/claim-writes.js';
import type { LocalQueue } from '../local/local-queue.js';
import type { JobPlaces } from '../quotas/job-places.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Rescuer } from './rescuer.js';

export interface LeakAuditSources {
  readonly localQueue: LocalQueue;
  readonly collections: Collections;
  readonly jobPlaces: JobPlaces;
  readonly notifier: Notifier;
  readonly quotas: QuotaCache;
  readonly rescuer: Rescuer;
  readonly claimWrites: ClaimWrites;
  readonly time: ServerTime;
}

type Own = Pick<JobDocument, '_id' | 'token' | 'cancel'>;

/** A command under way explains that an attempt is unknown for a moment; one that is unknown for this long has been lost. */
const UNKNOWN_MS = 5_000;

export class LeakAudit {
  /** Owners and places that nobody seems to know, since when. */
  readonly #unknown = new Map<string, number>();

  constructor(private readonly sources: LeakAuditSources) {}

  /**
   * The attempts that belong to a dispatcher by the database, and have been handed out as far as is known here. Wishes to cancel them are
   * passed on.
   */
  async ofOwn(dispatcher: string): Promise<readonly AttemptKey[]> {
    const { collections, localQueue, claimWrites, notifier } = this.sources;
    const isOwn = { owner: dispatcher, status: { $in: ['active' as const, 'assigned' as const] }, waitsFor: { $exists: false } };
    const own = await collections.jobs.find<Own>(isOwn, { projection: { token: 1, cancel: 1 } });
    for (const { _id, cancel } of own) if (cancel !== undefined) notifier.cancelOf(dispatcher, _id.toHexString(), cancel.reason);
    const handedOut = own.filter((job) => !localQueue.has(job) && !claimWrites.isOpen(job.token ?? ''));
    return handedOut.map(({ _id, token = '' }) => ({ id: _id.toHexString(), token }));
  }

  /** Attempts of a dispatcher that nobody remembers are taken back like those of the dead. */
  async ofOwner(owner: string): Promise<void> {
    const isRun = { owner, status: { $in: ['active' as const, 'assigned' as const] }, waitsFor: { $exists: false } };
    const hasNone = (await this.sources.collections.jobs.findOne(isRun)) === null;
    if (this.#isLost(`owner ${owner}`, hasNone)) await this.sources.rescuer.takeOver(owner);
  }

  /** Places of dispatchers that nobody remembers, and of jobs that do not hold them. */
  async ofPlaces(known: ReadonlySet<string>): Promise<void> {
    const { quotas, jobPlaces, collections } = this.sources;
    for (const by of quotas.dispatchers) if (this.#isLost(`share ${by}`, known.has(by))) await jobPlaces.takeBack(by, []);
    const entries = quotas.held;
    if (entries.length === 0) return;
    const ids = entries.map((entry) => new ObjectId(entry.held.job));
    const holders = await collections.jobs.find({ _id: { $in: ids }, reservation: { $exists: true } }, { projection: { reservation: 1 } });
    const holds = new Set(holders.map((job) => `${job._id.toHexString()} ${job.reservation}`));
    for (const { name, held: entry } of entries) {
      const key = `${entry.job} ${entry.attempt}`;
      if (this.#isLost(`place ${name} ${key}`, holds.has(key))) await jobPlaces.dropEntry(name, entry);
    }
  }

  /** Whether something has been unknown for longer than any command is under way that would explain it. */
  #isLost(what: string, isKnown: boolean): boolean {
    const now = this.sources.time.estimate().getTime();
    const since = this.#unknown.get(what) ?? now;
    const isLost = !isKnown && now - since >= UNKNOWN_MS;
    if (isKnown || isLost) this.#unknown.delete(what);
    else this.#unknown.set(what, since);
    return isLost;
  }
}
