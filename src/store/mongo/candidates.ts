/** Reads the heads of lanes: lanes whose jobs need the same are read together, with a limit of their own, so that none hides the others. */

import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';
import { byPlaces, needsPlaces } from './lanes.js';
import { inOrder } from './order.js';

/** Above 200 scans the server would sort in memory. */
const MAX_LANES_AT_ONCE = 100;

export interface Candidates {
  /** In order. */
  readonly jobs: readonly JobDocument[];
  /** Lanes of which everything that waits was read. */
  readonly wholeLanes: ReadonlySet<string>;
}

export const NO_CANDIDATES: Candidates = { jobs: [], wholeLanes: new Set() };

/** @param limit - of jobs that need the same; @param ahead - how many more of those that need places in a quota */
export async function readCandidates(
  { jobs }: Collections,
  lanes: readonly string[],
  { limit, ahead }: { readonly limit: number; readonly ahead: number },
): Promise<Candidates> {
  const branches = [...byPlaces(lanes).values()].flatMap((alike) => chunks(alike, MAX_LANES_AT_ONCE));
  const read = await Promise.all(
    branches.map(async (alike) => {
      const most = needsPlaces(alike[0] ?? '') ? limit + ahead : limit;
      const filter = { status: 'pending' as const, lane: { $in: alike } };
      const found = await jobs.find(filter, { sort: { priority: 1, order: 1, _id: 1 }, limit: most, hint: 'ready' });
      return { found, whole: found.length < most ? alike : [] };
    }),
  );
  return {
    jobs: read.flatMap(({ found }) => found).sort(inOrder),
    wholeLanes: new Set(read.flatMap(({ whole }) => whole)),
  };
}

function chunks(lanes: readonly string[], size: number): readonly (readonly string[])[] {
  const count = Math.ceil(lanes.length / size);
  return Array.from({ length: count }, (_, index) => lanes.slice(index * size, (index + 1) * size));
}
