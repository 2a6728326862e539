/** Finds the jobs that a claim can choose from: those of the local queue, and the first of the lanes that are worth a read. */

import type { Places } from '../../../job/places.js';
import type { ClaimRequest } from '../../store-messages.js';
import type { PauseControl } from '../control/pause-control.js';
import type { ServerTime } from '../driver/server-time.js';
import { isOf, nameOf } from '../local/claim-writes.js';
import { type KnownLane, type KnownLanes, placesOfLane } from '../local/known-lanes.js';
import { isEmpty, type LaneHeads } from '../local/lane-heads.js';
import { readSelection } from '../local/lane-selection.js';
import type { LocalQueue } from '../local/local-queue.js';
import { byPriorityThenOrder } from '../local/order.js';
import type { Claimant } from '../quotas/allocation.js';
import type { PlaceOutlook } from '../quotas/place-outlook.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { RateLimiter } from '../quotas/rate-limiter.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { RoundResult } from './job-starter.js';

export interface WaitingJobsSources {
  readonly collections: Collections;
  readonly lanes: KnownLanes;
  readonly localQueue: LocalQueue;
  readonly pauses: PauseControl;
  readonly placeOutlook: PlaceOutlook;
  readonly placeSavings: PlaceSavings;
  readonly rateLimiter: RateLimiter;
  readonly time: ServerTime;
}

type Lanes = ReadonlyMap<string, KnownLane>;

export interface FoundJobs {
  /** In the order in which they are to begin. */
  readonly jobs: readonly JobDocument[];
  /** Those of the local queue. */
  readonly queued: readonly JobDocument[];
  /** The lanes that were looked at, as they were then. */
  readonly lanes: Lanes;
  readonly heads: LaneHeads;
  /** Lanes with jobs for whose places others are to be asked. */
  readonly asking: readonly Claimant[];
  /** Everything that needs places, in order. */
  readonly wanted: readonly Claimant[];
  /** Whether any job of the queue that is known needs a quota. */
  readonly isNeeded: (quota: string) => boolean;
  /** How many jobs may be claimed ahead. */
  readonly ahead: number;
}

const NO_LANES: Lanes = new Map();

export class WaitingJobs {
  /** By dispatcher and queue: how many signals the lanes of the queue had had at the last look. */
  readonly #looked = new Map<string, number>();

  constructor(private readonly sources: WaitingJobsSources) {}

