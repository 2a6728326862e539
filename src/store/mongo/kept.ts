/** What was taken and could not be handed out, since something failed: it is for the next claim, or goes back where it is paused by then. */

import type { Attempts } from './attempts.js';
import type { JobDocument } from './documents.js';
import type { Pauses } from './pauses.js';
import { formOfDocument } from './records.js';
import type { Asker } from './shares.js';
import { nameOf, type Takes } from './takes.js';
import type { Unfinished } from './unfinished.js';

export interface KeptSources {
  readonly attempts: Attempts;
  readonly pauses: Pauses;
  readonly takes: Takes;
  readonly unfinished: Unfinished;
  /** Told what was taken by a write that was not answered. @returns those that are to run */
  readonly won: (asker: Asker, taken: readonly JobDocument[]) => readonly JobDocument[];
}

export class Kept {
  /** By dispatcher and queue: all that have asked, and what waits for them. */
  readonly #askers = new Map<string, Asker>();
  readonly #jobs = new Map<string, readonly JobDocument[]>();

  constructor(private readonly sources: KeptSources) {}

  add(asker: Asker, jobs: readonly JobDocument[]): void {
    if (jobs.length > 0) this.#jobs.set(nameOf(asker), [...(this.#jobs.get(nameOf(asker)) ?? []), ...jobs]);
  }

  /** What is to be handed out to this one, with what was taken by writes that were not answered; it is his from now on. */
  async takeOut(asker: Asker): Promise<readonly JobDocument[]> {
    const { pauses, takes, won } = this.sources;
    const name = nameOf(asker);
    this.#askers.set(name, asker);
    this.add(asker, won(asker, await takes.takenUnanswered(asker)));
    const jobs = this.#jobs.get(name) ?? [];
    this.#jobs.delete(name);
    const paused = jobs.filter((job) => pauses.isPaused(job.queue, formOfDocument(job)));
    for (const job of paused) await this.#putBack(job);
    return jobs.filter((job) => !paused.includes(job));
  }

  /** Puts back what is paused now. */
  async putBackPaused(): Promise<void> {
    for (const asker of [...this.#askers.values()]) this.add(asker, await this.takeOut(asker));
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const [name, asker] of this.#askers) {
      if (asker.dispatcher !== dispatcher) continue;
      this.#askers.delete(name);
      this.#jobs.delete(name);
    }
  }

  /** One that may have gone back is never handed out. */
  #putBack({ _id, token = '' }: JobDocument): Promise<void> {
    const { attempts, unfinished } = this.sources;
    return unfinished.finish(() => attempts.release({ id: _id.toHexString(), token, hasBegun: false }));
  }
}
