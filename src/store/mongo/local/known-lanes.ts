/** The lanes in which jobs may wait, as far as this process knows; a claim reads only those that it may take from. */

import { type LaneParts, partsOf, placesIn } from '../../../job/lane.js';
import type { Places } from '../../../job/places.js';
import { hasYetToBegin } from '../../../job/unique-key-rule.js';
import type { ClaimRequest } from '../../store-messages.js';
import { taskVersionOfDocument } from '../jobs/job-codec.js';
import type { JobDocument } from '../schema/documents.js';
import type { Position } from './order.js';

/** A lane in which jobs may wait, as a claim knows it. */
export interface KnownLane {
  /** The places that each of its jobs needs. */
  readonly places: Places;
  /** The number of its last signal: if one comes during a read, the result of that read is out of date. */
  readonly lastSignal: number;
  /** None of its jobs comes before this; `undefined` if a signal has come since it was read. */
  readonly from?: Position | undefined;
}

interface Known extends KnownLane {
  readonly lane: LaneParts;
}

export class KnownLanes {
  readonly #byQueue = new Map<string, Map<string, Known>>();

  readonly #signals = new Map<string, number>();

  /** A job waits in it. */
  signal(key: string): void {
    const lane = partsOf(key);
    const lanes = this.#byQueue.get(lane.queue) ?? new Map<string, Known>();
    this.#byQueue.set(lane.queue, lanes);
    const lastSignal = this.signalCount(lane.queue) + 1;
    this.#signals.set(lane.queue, lastSignal);
    lanes.set(key, { lane, places: lanes.get(key)?.places ?? placesIn(key), lastSignal });
  }

  /** How many signals the lanes of a queue have had. */
  signalCount(queue: string): number {
    return this.#signals.get(queue) ?? 0;
  }

  /** The lanes of a queue whose jobs may be taken. @param mayHave - whether asking for such places makes sense now */
  of(queue: string, taskVersions: ReadonlySet<string>, mayHave: (places: Places) => boolean): ReadonlyMap<string, KnownLane> {
    const found = new Map<string, KnownLane>();
    for (const [key, known] of this.#byQueue.get(queue) ?? [])
      if ((known.lane.isComposite || taskVersions.has(known.lane.taskVersion)) && mayHave(known.places)) found.set(key, known);
    return found;
  }

  /** Where the jobs of a lane begin, or that there are none, as it was when that signal was its last. */
  note(queue: string, key: string, { lastSignal, from }: Pick<KnownLane, 'lastSignal' | 'from'>): void {
    const lanes = this.#byQueue.get(queue);
    const known = lanes?.get(key);
    if (lanes === undefined || known?.lastSignal !== lastSignal) return;
    if (from === undefined) lanes.delete(key);
    else lanes.set(key, { ...known, from });
  }
}

/** The part of a lane's key with the places that its jobs need. */
export function placesOfLane(key: string): string {
  return JSON.stringify((JSON.parse(key) as readonly unknown[])[2]);
}

/**
 * Not jobs that must be recorded as begun before they begin: one that must not begin twice, one whose start frees its key, and one that
 * ends in a transaction, with which a later record would conflict. Nor one that expires, since only waiting jobs are searched for that.
 */
export function mayBeClaimedAhead(job: JobDocument, { transactional }: Pick<ClaimRequest, 'transactional'>): boolean {
  const { kind, interruptionPolicy, pendingBeginBy, unique } = job;
  if (transactional?.has(taskVersionOfDocument(job)) === true) return false;
  const freesKey = unique !== undefined && unique.debounce === undefined && hasYetToBegin({ unique });
  return kind === 'task' && interruptionPolicy.limit > 0 && pendingBeginBy === undefined && !freesKey;
}
