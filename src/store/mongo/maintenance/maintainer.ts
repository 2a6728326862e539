/** The round: the checks that every process makes now and then, in case events were lost; six commands while there is nothing to do. */

import { isLane } from '../../../job/lane.js';
import type { RecoveryResult as Answer, AttemptKey } from '../../store-messages.js';
import type { DispatcherLeases } from '../control/dispatcher-leases.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Notifier } from '../feed/notifier.js';
import type { QuotaCache } from '../quotas/quota-cache.js';
import type { Collections } from '../schema/collections.js';
import type { DueJobs } from './due-jobs.js';
import type { LeakAudit } from './leak-audit.js';
import type { Rescuer } from './rescuer.js';

export interface MaintainerSources {
  readonly leakAudit: LeakAudit;
  readonly collections: Collections;
  readonly dueJobs: DueJobs;
  readonly leases: DispatcherLeases;
  readonly notifier: Notifier;
  readonly quotas: QuotaCache;
  readonly rescuer: Rescuer;
  readonly time: ServerTime;
}

/** Jobs wait for long in a lane where a round has seen some that long after another did. */
const LONG_MS = 25_000;

export class Maintainer {
  /** Since when rounds have seen jobs in a lane. */
  #waits = new Map<string, number>();

  constructor(private readonly sources: MaintainerSources) {}

  async run(dispatcher: string): Promise<Answer> {
    const { dueJobs, quotas, collections, notifier, time } = this.sources;
    await time.sure();
    const times: Date[] = [];
    const doDue = async (): Promise<void> => {
      times.push(...(await dueJobs.turn()));
    };
    await doDue();
    await quotas.refresh();
    const running = await this.#lookAfter(dispatcher, doDue);
    const lanes = await collections.jobs.distinct('lane', { status: 'pending' });
    for (const lane of lanes)
      if (isLane(lane)) notifier.found(lane);
      // Reading them ends them.
      else await collections.jobs.find({ status: 'pending', lane: { $eq: lane as string } });
    const nextAt = times.length === 0 ? {} : { nextAt: time.here(new Date(Math.min(...times.map((at) => at.getTime())))) };
    this.#noteWaits(new Set(lanes.map(String)));
    return running.length === 0 ? nextAt : { ...nextAt, running };
  }

  #noteWaits(lanes: ReadonlySet<string>): void {
    const { notifier, time } = this.sources;
    const now = time.moment.passedMs;
    this.#waits = new Map([...lanes].map((lane) => [lane, this.#waits.get(lane) ?? now]));
    if ([...this.#waits.values()].some((since) => now - since >= LONG_MS)) notifier.longWait();
  }

  /**
   * Takes over from dead dispatchers and owners that are gone.
   * @param between - called now and then if this takes long
   * @returns the dispatcher's own attempts
   */
  async #lookAfter(dispatcher: string, between: () => Promise<void>): Promise<readonly AttemptKey[]> {
    const { leases, rescuer, leakAudit, collections } = this.sources;
    const { known, living, dead } = await leases.roster(dispatcher);
    for (const one of dead) await rescuer.takeOver(one, between);
    // A range, so that the index covers it.
    const owners = (await collections.jobs.distinct('owner', { owner: { $gt: '' } })).map(String);
    if (owners.some((owner) => !living.includes(owner))) await rescuer.resumeFollowUps({ owner: { $gt: '', $nin: [...living] } });
    for (const owner of owners) if (!known.has(owner)) await leakAudit.ofOwner(owner);
    await leakAudit.ofPlaces(known);
    // Last, since an attempt that ends before the answer comes would be released needlessly.
    return owners.includes(dispatcher) ? leakAudit.ofOwn(dispatcher) : [];
  }
}
