/** Cancels the jobs below batches, level by level: one write ends those that wait, another asks those that run to end. */

import type { ObjectId } from 'mongodb';
import { isWaiting, WAITING } from '../../../job/job-status.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { transition, updateOf } from '../jobs/job-update.js';
import { cancelEffect, endWithWhatIsBelow, requestEndUpdate } from '../jobs/transition-updates.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import type { CancelledBatches } from './cancelled-batches.js';
import type { OwnerRelease } from './owner-release.js';

export interface CancellationSources {
  readonly cancelled: CancelledBatches;
  readonly collections: Collections;
  readonly notifier: Notifier;
  readonly ownerRelease: OwnerRelease;
  readonly placeSavings: PlaceSavings;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
  /** This process, which handles what follows. */
  readonly process: string;
}

/** The steps for a single job whose end has more effects than a write for many jobs can have. */
export interface CancellationActions {
  cancel(id: ObjectId, reason: string | undefined): Promise<void>;
  followUp(job: JobDocument): Promise<void>;
  advance(batch: ObjectId): Promise<void>;
}

/** The parts of batches that are to be cancelled, and why. */
export interface Cut {
  readonly batches: readonly ObjectId[];
  readonly reason: string | undefined;
  /** Which parts are meant, if not all. */
  readonly parts?: Where<JobDocument>;
}

type Part = Pick<JobDocument, '_id' | 'kind' | 'lane' | 'status' | 'owner' | 'followedJob'>;

/** How many jobs are cancelled by one write at most. */
const AT_ONCE = 10_000;
const PART = { kind: 1, lane: 1, status: 1, owner: 1, followedJob: 1 } as const;
const IS_OPEN_PART = { role: { $in: ['step' as const, 'postprocess' as const] }, isOpen: true as const };
const IS_UNDER_WAY = { $in: ['active' as const, 'assigned' as const] };
const MAY_BE_CANCELLED = { status: { $in: [...WAITING, ...IS_UNDER_WAY.$in] }, cancel: { $exists: false } };
/** The end of such a batch concerns only the batch that it is in. */
const IS_PLAIN = { hasCallbacks: { $exists: false }, hasFollowers: { $exists: false }, reservation: { $exists: false } };

export class Cancellation {
  constructor(
    private readonly sources: CancellationSources,
    private readonly actions: CancellationActions,
  ) {}

  /**
   * Once it resolves, none of these jobs can begin any more, on any level. Called again, it goes on where it was interrupted.
   * @returns whether there was anything left to cancel in the batches themselves
   */
  async cut(top: Cut): Promise<boolean> {
    const isAny = await this.#cancelParts(top);
    const below: Cut[] = [];
    for (let level = await this.#batchesBelow(top); level.length > 0; ) {
      below.push(...level);
      const next: Cut[] = [];
      for (const cut of level) {
        await this.#cancelParts(cut);
        next.push(...(await this.#batchesBelow(cut)));
      }
      level = next;
    }
    for (const { batches } of below.reverse()) await this.#endBatches(batches);
    return isAny;
  }

  /** Repeats until none is left: a job may move between the read and the write. */
  async #cancelParts({ batches, reason, parts: which = {} }: Cut): Promise<boolean> {
    const isLeft: Where<JobDocument> = { parent: { $in: [...batches] }, ...IS_OPEN_PART, ...MAY_BE_CANCELLED, ...which };
    for (let isAny = false; ; isAny = true) {
      const parts = await this.sources.collections.jobs.find<Part>(isLeft, { projection: PART, limit: AT_ONCE });
      if (parts.length === 0) return isAny;
      const followers = parts.filter(({ followedJob }) => followedJob !== undefined);
      const others = parts.filter(({ followedJob }) => followedJob === undefined);
      // First, so that batches among them let nothing begin meanwhile.
      const underWay = others.filter(({ status }) => !isWaiting(status));
      await this.#ask(underWay, reason);
      const waiting = others.filter(({ status }) => isWaiting(status));
      await this.#end(waiting, reason);
      for (const { _id } of followers) await this.actions.cancel(_id, reason);
    }
  }

  /** The dispatcher that runs a job is notified; for a batch, this process handles the jobs below it. */
  async #ask(parts: readonly Part[], reason: string | undefined): Promise<void> {
    const { cancelled, collections, notifier, process } = this.sources;
    if (parts.length === 0) return;
    for (const { _id, kind } of parts) if (kind !== 'task') cancelled.add(_id.toHexString());
    const isStill = { _id: { $in: idsOf(parts) }, status: IS_UNDER_WAY, followedJob: { $exists: false }, cancel: { $exists: false } };
    await collections.jobs.updateMany(isStill, updateOf(requestEndUpdate(reason, process)), { hint: { _id: 1 } });
    for (const { _id, kind, owner } of parts) {
      if (owner !== undefined && kind === 'task') notifier.cancelOf(owner, _id.toHexString(), reason);
      notifier.changed({ _id });
    }
  }

