/** Finds what the store counts for somebody who does not know of it: where an answer was lost, or a command was done late. */

import { ObjectId } from 'mongodb';
import type { AttemptKey } from '../../job-store.js';
import type { ServerTime } from '../driver/server-time.js';
import type { News } from '../feed/notifier.js';
import type { Takes } from '../local/claim-writes.js';
import type { Ahead } from '../local/local-queue.js';
import type { HeldPlaces } from '../quotas/job-places.js';
import type { Quotas } from '../quotas/quota-cache.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Recovery } from './rescuer.js';

export interface AuditSources {
  readonly ahead: Ahead;
  readonly collections: Collections;
  readonly held: HeldPlaces;
  readonly news: News;
  readonly quotas: Quotas;
  readonly recovery: Recovery;
  readonly takes: Takes;
  readonly time: ServerTime;
}

type Own = Pick<JobDocument, '_id' | 'token' | 'cancel'>;

/** A command under way explains that something is unknown for a moment; what is unknown for so long has been lost. */
const UNKNOWN_MS = 5_000;

export class Audit {
  /** Owners and places that nobody seems to know, since when. */
  readonly #unknown = new Map<string, number>();

  constructor(private readonly sources: AuditSources) {}

  /** The attempts that belong to a dispatcher by the database, and have been handed out as far as is known here. Wishes to cancel them are passed on. */
  async ofOwn(dispatcher: string): Promise<readonly AttemptKey[]> {
    const { collections, ahead, takes, news } = this.sources;
    const isOwn = { owner: dispatcher, status: { $in: ['active' as const, 'assigned' as const] }, waiting: { $exists: false } };
    const own = await collections.jobs.find<Own>(isOwn, { projection: { token: 1, cancel: 1 } });
    for (const { _id, cancel } of own) if (cancel !== undefined) news.cancelOf(dispatcher, _id.toHexString(), cancel.reason);
    const handedOut = own.filter((job) => !ahead.has(job) && !takes.isOpen(job.token ?? ''));
    return handedOut.map(({ _id, token = '' }) => ({ id: _id.toHexString(), token }));
  }

  /** Attempts of a dispatcher that nobody remembers are taken back like those of the dead. */
  async ofOwner(owner: string): Promise<void> {
    const isRun = { owner, status: { $in: ['active' as const, 'assigned' as const] }, waiting: { $exists: false } };
    const hasNone = (await this.sources.collections.jobs.findOne(isRun)) === null;
    if (this.#isLost(`owner ${owner}`, hasNone)) await this.sources.recovery.takeBack(owner);
  }

  /** Places of dispatchers that nobody remembers, and of jobs that do not hold them. */
  async ofPlaces(known: ReadonlySet<string>): Promise<void> {
    const { quotas, held, collections } = this.sources;
    for (const by of quotas.dispatchers) if (this.#isLost(`share ${by}`, known.has(by))) await held.takeBack(by, []);
    const entries = quotas.held;
    if (entries.length === 0) return;
    const ids = entries.map((entry) => new ObjectId(entry.held.job));
    const holders = await collections.jobs.find({ _id: { $in: ids }, held: { $exists: true } }, { projection: { held: 1 } });
    const holds = new Set(holders.map((job) => `${job._id.toHexString()} ${job.held}`));
    for (const { name, held: entry } of entries) {
      const key = `${entry.job} ${entry.attempt}`;
      if (this.#isLost(`place ${name} ${key}`, holds.has(key))) await held.dropEntry(name, entry);
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
