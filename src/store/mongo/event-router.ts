/** Routes events of one part of the store, or of another process, to the parts that react to them. */

import type { ObjectId } from 'mongodb';
import { interval, type Subscription } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { Claimer } from './claim/claimer.js';
import type { PauseControl } from './control/pause-control.js';
import type { ChangeEvent, ChangeListener } from './feed/change-listener.js';
import type { Notifier } from './feed/notifier.js';
import type { SessionInserter } from './insert/session-inserter.js';
import type { JobCollection } from './jobs/job-collection.js';
import type { LocalQueue } from './local/local-queue.js';
import type { PlaceLeases } from './quotas/place-leases.js';
import type { PlaceOutlook } from './quotas/place-outlook.js';
import type { PlaceSavings } from './quotas/place-savings.js';
import type { QuotaCache } from './quotas/quota-cache.js';
import type { Collections } from './schema/collections.js';
import type { JobDocument, QuotaDocument } from './schema/documents.js';
import type { CancelledBatches } from './settle/cancelled-batches.js';
import type { Completion } from './settle/completion.js';

/** Between two looks at the jobs that are watched here, in case an event about them was lost. */
const POLL_MS = 5_000;

/** The parts that events concern. They are many, since all arrows that lead from lower folders to higher ones are here. */
export interface RoutedParts {
  readonly cancelled: CancelledBatches;
  readonly claimer: Claimer;
  readonly clock: Clock;
  readonly collections: Collections;
  readonly completion: Completion;
  readonly jobs: JobCollection;
  readonly listener: ChangeListener;
  readonly localQueue: LocalQueue;
  readonly notifier: Notifier;
  readonly pauses: PauseControl;
  readonly placeLeases: PlaceLeases;
  readonly placeOutlook: PlaceOutlook;
  readonly placeSavings: PlaceSavings;
  readonly process: string;
  readonly quotas: QuotaCache;
  readonly sessionInserter: SessionInserter;
}

interface QuotaEvent {
  readonly name: string;
  readonly quota: QuotaDocument | undefined;
  readonly revision: number | undefined;
}

export class EventRouter {
  #connected: RoutedParts | undefined;
  #polling: Subscription | undefined;

  /** The parts are created after it; nothing happens before they all are there. */
  connect(parts: RoutedParts): void {
    this.#connected = parts;
  }

  get parts(): RoutedParts {
    if (this.#connected === undefined) throw new Error('an event came before the parts of the store were connected');
    return this.#connected;
  }

  /** Listens to the events of other processes, and looks now and then in case one was lost. */
  listen(): void {
    const { listener, clock, notifier } = this.parts;
    listener.open();
    this.#polling ??= interval(POLL_MS, clock.scheduler).subscribe(() => notifier.readAll());
  }

  stopPolling(): void {
    this.#polling?.unsubscribe();
  }

  /** The server has reported a change. */
  changed(event: ChangeEvent): void {
    const { notifier, collections, pauses } = this.parts;
    const { collection, id, quota, revision } = event;
    if (collection === collections.control.collectionName) notifier.track(pauses.refresh());
    else if (collection === collections.quotas.collectionName) notifier.track(this.#quotaChanged({ name: String(id), quota, revision }));
    else this.#jobChanged(id as ObjectId, event);
  }

  #jobChanged(id: ObjectId, event: ChangeEvent): void {
    const { notifier, cancelled, sessionInserter, process } = this.parts;
    const { isInsert, queuedBy, isStaged, isLate, isCancelled, pendingSignal, dueAt, pendingBeginBy, cancelOwner, cancelReason } = event;
    const isOwn = isInsert && queuedBy === process;
    const isEcho = isOwn && !isStaged;
    if (isOwn && isLate) notifier.track(sessionInserter.committed(id));
    if (pendingSignal !== undefined && !isEcho) notifier.found(pendingSignal);
    if (dueAt !== undefined) notifier.due(dueAt);
    if (pendingBeginBy !== undefined) notifier.due(pendingBeginBy);
    if (isCancelled) cancelled.add(String(id));
    if (cancelOwner !== undefined) notifier.cancelOf(cancelOwner, String(id), cancelReason);
    if (!isEcho) notifier.changed({ _id: id });
  }

  async #quotaChanged({ name, quota, revision }: QuotaEvent): Promise<void> {
    const { quotas, notifier, placeLeases } = this.parts;
    if (await quotas.hear(name, quota, revision)) notifier.room();
    await placeLeases.yieldIdle([name]);
  }

  /** The change stream was opened: the store looks for events that it missed before. */
  opened(): void {
    const { notifier } = this.parts;
    notifier.readAll();
    notifier.track(this.#refreshQuotas());
  }

  async #refreshQuotas(): Promise<void> {
    const { quotas, notifier, placeLeases } = this.parts;
    await quotas.refresh().catch(() => undefined);
    notifier.room();
    await placeLeases.yieldIdle();
  }

  /** Something else is paused than before. Resolves when nothing that is paused now can begin. */
  async pausesChanged(): Promise<void> {
    const { claimer, localQueue, placeSavings, pauses, notifier } = this.parts;
    await claimer.holdBackPaused();
    await localQueue.handBackAll();
    placeSavings.keepOnly((lane) => !pauses.isLanePaused(lane));
    notifier.room();
  }

  /** Quotas have other sizes: jobs may have become too large, or small enough. */
  sizesChanged(): void {
    const { placeLeases, placeOutlook, placeSavings, notifier } = this.parts;
    placeSavings.keepOnly((_lane, places) => placeOutlook.couldEverFit(places));
    notifier.room();
    // At once: the event from the server comes later.
    notifier.track(placeLeases.yieldIdle().then(() => undefined));
  }

  /** Nobody here asks for work of a queue any more. */
  queueLeft(queue: string): void {
    const { notifier, placeLeases } = this.parts;
    notifier.track(placeLeases.leave(queue));
  }

  /** A job is to be cancelled that may have been claimed ahead here. @returns whether it was, so that it ends now */
  cancelledAhead(id: string, reason: string | undefined): boolean {
    const { localQueue, notifier } = this.parts;
    const job = localQueue.drop(id);
    if (job === undefined) return false;
    notifier.track(this.endCancelled({ ...job, cancel: { ...(reason === undefined ? {} : { reason }) } }));
    return true;
  }

  /** Ends a job that was claimed ahead, and whose cancellation was asked for before it began. */
  async endCancelled({ _id, cancel }: JobDocument): Promise<void> {
    const { jobs, completion } = this.parts;
    await jobs.decide(_id, (now) =>
      now.status === 'assigned' ? completion.end(now, 'end', { status: 'cancelled', reason: cancel?.reason }) : 'nothing',
    );
  }
}
