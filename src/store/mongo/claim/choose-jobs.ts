/** The choice of the waiting jobs that a claim takes: a pure decision on the facts of one moment. */

import { isNextOwn, PlacesLeft, type PlacesView } from '../quotas/places-view.js';
import type { JobDocument } from '../schema/documents.js';

/** As much of a job as decides whether it is taken. */
export type WaitingJob = Pick<JobDocument, 'lane' | 'kind' | 'status' | 'places' | 'reservation'>;

/** All that decides about a choice; none of it changes while the choice is made. */
export interface ClaimView<T> {
  /** How many jobs are to begin. */
  readonly limit: number;
  readonly places: PlacesView;
  /** How many starts the rate of a quota leaves; `undefined` if it has no rate. */
  readonly startsLeft: (quota: string) => number | undefined;
  /** The job's batch was cancelled. */
  readonly isCancelled: (job: T) => boolean;
  /** A job that was claimed ahead is still in the local queue: it may have been handed back since it was seen there. */
  readonly isQueued: (job: T) => boolean;
  readonly mayBeClaimedAhead: (job: T) => boolean;
}

/** Why no job of a lane begins now. For `own-place`, the dispatcher waits for nothing but the end of one of its own jobs. */
export type Obstacle = 'start' | 'place' | 'own-place';

export interface Choice<T> {
  /** Tasks to begin, in order; those that were claimed ahead are `assigned`. */
  readonly begin: readonly T[];
  /** Tasks that wait for nothing but a place of the dispatcher's own: they may be claimed ahead. */
  readonly behind: readonly T[];
  /** A batch to open. It is opened alone. */
  readonly open?: T;
  /** A batch comes next, once the others have begun. */
  readonly endsAtBatch: boolean;
  /** The lanes of which no job begins now. */
  readonly stuck: ReadonlyMap<string, Obstacle>;
  /** The first job of each lane that found too few places: they may be saved for it. */
  readonly short: readonly T[];
}

/**
 * Goes through the jobs in their order until as many as wanted begin, or a batch comes. A lane whose first job cannot
 * begin is stuck: the jobs of a lane all need the same.
 */
export function chooseJobs<T extends WaitingJob>(waiting: readonly T[], view: ClaimView<T>): Choice<T> {
  const left = new PlacesLeft(view.places);
  const starts = new StartsLeft(view.startsLeft);
  const begin: T[] = [];
  const behind: T[] = [];
  const short: T[] = [];
  const stuck = new Map<string, Obstacle>();
  for (const job of waiting) {
    if (begin.length === view.limit) break;
    const isStuck = stuck.has(job.lane);
    if (view.isCancelled(job) || (!isStuck && isGone(job, view))) continue;
    const isBatch = job.kind !== 'task';
    if (isBatch && begin.length > 0) return { begin, behind, endsAtBatch: true, stuck, short };
    const obstacle = stuck.get(job.lane) ?? obstacleTo(job, { left, starts, view });
    if (obstacle !== undefined) {
      if (!isStuck && obstacle !== 'start') short.push(job);
      stuck.set(job.lane, obstacle);
      if (obstacle === 'own-place' && job.status === 'pending' && view.mayBeClaimedAhead(job)) behind.push(job);
      continue;
    }
    if (isBatch) return { begin, behind, open: job, endsAtBatch: false, stuck, short };
    if (job.reservation === undefined) {
      left.take(job);
      starts.take(job);
    }
    begin.push(job);
  }
  return { begin, behind, endsAtBatch: false, stuck, short };
}

function isGone<T extends WaitingJob>(job: T, { isQueued }: ClaimView<T>): boolean {
  return job.status === 'assigned' && !isQueued(job);
}

interface Left<T> {
  readonly left: PlacesLeft;
  readonly starts: StartsLeft;
  readonly view: ClaimView<T>;
}

/** A job that has its places already, since it goes on, needs neither places nor starts. */
function obstacleTo<T extends WaitingJob>(job: T, { left, starts, view }: Left<T>): Obstacle | undefined {
  if (job.reservation !== undefined) return undefined;
  if (!starts.has(job)) return 'start';
  if (left.has(job)) return undefined;
  return !starts.isRated(job) && isNextOwn(job.places, view.places) ? 'own-place' : 'place';
}

/** Counts down the starts that rates leave. */
class StartsLeft {
  readonly #taken = new Map<string, number>();

  constructor(private readonly of: (quota: string) => number | undefined) {}

  isRated(job: WaitingJob): boolean {
    return this.#rated(job).length > 0;
  }

  has(job: WaitingJob): boolean {
    return this.#rated(job).every((quota) => (this.of(quota) ?? 0) > (this.#taken.get(quota) ?? 0));
  }

  take(job: WaitingJob): void {
    for (const quota of this.#rated(job)) this.#taken.set(quota, (this.#taken.get(quota) ?? 0) + 1);
  }

  #rated({ places }: WaitingJob): readonly string[] {
    return Object.keys(places).filter((quota) => this.of(quota) !== undefined);
  }
}
