/**
 * Reads the jobs that a claim can select from: the first of the lanes with room, and whether anything waits in lanes whose places others
 * hold.
 */

import type { ServerTime } from '../driver/server-time.js';
import type { Claimant } from '../quotas/allocation.js';
import type { PlaceOutlook, Prospect } from '../quotas/place-outlook.js';
import type { PlaceSavings } from '../quotas/place-savings.js';
import type { Collections } from '../schema/collections.js';
import type { KnownLane } from './known-lanes.js';
import { both, type LaneHeads, readLaneHeads, readLanes } from './lane-heads.js';

export interface SelectionSources {
  readonly collections: Collections;
  readonly placeOutlook: PlaceOutlook;
  readonly placeSavings: PlaceSavings;
  readonly time: ServerTime;
}

export interface Selection {
  readonly candidates: LaneHeads;
  /** Lanes with jobs for whose places others are to be asked. */
  readonly asking: readonly Claimant[];
  /** Lanes that have asked already, and wait. */
  readonly inLine: readonly Claimant[];
}

interface SelectionWish {
  readonly dispatcher: string;
  /** How many jobs are to be run now. */
  readonly limit: number;
  /** How many are to be claimed ahead. */
  readonly ahead: number;
}

type Lanes = ReadonlyMap<string, KnownLane>;

export async function readSelection(
  { collections, placeOutlook, placeSavings, time }: SelectionSources,
  signalled: Lanes,
  wish: SelectionWish,
): Promise<Selection> {
  const { dispatcher, limit, ahead } = wish;
  const { open, next, shut, inLine } = byProspect(signalled, (lane) => placeOutlook.prospectOf(dispatcher, lane));
  const now = time.estimate();
  const atOnce = [...open.values()].some(({ places }) => Object.keys(places).length > 0) ? limit + ahead : limit;
  // One for the place that may be free by then, and those behind it: claiming ahead makes sense only if some are left.
  const few = 1 + Math.max(1, ahead);
  const [first, following, used] = await Promise.all([
    readLaneHeads(collections, open, { limit, atOnce, reachOf: (name) => placeOutlook.reach(dispatcher, name), now }),
    readLaneHeads(collections, next, { limit: few, atOnce: few, reachOf: () => Number.POSITIVE_INFINITY, now }),
    readLanes(collections, [...shut.keys()]),
  ]);
  const empty = [...shut.keys()].filter((key) => !used.has(key));
  const asking = [...shut].filter(([key]) => used.has(key) && !following.read.has(key)).map(wantedOf);
  return {
    candidates: both(first, { ...following, count: 0, wholeLanes: new Set([...following.wholeLanes, ...empty]) }),
    asking: placeSavings.firstToAsk(asking, limit),
    inLine: [...inLine].map(wantedOf),
  };
}

/** A lane may be among `next` and `shut`: the dispatcher has places of it in use, and others may give more. */
function byProspect(
  signalled: Lanes,
  prospectOf: (lane: Claimant) => Prospect,
): Readonly<Record<'open' | 'next' | 'shut' | 'inLine', Lanes>> {
  const lanes = [...signalled].map((entry) => ({ entry, prospect: prospectOf(wantedOf(entry)) }));
  const those = (passes: (prospect: Prospect) => boolean): Lanes =>
    new Map(lanes.flatMap(({ entry, prospect }) => (passes(prospect) ? [entry] : [])));
  return {
    open: those(({ isOpen }) => isOpen),
    next: those(({ isNext }) => isNext),
    shut: those(({ mayAsk }) => mayAsk),
    inLine: those(({ isOpen, isNext, mayAsk }) => !isOpen && !isNext && !mayAsk),
  };
}

function wantedOf([lane, { places }]: readonly [string, KnownLane]): Claimant {
  return { lane, places };
}
