/** Takes jobs by one conditional write; if its answer is lost, the jobs go back. */

import type { ObjectId } from 'mongodb';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import { type Expression, literal, numberIn } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import { either, type JobUpdate, ServerExpression, transition } from '../jobs/job-update.js';
import { HAND_BACK } from '../jobs/transition-updates.js';
import type { Asker } from '../quotas/place-leases.js';
import type { PlaceUsage } from '../quotas/place-usage.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { LocalQueue } from './local-queue.js';
import { attemptKey } from './running-attempts.js';

export interface ClaimWritesSources {
  readonly localQueue: LocalQueue;
  readonly collections: Collections;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
  readonly placeUsage: PlaceUsage;
}

/** The jobs to take under one token: to run now, and ahead. */
export interface ClaimSet {
  readonly now: readonly JobDocument[];
  readonly forLater: readonly JobDocument[];
  readonly token: string;
  /** Those of them whose attempts end in transactions. */
  readonly isTransactional?: readonly JobDocument[];
}

export class ClaimWrites {
  /** The tokens of writes that have not been answered; the places of their jobs stay in use. */
  readonly #open = new Set<string>();
  readonly #undoing = new Set<Promise<void>>();

  constructor(private readonly sources: ClaimWritesSources) {}

  /** @returns the jobs that were taken; those taken ahead are in `ahead`. The places of all others are free again. */
  async write(dispatcher: string, chosen: ClaimSet): Promise<readonly JobDocument[]> {
    if (chosen.now.length + chosen.forLater.length === 0) return [];
    return this.under(dispatcher, chosen, () => this.#write(dispatcher, chosen));
  }

  /** Runs a write that takes jobs under a token. If it is not answered, its jobs go back: they have not begun. */
  async under(dispatcher: string, chosen: ClaimSet, write: () => Promise<readonly JobDocument[]>): Promise<readonly JobDocument[]> {
    this.#open.add(chosen.token);
    try {
      return this.#known(dispatcher, chosen, await write());
    } catch (error) {
      const undoing = this.sources.backgroundRetry.run(() => this.#undo(dispatcher, chosen)).finally(() => this.#undoing.delete(undoing));
      this.#undoing.add(undoing);
      throw error;
    }
  }

  /** Resolves when unanswered writes have been undone, or a first try to undo them has failed. */
  async undone(): Promise<void> {
    await Promise.all(this.#undoing);
  }

  /** Whether the write under a token has not been answered yet. */
  isOpen(token: string): boolean {
    return this.#open.has(token);
  }

  /** Closes the token and adds the jobs taken ahead in the same turn, so that a round finds them in one of the two places. */
  #known(dispatcher: string, { now, token }: ClaimSet, taken: readonly JobDocument[]): readonly JobDocument[] {
    const ids = new Set(taken.map(({ _id }) => _id.toHexString()));
    const lost = now.filter(({ _id }) => !ids.has(_id.toHexString()));
    this.#close(token, lost);
    const later = taken.filter(({ status }) => status === 'assigned');
    this.sources.localQueue.add(dispatcher, later);
    return taken;
  }

  /**
   * Uses a write, since a read may not see the lost write yet. If that is done even later, a round finds its jobs, and also those with a
   * wish to cancel.
   */
  async #undo(dispatcher: string, chosen: ClaimSet): Promise<void> {
    const { collections, notifier } = this.sources;
    const jobs = [...chosen.now, ...chosen.forLater];
    const where = { _id: { $in: idsOf(jobs) }, owner: dispatcher, token: chosen.token, cancel: { $exists: false } };
    await collections.jobs.updateMany(...transition('handBack', { ...HAND_BACK, where }), { hint: { _id: 1 } });
    this.#close(chosen.token, chosen.now);
    for (const lane of new Set(jobs.map((job) => job.lane))) notifier.found(lane);
  }

  /** @param left - the jobs whose places are free */
  #close(token: string, left: readonly JobDocument[]): void {
    this.#open.delete(token);
    for (const { _id } of left) this.sources.placeUsage.freeSoon(attemptKey({ id: _id.toHexString(), token }));
  }

  async #write(dispatcher: string, chosen: ClaimSet): Promise<readonly JobDocument[]> {
    const { collections, leases, time } = this.sources;
    const { now, forLater, token, isTransactional = [] } = chosen;
    const fence = leases.fence(dispatcher);
    if (fence === undefined) return [];
    const ids = idsOf([...now, ...forLater]);
    const inTime: Expression = {
      $or: [{ $gt: ['$attempts', 0] }, { $lt: [time.now, { $ifNull: ['$pendingBeginBy', new Date(8.64e15)] }] }],
    };
    const isNow: Expression = { $in: ['$_id', literal(idsOf(now))] };
    const set: JobUpdate = {
      owner: dispatcher,
      token,
      startedAt: new ServerExpression({ $cond: [isNow, time.now, '$startedAt'] }),
      attempts: new ServerExpression({ $add: [numberIn('$attempts'), { $cond: [isNow, 1, 0] }] }),
      pendingSignal: undefined,
      ...(isTransactional.length === 0
        ? {}
        : {
            isTransactional: new ServerExpression({
              $cond: [{ $in: ['$_id', literal(idsOf(isTransactional))] }, true, '$isTransactional'],
            }),
          }),
    };
    const claim = transition(['claim', 'claimAhead'], {
      where: { _id: { $in: ids }, $expr: { $and: [fence, inTime] } },
      from: ['pending'],
      to: either(isNow, 'active', 'assigned'),
      set,
    });
    const { modifiedCount } = await collections.jobs.updateMany(...claim, { hint: { _id: 1 } });
    if (modifiedCount === 0) return [];
    if (modifiedCount !== ids.length) return this.#taken(chosen);
    const by = { owner: dispatcher, token, startedAt: time.estimate() };
    return [
      ...now.map((job) => taken(job, isTransactional.includes(job) ? { ...by, isTransactional: true } : by)),
      ...forLater.map(({ pendingSignal: _, ...job }): JobDocument => ({ ...job, status: 'assigned', owner: dispatcher, token })),
    ];
  }

  #taken({ now, forLater, token }: ClaimSet): Promise<readonly JobDocument[]> {
    const open = { status: { $in: ['active' as const, 'assigned' as const] } };
    return this.sources.collections.jobs.find({ _id: { $in: idsOf([...now, ...forLater]) }, token, ...open });
  }
}

/** Names one queue of a dispatcher in memory; as JSON, since both may have any characters. */
export function nameOf({ dispatcher, queue }: Asker): string {
  return JSON.stringify([dispatcher, queue]);
}

/** Whether a name is that of a queue of a dispatcher. */
export function isOf(dispatcher: string, name: string): boolean {
  return name.startsWith(`[${JSON.stringify(dispatcher)},`);
}

function idsOf(jobs: readonly JobDocument[]): ObjectId[] {
  return jobs.map(({ _id }) => _id);
}

/** A job as the write left it: nothing else can have changed while it was pending, but a wish to cancel ends it at once. */
function taken(
  { pendingSignal: _, ...job }: JobDocument,
  by: Pick<JobDocument, 'owner' | 'token' | 'startedAt' | 'isTransactional'>,
): JobDocument {
  return { ...job, ...by, status: 'active', attempts: job.attempts + 1 };
}