  /** One job of each lane signals it: a claim may have found only these in it. */
  async #end(parts: readonly Part[], reason: string | undefined): Promise<void> {
    const { collections, notifier, process, placeSavings, time, backgroundRetry } = this.sources;
    if (parts.length === 0) return;
    const ids = idsOf(parts);
    const lanes = new Map(parts.flatMap(({ _id, lane, status }) => (status === 'pending' ? [[lane, _id] as const] : [])));
    const effect = cancelEffect(reason, { time, by: process, signalling: [...lanes.values()] });
    const cancel = transition('cancel', { ...effect, where: { _id: { $in: ids } } });
    const write = collections.jobs.updateMany(...cancel, { hint: { _id: 1 } });
    await write.catch((error: unknown): never => {
      backgroundRetry.schedule(() => this.#end(parts, reason));
      throw error;
    });
    for (const lane of lanes.keys()) {
      placeSavings.stop(lane);
      notifier.found(lane);
    }
    const owned = await collections.jobs.find({ _id: { $in: ids }, owner: process, kind: 'task', outcome: { $exists: true } });
    await this.#tell(ids, owned);
    for (const job of owned) await this.actions.followUp(job);
  }

  /** Publishes the ends that one write has made for many jobs. @param but - jobs whose outcome is published elsewhere */
  async #tell(ids: readonly ObjectId[], but: readonly JobDocument[] = []): Promise<void> {
    const { collections, notifier } = this.sources;
    for (const _id of ids) notifier.changed({ _id });
    if (!notifier.areOutcomesHeard || ids.length === 0) return;
    const told = new Set(but.map(({ _id }) => _id.toHexString()));
    const ended = await collections.jobs.find({ _id: { $in: [...ids] }, outcome: { $exists: true } });
    for (const job of ended) if (!told.has(job._id.toHexString())) notifier.outcome(job);
  }

  /** The open batches that were cancelled, by any process; the jobs below each are cancelled for its reason. */
  async #batchesBelow({ batches }: Cut): Promise<readonly Cut[]> {
    const isCancelled = [{ cancel: { $exists: true } }, { 'outcome.kind': 'cancelled' as const }];
    const filter: Where<JobDocument> = { parent: { $in: [...batches] }, ...IS_OPEN_PART, kind: { $ne: 'task' }, $or: isCancelled };
    const options = { projection: { cancel: 1, outcome: 1 } };
    const found = await this.sources.collections.jobs.find<Pick<JobDocument, '_id' | 'cancel' | 'outcome'>>(filter, options);
    const byReason = new Map<string | undefined, ObjectId[]>();
    for (const { _id, cancel, outcome } of found) {
      const { reason } = cancel ?? outcome ?? {};
      const same = byReason.get(reason) ?? [];
      same.push(_id);
      byReason.set(reason, same);
    }
    return [...byReason].map(([reason, ids]) => ({ batches: ids, reason }));
  }

  /** Ends the batches below which nothing is open any more; each of the others ends with its last job. */
  async #endBatches(ids: readonly ObjectId[]): Promise<void> {
    const { collections, process, ownerRelease, time } = this.sources;
    const open = await collections.jobs.find({ _id: { $in: [...ids] }, isOpen: true });
    const parents = await collections.jobs.distinct('parent', { parent: { $in: [...ids] }, ...IS_OPEN_PART });
    const busy = new Set(parents.map(String));
    const isOver = (batch: JobDocument): boolean => isPlain(batch) && !busy.has(batch._id.toHexString());
    const over = open.filter(isOver);
    if (over.length > 0) {
      const where = { _id: { $in: idsOf(over) }, isOpen: true as const, ...IS_PLAIN };
      const end = transition(['end', 'finish'], { ...endWithWhatIsBelow(time), where, from: ['active', 'callbacks'] });
      await collections.jobs.updateMany(...end, { hint: { _id: 1 } });
      await this.#tell(idsOf(over.filter(({ outcome }) => outcome === undefined)));
      for (const { _id } of over) this.sources.notifier.changed({ _id });
    }
    for (const batch of open.filter((one) => !isOver(one))) {
      if (!isPlain(batch)) await (batch.outcome === undefined ? this.actions.advance(batch._id) : this.actions.followUp(batch));
      if (batch.owner === process) ownerRelease.add(batch);
    }
  }
}

function isPlain({ hasCallbacks, hasFollowers, reservation }: JobDocument): boolean {
  return hasCallbacks === undefined && hasFollowers === undefined && reservation === undefined;
}

function idsOf(jobs: readonly Pick<JobDocument, '_id'>[]): ObjectId[] {
  return jobs.map(({ _id }) => _id);
}
