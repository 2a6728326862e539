/** What is paused in the deployment, as this process knows it; and whether every living dispatcher knows it as well. */

import { firstValueFrom, timer } from 'rxjs';
import type { Clock } from '../../clock.js';
import { changed, isFormPaused, isQueuePaused, NOTHING_PAUSED, type Pausable, type Paused } from '../../job/pauses.js';
import type { Collections } from './collections.js';
import type { ControlDocument, PausedDocument } from './documents.js';
import type { Leases } from './leases.js';
import type { ServerTime } from './server-time.js';

/** Between two looks whether all have followed. */
const LOOK_MS = 100;

export interface PauseSources {
  readonly clock: Clock;
  readonly collections: Collections;
  readonly leases: Leases;
  readonly time: ServerTime;
  /** Told when something else is paused: puts back what was claimed and has not begun, and resolves when no claim of before is under way. */
  readonly onChange: () => Promise<void>;
}

export class Pauses {
  #paused: PausedDocument = { ...NOTHING_PAUSED, rev: 0 };
  #following: Promise<void> = Promise.resolve();

  constructor(private readonly sources: PauseSources) {}

  isQueuePaused(queue: string): boolean {
    return isQueuePaused(this.#paused, queue);
  }

  isFormPaused(form: string): boolean {
    return isFormPaused(this.#paused, form);
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
      const before = (await control.findOne({ _id: 'paused' }))?.paused ?? { ...NOTHING_PAUSED, rev: 0 };
      const paused: PausedDocument = { ...changed(before, what, isPaused), rev: before.rev + 1 };
      const unchanged = before.rev === 0 ? { paused: { $exists: false } } : { 'paused.rev': before.rev };
      if (before.rev === 0) await control.updateOne({ _id: 'paused' }, { $setOnInsert: { version: 1 } }, { upsert: true });
      const { modifiedCount } = await control.updateOne({ _id: 'paused', ...unchanged }, { $set: { paused } });
      if (modifiedCount === 0) continue;
      await this.notice({ _id: 'paused', paused });
      return this.#allFollow(paused.rev);
    }
  }

  async refresh(): Promise<void> {
    await this.notice((await this.sources.collections.control.findOne({ _id: 'paused' })) ?? undefined);
  }

  /** Follows what was read, unless it is older than what is known. */
  async notice(document: ControlDocument | undefined): Promise<void> {
    const { paused } = document ?? {};
    if (paused !== undefined && paused.rev > this.#paused.rev) {
      this.#paused = paused;
      this.#following = this.sources.onChange().then(() => this.sources.leases.follow(paused.rev));
    }
    await this.#following;
  }

  /** One that has not is asked for again and again: it will, or its lease ends. */
  async #allFollow(rev: number): Promise<void> {
    const { clock, collections, time } = this.sources;
    for (;;) {
      const late = {
        state: 'alive' as const,
        $or: [{ follows: { $lt: rev } }, { follows: { $exists: false } }],
        $expr: { $gt: ['$leaseUntil', time.now] },
      };
      if ((await collections.dispatchers.findOne(late)) === null) return;
      await firstValueFrom(timer(LOOK_MS, clock.scheduler));
    }
  }
}
