/** The lanes in which jobs may wait, as far as this process has heard; a claim reads only those that it may take from. */

import { type LaneParts, partsOf } from '../../job/lane.js';
import type { Places } from '../../job/places.js';
import { hasYetToBegin } from '../../job/unique-key-rule.js';
import type { ClaimRequest } from '../job-store.js';
import type { JobDocument } from './documents.js';
import { formOfDocument } from './records.js';

/** One that has rung. */
interface Known {
  readonly lane: LaneParts;
  readonly places: Places;
  rung: number;
}

export class Lanes {
  /** By queue; each with how often it rang, so that one that rings while it is read is not taken for empty. */
  readonly #byQueue = new Map<string, Map<string, Known>>();

  readonly #rings = new Map<string, number>();

  /** A job waits in it. */
  ring(key: string): void {
    const lane = partsOf(key);
    const lanes = this.#byQueue.get(lane.queue) ?? new Map<string, Known>();
    this.#byQueue.set(lane.queue, lanes);
    this.#rings.set(lane.queue, this.rings(lane.queue) + 1);
    const known = lanes.get(key);
    if (known === undefined) lanes.set(key, { lane, places: placesIn(key), rung: 1 });
    else known.rung++;
  }

  /** How often any lane of a queue has rung. */
  rings(queue: string): number {
    return this.#rings.get(queue) ?? 0;
  }

  /** Those of a queue whose jobs may be taken, and how often each has rung. @param mayHave - whether it is of use to ask for such places now */
  of(queue: string, forms: ReadonlySet<string>, mayHave: (places: Places) => boolean): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const [key, { lane, places, rung }] of this.#byQueue.get(queue) ?? [])
      if ((lane.isComposite || forms.has(lane.form)) && mayHave(places)) found.set(key, rung);
    return found;
  }

  /** Nothing waited in it when it had rung so often. */
  quiet(queue: string, key: string, rung: number): void {
    const lanes = this.#byQueue.get(queue);
    if (lanes?.get(key)?.rung === rung) lanes.delete(key);
  }
}

/** Lanes whose jobs need the same, which a claim reads together. */
export function byPlaces(keys: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const sets = new Map<string, string[]>();
  for (const key of keys) sets.set(placesOfLane(key), [...(sets.get(placesOfLane(key)) ?? []), key]);
  return sets;
}

/** The places that each job of a lane needs. */
export function placesIn(key: string): Places {
  const [, , places] = JSON.parse(key) as readonly [string, unknown, readonly string[] | string];
  if (typeof places === 'string') return {};
  return Object.fromEntries(
    places.map((place) => [place.slice(0, place.lastIndexOf(':')), Number(place.slice(place.lastIndexOf(':') + 1))]),
  );
}

/** The part of a lane's key that says what its jobs need. */
export function placesOfLane(key: string): string {
  return JSON.stringify((JSON.parse(key) as readonly unknown[])[2]);
}

/** Whether jobs of a lane need places in a quota that they have not in hand. */
export function needsPlaces(key: string): boolean {
  const places = placesOfLane(key);
  return places !== '[]' && places !== '"!"' && places !== '""';
}

/**
 * One that must not be begun twice has to be recorded as begun before it is, and so has one whose beginning sets its key free,
 * and one that ends in a transaction, with which the record would conflict; one that expires stays where it is looked for.
 */
export function mayBeClaimedAhead(job: JobDocument, { transactional }: Pick<ClaimRequest, 'transactional'>): boolean {
  const { kind, limits, startBy, unique } = job;
  if (transactional?.has(formOfDocument(job)) === true) return false;
  const freesKey = unique !== undefined && unique.debounce === undefined && hasYetToBegin({ unique });
  return kind === 'task' && limits.interruptions > 0 && startBy === undefined && !freesKey;
}
