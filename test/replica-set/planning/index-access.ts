/** How one index would serve a query: its bounds, what is left to check, and whether it yields the order asked for. */

import type { CollectionIndex } from '../documents/collection-index.js';
import type { Direction } from '../documents/sorted-entries.js';
import { allOf, conjuncts, type Predicate } from '../matching/predicate.js';
import { boundsOf, type Tightness } from './bounds.js';
import { ALL, arePoints, type Intervals, intersection, isPoint, point } from './intervals.js';
import type { Query, QuerySort } from './query.js';

export interface IndexAccess {
  readonly index: CollectionIndex;
  readonly bounds: readonly Intervals[];
  readonly direction: Direction;
  /** Fields whose bounds a predicate narrowed, from the first on. */
  readonly bounded: number;
  /** Whether a predicate is about the first field, without which an index finds nothing. */
  readonly usesFirstField: boolean;
  /** Predicates to be checked on keys, and those that need the document. */
  readonly onKeys: readonly Predicate[];
  readonly onDocuments: readonly Predicate[];
  readonly givesOrder: boolean;
  /** Leading fields whose points each become a scan of their own, merged in order; 0 for a single scan. */
  readonly exploded: number;
}

export function accessBy(index: CollectionIndex, query: Query): IndexAccess {
  const parts = conjuncts(query.predicate);
  const used = new Map<Predicate, Tightness>();
  const bounds = index.spec.fields.map(({ path }) => fieldBounds(path, { index, parts, used }));
  const rest = parts.filter((part) => used.get(part) !== 'exact' || index.multikeyPaths.size > 0);
  const onKeys = rest.filter((part) => used.get(part) === 'covered' && !index.isMultikey);
  const order = orderOf(index, bounds, query.sort);
  return {
    index,
    bounds,
    direction: order?.direction ?? 1,
    bounded: boundedFields(bounds),
    usesFirstField: [...used.keys()].some((part) => pathOf(part) === index.spec.fields[0]?.path),
    onKeys,
    onDocuments: rest.filter((part) => !onKeys.includes(part)),
    givesOrder: order !== undefined,
    exploded: order?.exploded ?? 0,
  };
}

interface Gathering {
  readonly index: CollectionIndex;
  readonly parts: readonly Predicate[];
  readonly used: Map<Predicate, Tightness>;
}

/** Intersects what all predicates on the field say; on a multikey index only the first, since each may mean another element. */
function fieldBounds(path: string, { index, parts, used }: Gathering): Intervals {
  let intervals: Intervals = [ALL];
  let count = 0;
  for (const part of parts) {
    if (pathOf(part) !== path || (index.isMultikey && count > 0)) continue;
    const bounds = boundsOf(part, { isMultikey: index.isMultikey, isSparse: index.spec.isSparse });
    if (bounds === undefined) continue;
    intervals = intersection(intervals, bounds.intervals);
    used.set(part, bounds.tightness);
    count++;
  }
  return intervals;
}

/** The one path a predicate is about, if an index may serve it. */
export function pathOf(part: Predicate): string | undefined {
  if (part.kind === 'leaf') return part.path;
  return part.kind === 'not' && part.part.kind === 'leaf' ? part.part.path : undefined;
}

function boundedFields(bounds: readonly Intervals[]): number {
  const open = bounds.findIndex((intervals) => intervals.length === 1 && intervals[0] !== undefined && isWhole(intervals));
  return open < 0 ? bounds.length : open;
}

function isWhole([only]: Intervals): boolean {
  return only === ALL || (only !== undefined && only.low === ALL.low && only.high === ALL.high);
}

interface IndexOrder {
  readonly direction: Direction;
  readonly exploded: number;
}

const MAX_SCANS = 200;

/** Whether a scan in one direction, or a merge of scans over points of leading fields, yields the order. */
function orderOf(index: CollectionIndex, bounds: readonly Intervals[], sort: QuerySort | undefined): IndexOrder | undefined {
  if (sort === undefined || sort.fields.some(({ path }) => index.multikeyPaths.has(path))) return undefined;
  const plain = scanOrder(index, bounds, sort);
  if (plain !== undefined) return { direction: plain, exploded: 0 };
  let scans = 1;
  for (const [i, intervals] of bounds.entries()) {
    scans *= intervals.length;
    if (!arePoints(intervals) || intervals.length === 0 || scans > MAX_SCANS) return undefined;
    const each = bounds.map((other, at) => (at <= i ? other.slice(0, 1) : other));
    const direction = scans > 1 ? scanOrder(index, each, sort, i + 1) : undefined;
    if (direction !== undefined) return { direction, exploded: i + 1 };
  }
  return undefined;
}

/** @param exploded leading fields that vary from scan to scan, so that a sort by them can't be skipped */
function scanOrder(index: CollectionIndex, bounds: readonly Intervals[], sort: QuerySort, exploded = 0): Direction | undefined {
  let direction: Direction | undefined;
  let at = 0;
  for (const { path, direction: wanted } of sort.fields) {
    if (isFixed(index, bounds, path, exploded)) continue;
    while (at < bounds.length && index.spec.fields[at]?.path !== path && isOnePoint(bounds[at])) at++;
    const field = index.spec.fields[at];
    if (field?.path !== path) return undefined;
    const needed = field.direction === wanted ? 1 : -1;
    if (direction !== undefined && direction !== needed) return undefined;
    direction = needed;
    at++;
  }
  return direction ?? 1;
}

function isFixed(index: CollectionIndex, bounds: readonly Intervals[], path: string, exploded: number): boolean {
  const at = index.spec.fields.findIndex((field) => field.path === path);
  return at >= exploded && isOnePoint(bounds[at]) && !index.isMultikey;
}

function isOnePoint(intervals: Intervals | undefined): boolean {
  return intervals?.length === 1 && intervals.every(isPoint);
}

/** The bounds of each scan when leading fields are taken apart into their points. */
export function explode({ bounds, exploded }: IndexAccess): Intervals[][] {
  return bounds
    .slice(0, exploded)
    .reduce<Intervals[][]>((scans, intervals) => scans.flatMap((scan) => intervals.map(({ low }) => [...scan, [point(low)]])), [[]])
    .map((prefix) => [...prefix, ...bounds.slice(exploded)]);
}

export function residual(parts: readonly Predicate[]): Predicate | undefined {
  return parts.length === 0 ? undefined : allOf(parts);
}
