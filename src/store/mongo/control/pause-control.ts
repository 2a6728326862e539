/** The pauses of the deployment, as this process knows them, and whether every living dispatcher knows them as well. */

import { firstValueFrom, ReplaySubject, takeUntil, timer } from 'rxjs';
import { shown } from '../../../check.js';
import type { Clock } from '../../../clock.js';
import { NotRunningError } from '../../../errors.js';
import type { JobDetails } from '../../../job/job-details.js';
import { isLanePaused, isPaused, NOTHING_PAUSED, type Pausable, type Paused, withPause } from '../../../job/pauses.js';
import type { BackgroundRetry } from '../../async/background-retry.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Collections } from '../schema/collections.js';
import type { ControlDocument, DispatcherDocument, PausedDocument } from '../schema/documents.js';
import { isPausedDocument } from '../schema/other-damage.js';
import type { Where } from '../schema/timed-collection.js';
import type { DispatcherLeases } from './dispatcher-leases.js';

/** Between two looks whether all have followed. */
const LOOK_MS = 100;

export interface PauseControlSources {
  readonly clock: Clock;
  readonly collections: Collections;
  readonly leases: DispatcherLeases;
  readonly time: ServerTime;
  readonly backgroundRetry: BackgroundRetry;
  /** Called when the pauses change: puts back claimed jobs that have not begun, and resolves when no earlier claim is under way. */
  readonly onChange: () => Promise<void>;
  readonly onDamage: (message: string, details?: JobDetails) => void;
  /** Is called with work that nobody waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class PauseControl {
  #paused: PausedDocument = { ...NOTHING_PAUSED, revision: 0 };
  /** The first try to follow the last change; never rejects, since a failure is repeated. */
  #tried: Promise<void> = Promise.resolve();
  #told: string | undefined;
  readonly #closed = new ReplaySubject<true>(1);

  constructor(private readonly sources: PauseControlSources) {}

  /** Whether jobs of a task version must not begin in a queue; without a version, whether none must. */
  isPaused(queue: string, taskVersion?: string): boolean {
    return isPaused(this.#paused, queue, taskVersion);
  }

  isLanePaused(lane: string): boolean {
    return isLanePaused(this.#paused, lane);
  }

  async read(): Promise<Paused> {
    await this.refresh();
    const { everything, queues, taskNames } = this.#paused;
    return { everything, queues, taskNames };
  }

  /** Pauses or resumes something; resolves when every living dispatcher follows. */
  async change(what: Pausable, isPaused: boolean): Promise<void> {
    const { control } = this.sources.collections;
    for (;;) {
      const stored: unknown = (await control.findOne({ _id: 'paused' }))?.paused;
      const { before, unchanged, revision } = this.#standing(stored);
      const paused: PausedDocument = { ...withPause(before, what, isPaused), revision };
      if (stored === undefined) await control.updateOne({ _id: 'paused' }, { $setOnInsert: { version: 1 } }, { upsert: true });
      const { modifiedCount } = await control.updateOne({ _id: 'paused', ...unchanged }, { $set: { paused } });
      if (modifiedCount === 0) continue;
      this.notice({ _id: 'paused', paused });
      // Its own dispatchers follow by then, mostly.
      await this.#tried;
      return this.#allFollow(paused.revision);
    }
  }

  async refresh(): Promise<void> {
    this.notice((await this.sources.collections.control.findOne({ _id: 'paused' })) ?? undefined);
  }

  /** The present pauses, and the number that orders changes of them; if the document is damaged, those that are known here. */
  #standing(stored: unknown): { readonly before: Paused; readonly unchanged: object; readonly revision: number } {
    if (isPausedDocument(stored))
      return { before: stored, unchanged: { 'paused.revision': stored.revision }, revision: stored.revision + 1 };
    if (stored === undefined) return { before: NOTHING_PAUSED, unchanged: { paused: { $exists: false } }, revision: 1 };
    return { before: this.#paused, unchanged: { paused: { $eq: stored } }, revision: this.sources.time.estimate().getTime() };
  }

  /** Takes over the pauses that were read, unless they are older than the known ones: from now on no paused job begins here. */
  notice({ paused }: Partial<ControlDocument> = {}): void {
    if (paused !== undefined && !isPausedDocument(paused)) return this.#tellDamaged(paused);
    this.#told = undefined;
    if (paused === undefined || paused.revision <= this.#paused.revision) return;
    this.#paused = paused;
    this.#tried = this.sources.backgroundRetry.run(() => this.#follow(paused.revision));
    this.sources.onBackground(this.#tried);
  }

  /** Reports the damage once, and not at each read. */
  #tellDamaged(paused: unknown): void {
    const message = `\`paused\` of the document paused of ${this.sources.collections.control.collectionName} is damaged: it must say what is paused, but is ${shown(paused)}; the earlier pauses hold until something is paused or resumed`;
    if (this.#told !== message) this.sources.onDamage(message);
    this.#told = message;
  }

  /** Nobody waits for the others any more. */
  close(): void {
    this.#closed.next(true);
  }

  async #follow(revision: number): Promise<void> {
    await this.sources.onChange();
    await this.sources.leases.acknowledgePause(revision);
  }

  /** One that has not is asked for again and again: it will, or its lease ends. */
  async #allFollow(revision: number): Promise<void> {
    const { clock, collections, time } = this.sources;
    const late: Where<DispatcherDocument> = {
      state: 'alive' as const,
      $or: [{ pauseRevision: { $lt: revision } }, { pauseRevision: { $exists: false } }],
      $expr: { $gt: ['$leaseUntil', time.now] },
    };
    while ((await collections.dispatchers.findOne(late)) !== null) {
      const next = timer(LOOK_MS, clock.scheduler).pipe(takeUntil(this.#closed));
      if ((await firstValueFrom(next, { defaultValue: 'closed' })) === 'closed') throw stopped();
    }
  }
}

function stopped(): NotRunningError {
  return new NotRunningError('the service was stopped before every dispatcher followed; the change itself is stored and holds');
}
