/** Up to when schedules have fired, in memory. */

import type { JobTree } from '../../job/job-record.js';
import { recordOrThrow } from '../insert-result.js';
import type { Schedules } from '../job-store.js';
import type { InsertResult } from '../store-messages.js';

export class MemorySchedules implements Schedules {
  readonly #firedUntil = new Map<string, Date>();
  readonly #timetables = new Map<string, string>();

  constructor(
    private readonly time: () => Date,
    private readonly insert: (trees: readonly JobTree[]) => readonly InsertResult[],
  ) {}

  async now(): Promise<Date> {
    return this.time();
  }

  async begin(name: string, since: Date, timetable = this.#timetables.get(name)): Promise<Date> {
    const isAnother = (this.#timetables.get(name) ?? timetable) !== timetable;
    if (timetable !== undefined) this.#timetables.set(name, timetable);
    const stands = this.#firedUntil.get(name) ?? since;
    const until = isAnother && since > stands ? since : stands;
    this.#firedUntil.set(name, until);
    return until;
  }

  async fire(name: string, { after, until }: { readonly after: Date; readonly until: Date }, trees: readonly JobTree[]): Promise<boolean> {
    if (this.#firedUntil.get(name)?.getTime() !== after.getTime() || until > this.time()) return false;
    this.insert(trees).forEach(recordOrThrow);
    this.#firedUntil.set(name, until);
    return true;
  }
}
