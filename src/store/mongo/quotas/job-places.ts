/**
 * Places that jobs hold in their own names, which no lease ends: of open batches, and of jobs that were interrupted and run again at once.
 */

import type { ObjectId } from 'mongodb';
import { type Places, weightOf } from '../../../job/places.js';
import { type Fields, literal } from '../driver/expression.js';
import type { JobDocument, Reservation } from '../schema/documents.js';
import type { QuotaCache } from './quota-cache.js';
import { isHeld, NEXT_REVISION, withoutReservation, withoutShareOf, withoutWaiting } from './quota-pipelines.js';

/** A job that is to go on with the places that its attempt used. */
export interface PlaceOwner {
  readonly id: ObjectId;
  readonly attempt: string;
  readonly places: Places;
}

export interface JobPlacesSources {
  readonly quotas: QuotaCache;
  /** Told when places may have become free. */
  readonly onFreed: () => void;
}

export class JobPlaces {
  constructor(private readonly sources: JobPlacesSources) {}

  /** Gives up the places that a job holds in its own name; a second call changes nothing. */
  async drop({ _id, reservation, places }: Pick<JobDocument, '_id' | 'reservation' | 'places'>): Promise<void> {
    if (reservation === undefined) return;
    for (const name of Object.keys(places)) await this.dropEntry(name, { job: _id.toHexString(), attempt: reservation });
  }

  async dropEntry(name: string, { job, attempt }: Pick<Reservation, 'job' | 'attempt'>): Promise<void> {
    const { quotas, onFreed } = this.sources;
    const isHeldBy = { _id: name, holders: { $elemMatch: { job, attempt } } };
    const quota = await quotas.write(isHeldBy, [{ $set: { revision: NEXT_REVISION, holders: withoutReservation(job, attempt) } }]);
    if (quota !== undefined) onFreed();
  }

  /** Whether a job holds all that its attempt needs, as last seen. */
  has({ id, attempt, places }: PlaceOwner): boolean {
    const entries = this.sources.quotas.held.filter(({ held }) => held.job === id.toHexString() && held.attempt === attempt);
    return Object.keys(places).every((name) => entries.some((entry) => entry.name === name));
  }

  /**
   * Turns the places of a dead dispatcher into places of the jobs that go on with them, in their order; the rest is free. Each quota is
   * written once, so that no place is ever counted twice, and none is free that a job will go on with.
   */
  async takeBack(dead: string, keepers: readonly PlaceOwner[]): Promise<void> {
    const { quotas, onFreed } = this.sources;
    await quotas.refresh();
    const taking = [...quotas.all].flatMap(({ _id: name, holders, waiting }) => {
      const share = holders.find((holder) => !isHeld(holder) && holder.dispatcher === dead);
      if (share === undefined && !waiting.some(({ dispatcher }) => dispatcher === dead)) return [];
      const entries = entriesOf(name, keepers, share?.places ?? 0);
      const left: Fields = {
        revision: NEXT_REVISION,
        holders: { $concatArrays: [withoutShareOf(dead), literal(entries)] },
        waiting: withoutWaiting(dead),
      };
      return [quotas.writeSoon({ _id: name, $or: [{ 'holders.dispatcher': dead }, { 'waiting.dispatcher': dead }] }, [{ $set: left }])];
    });
    await Promise.all(taking);
    onFreed();
  }
}

/** As many as there are places. */
function entriesOf(name: string, keepers: readonly PlaceOwner[], places: number): readonly Reservation[] {
  const entries: Reservation[] = [];
  let left = places;
  for (const { id, attempt, places: needed } of keepers) {
    const n = weightOf(needed, name);
    if (n === 0 || n > left) continue;
    left -= n;
    entries.push({ job: id.toHexString(), places: n, attempt });
  }
  return entries;
}
