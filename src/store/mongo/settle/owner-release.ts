/** Takes the owner off jobs for which nothing is left to be done: many at a time, since nobody waits for it. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

const GATHER_MS = 1_000;
const MAX_GATHERED = 500;

export interface OwnerReleaseSources {
  readonly collections: Collections;
  readonly clock: Clock;
  /** Called with work that no call waits for. */
  readonly onBackground: (work: Promise<void>) => void;
}

export class OwnerRelease {
  /** By owner and status: a job that has moved on since may have something else to be done. */
  #gathered = new Map<string, { readonly owner: string; readonly status: JobDocument['status']; readonly ids: JobDocument['_id'][] }>();
  #count = 0;
  #waiting: Subscription | undefined;

  constructor(private readonly sources: OwnerReleaseSources) {}

  /** Its follow-ups have been done. */
  add({ _id, owner, status }: JobDocument): void {
    if (owner === undefined) return;
    const alike = this.#gathered.get(`${owner} ${status}`) ?? { owner, status, ids: [] };
    alike.ids.push(_id);
    this.#gathered.set(`${owner} ${status}`, alike);
    if (++this.#count >= MAX_GATHERED) this.sources.onBackground(this.flush());
    else this.#waiting ??= timer(GATHER_MS, this.sources.clock.scheduler).subscribe(() => this.sources.onBackground(this.flush()));
  }

  /** A crash before this costs a look at these jobs, no more. */
  async flush(): Promise<void> {
    const { collections } = this.sources;
    const gathered = this.#gathered;
    this.#waiting?.unsubscribe();
    this.#waiting = undefined;
    this.#gathered = new Map();
    this.#count = 0;
    for (const { owner, status, ids } of gathered.values()) {
      const places = status === 'active' ? {} : { reservation: '' as const };
      await collections.jobs.updateMany({ _id: { $in: ids }, owner, status }, { $unset: { owner: '', ...places } }, { hint: { _id: 1 } });
    }
  }
}
