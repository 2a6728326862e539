/** Reads the jobs that come first in many lanes, by as few reads as their order and the places of their quotas allow. */

import { NO_PLACES, type Places } from '../../../job/places.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';
import type { Where } from '../schema/timed-collection.js';
import type { KnownLane } from './known-lanes.js';
import { byPriorityThenOrder, type Position } from './order.js';

/** Above 200 scans the server would sort in memory. */
const MAX_LANES_AT_ONCE = 100;

const IN_ORDER = { sort: { priority: 1, order: 1, _id: 1 }, hint: 'ready' } as const;

export interface LaneHeads {
  /** The first jobs of all lanes, in order, including those whose places jobs before them need as well. */
  readonly jobs: readonly JobDocument[];
  /** How many of them can have their places side by side, as far as is known. */
  readonly count: number;
  /** The jobs that were read, by lane, in order. */
  readonly read: ReadonlyMap<string, readonly JobDocument[]>;
  /** Lanes of which everything that waits was read. */
  readonly wholeLanes: ReadonlySet<string>;
  /** By lane that was read in part: the jobs that were not read come after this. */
  readonly upTo: ReadonlyMap<string, Position>;
}

/** Which jobs are wanted. */
export interface Wish {
  /** How many that can have their places side by side. */
  readonly limit: number;
  /** How many are read at once. */
  readonly atOnce: number;
  /** How many places of a quota there are for them, as far as is known. */
  readonly reachOf: (quota: string) => number;
  /** Jobs that should have begun by now are left out: they expire. */
  readonly now: Date;
}

/** Reads the lanes whose first jobs may come first, then the next ones, until enough of the first jobs of all are known. */
export async function readLaneHeads({ jobs }: Collections, lanes: ReadonlyMap<string, KnownLane>, wish: Wish): Promise<LaneHeads> {
  const found = new Map<string, JobDocument>();
  const wholeLanes = new Set<string>();
  const upTo = new Map<string, Position>();
  let open = [...lanes].map(([lane, { places, from }]) => ({ lane, places, from }));
  for (;;) {
    open.sort((one, other) => earlier(one.from, other.from));
    const [next] = open;
    const known = [...found.values()].sort(byPriorityThenOrder);
    const isKnown = (job: JobDocument): boolean =>
      next === undefined || (next.from !== undefined && byPriorityThenOrder(job, next.from) <= 0);
    const { chosen, count, hasRoom } = choose(known.filter(isKnown), lanes, wish);
    const withRoom = open.filter(({ places }) => hasRoom(places));
    const isCut = withRoom.length < open.length;
    open = withRoom;
    if (count >= wish.limit || next === undefined) return { jobs: chosen, count, read: byLane(known), wholeLanes, upTo };
    // The jobs that come next may be known already, since lanes without room are not read any further.
    if (isCut) continue;
    const together = open.splice(0, MAX_LANES_AT_ONCE);
    const read = await jobs.find(
      headsOf(
        together.map(({ lane }) => lane),
        wish.now,
      ),
      { ...IN_ORDER, limit: wish.atOnce },
    );
    for (const job of read) found.set(job._id.toHexString(), job);
    const last = read.length < wish.atOnce ? undefined : read.at(-1);
    for (const { lane, places } of together) {
      if (last === undefined) wholeLanes.add(lane);
      else open.push({ lane, places, from: last });
      if (last !== undefined) upTo.set(lane, last);
    }
  }
}

/** The candidates of different lanes. */
export function both(some: LaneHeads, others: LaneHeads): LaneHeads {
  return {
    jobs: [...some.jobs, ...others.jobs],
    count: some.count + others.count,
    read: new Map([...some.read, ...others.read]),
    wholeLanes: new Set([...some.wholeLanes, ...others.wholeLanes]),
    upTo: new Map([...some.upTo, ...others.upTo]),
  };
}

/** Whether nothing waits in a lane that was read. */
export function isEmpty({ wholeLanes, read }: LaneHeads, lane: string): boolean {
  return wholeLanes.has(lane) && !read.has(lane);
}

/** In which of these lanes anything waits. */
export async function readLanes({ jobs }: Collections, lanes: readonly string[]): Promise<ReadonlySet<string>> {
  if (lanes.length === 0) return new Set();
  const found = await jobs.distinct('lane', { status: 'pending', lane: { $in: lanes } });
  return new Set(found.map(String));
}

/** Chooses jobs in their order until as many as are wanted have places. */
function choose(known: readonly JobDocument[], lanes: ReadonlyMap<string, KnownLane>, { limit, reachOf }: Wish) {
  const left = new Map<string, number>();
  const leftOf = (name: string): number => left.get(name) ?? reachOf(name);
  const hasRoom = (places: Places): boolean => Object.entries(places).every(([name, weight]) => weight <= leftOf(name));
  const chosen: JobDocument[] = [];
  let count = 0;
  for (const job of known) {
    if (count === limit) break;
    chosen.push(job);
    const { places } = lanes.get(job.lane) ?? { places: NO_PLACES };
    if (!hasRoom(places)) continue;
    for (const [name, weight] of Object.entries(places)) left.set(name, leftOf(name) - weight);
    count++;
  }
  return { chosen, count, hasRoom };
}

/** Pending jobs of lanes, but for those that expire. */
function headsOf(lanes: readonly string[], now: Date): Where<JobDocument> {
  return { status: 'pending', lane: { $in: lanes }, $nor: [{ pendingBeginBy: { $lte: now }, attempts: 0 }] };
}

/** A lane that was not read may begin with anything. */
function earlier(one: Position | undefined, other: Position | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return -1;
  return other === undefined ? 1 : byPriorityThenOrder(one, other);
}

function byLane(jobs: readonly JobDocument[]): ReadonlyMap<string, readonly JobDocument[]> {
  const lanes = new Map<string, JobDocument[]>();
  for (const job of jobs) {
    const lane = lanes.get(job.lane) ?? [];
    lanes.set(job.lane, lane);
    lane.push(job);
  }
  return lanes;
}