  /** @param stuck - lanes that are not read. @returns `undefined` if nothing waits that could begin */
  async find(request: ClaimRequest, stuck: ReadonlySet<string>): Promise<FoundJobs | undefined> {
    const { lanes, pauses, localQueue } = this.sources;
    const { dispatcher, queue, limit } = request;
    const taskVersions = this.#unpaused(request);
    const queued = localQueue.queued(dispatcher, queue, taskVersions);
    const known = pauses.isPaused(queue) ? NO_LANES : lanes.of(queue, taskVersions, (places) => this.#mayBegin(places));
    const looked = this.#hasRung(request) || queued.length === 0 ? known : this.#besides(queued, known, dispatcher);
    if (looked.size === 0 && queued.length === 0) return undefined;
    const ahead = localQueue.mayTake(dispatcher);
    const toRead = new Map([...looked].filter(([lane]) => !stuck.has(lane)));
    const { candidates: heads, asking, inLine } = await readSelection(this.sources, toRead, { dispatcher, limit, ahead });
    const jobs = heads.jobs.length === 0 ? queued : [...queued, ...heads.jobs].sort(byPriorityThenOrder);
    const wanted = [...jobs.filter(({ reservation }) => reservation === undefined), ...asking, ...inLine];
    const needed = once(() => quotasOf([...known].filter(([lane]) => !isEmpty(heads, lane))));
    return { jobs, queued, lanes: looked, heads, asking, wanted, isNeeded: (quota) => needed().has(quota), ahead };
  }

  /** Notes where the lanes that were read begin now, and whether the next look is to read all of them. */
  note(request: ClaimRequest, found: FoundJobs, { won, mayFindMore }: RoundResult): void {
    this.#noteLanes(request.queue, found, won);
    const all = this.sources.lanes.of(request.queue, this.#unpaused(request), () => true);
    // Something may be left that could begin at once, or that comes before the local queue.
    if (mayFindMore || won.length >= request.limit || isPassedOver(all, found.queued)) this.#looked.delete(nameOf(request));
  }

  /** The life of a dispatcher is over. */
  forget(dispatcher: string): void {
    for (const name of this.#looked.keys()) if (isOf(dispatcher, name)) this.#looked.delete(name);
  }

  #unpaused({ queue, taskVersions }: ClaimRequest): ReadonlySet<string> {
    return new Set([...taskVersions].filter((taskVersion) => !this.sources.pauses.isPaused(queue, taskVersion)));
  }

  /** A job that waits until a rate lets it begin, or a quota is made larger, needs no places before. */
  #mayBegin(places: Places): boolean {
    const { placeOutlook, rateLimiter } = this.sources;
    return placeOutlook.couldEverFit(places) && !rateLimiter.isUsedUp(places);
  }

  /** Whether a lane had a signal since the dispatcher looked last, so that a job may have come that goes before the local queue. */
  #hasRung(request: ClaimRequest): boolean {
    const name = nameOf(request);
    const signals = this.sources.lanes.signalCount(request.queue);
    const isNew = this.#looked.get(name) !== signals;
    this.#looked.set(name, signals);
    return isNew;
  }

  /** Lanes that need no places, or other ones than the local queue, which they may get now. */
  #besides(queued: readonly JobDocument[], known: Lanes, dispatcher: string): Lanes {
    const sets = new Set([...new Set(queued.map(({ lane }) => lane))].map(placesOfLane));
    const { placeOutlook } = this.sources;
    const isWorthALook = ([lane, { places }]: readonly [string, KnownLane]): boolean =>
      Object.keys(places).length === 0 || (placeOutlook.mightFit(dispatcher, places) && !sets.has(placesOfLane(lane)));
    return new Map([...known].filter(isWorthALook));
  }

  /** A lane whose jobs have all been taken is not read before its next signal. */
  #noteLanes(queue: string, { lanes: looked, heads, queued }: FoundJobs, won: readonly JobDocument[]): void {
    const { lanes, placeSavings } = this.sources;
    const taken = new Set(won.map(({ _id }) => _id.toHexString()));
    for (const [lane, { lastSignal }] of looked) {
      const left = heads.read.get(lane)?.find(({ _id }) => !taken.has(_id.toHexString()));
      const isWhole = heads.wholeLanes.has(lane);
      const from = left ?? (isWhole ? undefined : heads.upTo.get(lane));
      if (from === undefined && !isWhole) continue;
      lanes.note(queue, lane, { lastSignal, from });
      // Others have taken the jobs for which places were saved.
      if (from === undefined && !queued.some((job) => job.lane === lane)) placeSavings.stop(lane);
    }
  }
}

/** The names of all quotas that jobs of these lanes need. */
function quotasOf(lanes: readonly (readonly [string, KnownLane])[]): ReadonlySet<string> {
  return new Set(lanes.flatMap(([, { places }]) => Object.keys(places)));
}

/** Computes a value when it is first needed, and keeps it. */
function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}

/** Whether jobs may wait that come before others of the local queue which need the same: not every lane is read in each look. */
function isPassedOver(lanes: Lanes, queued: readonly JobDocument[]): boolean {
  if (queued.length === 0) return false;
  const last = new Map(queued.map((job) => [placesOfLane(job.lane), job]));
  return [...lanes].some(([lane, { from }]) => {
    const behind = last.get(placesOfLane(lane));
    return behind !== undefined && (from === undefined || byPriorityThenOrder(from, behind) < 0);
  });
}
