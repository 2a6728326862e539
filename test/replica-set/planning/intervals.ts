/** Intervals of index keys: how a field's bounds are written, joined, cut and turned around. */

import { MaxKey, MinKey } from 'mongodb';
import { compare } from '../values/compare.js';
import { typeName } from '../values/types.js';
import { isArray, isDoc, type Maybe } from '../values/value.js';

export interface Interval {
  readonly low: Maybe;
  readonly hasLow: boolean;
  readonly high: Maybe;
  readonly hasHigh: boolean;
}

/** Disjoint and in rising order. */
export type Intervals = readonly Interval[];

export const ALL: Interval = { low: new MinKey(), hasLow: true, high: new MaxKey(), hasHigh: true };

export function point(value: Maybe): Interval {
  return { low: value, hasLow: true, high: value, hasHigh: true };
}

export function isPoint({ low, hasLow, high, hasHigh }: Interval): boolean {
  return hasLow && hasHigh && compare(low, high) === 0;
}

export function isAll(intervals: Intervals): boolean {
  const [only, second] = intervals;
  return only !== undefined && second === undefined && compare(only.low, ALL.low) === 0 && compare(only.high, ALL.high) === 0;
}

export function arePoints(intervals: Intervals): boolean {
  return intervals.every(isPoint);
}

export function points(values: readonly Maybe[]): Intervals {
  const sorted = values.toSorted(compare);
  return sorted.filter((value, i) => i === 0 || compare(value, sorted[i - 1]) !== 0).map(point);
}

export function union(intervals: Intervals): Intervals {
  const sorted = intervals.toSorted((a, b) => compare(a.low, b.low) || Number(b.hasLow) - Number(a.hasLow));
  const joined: Interval[] = [];
  for (const next of sorted) {
    const last = joined.at(-1);
    const order = last === undefined ? -1 : compare(last.high, next.low);
    if (last === undefined || order < 0 || (order === 0 && !last.hasHigh && !next.hasLow)) joined.push(next);
    else joined[joined.length - 1] = withHigherEnd(last, next);
  }
  return joined;
}

function withHigherEnd(a: Interval, b: Interval): Interval {
  const order = compare(a.high, b.high);
  const end = order < 0 ? b : a;
  return { ...a, high: end.high, hasHigh: order === 0 ? a.hasHigh || b.hasHigh : end.hasHigh };
}

export function intersection(a: Intervals, b: Intervals): Intervals {
  return a.flatMap((x) => b.flatMap((y) => both(x, y)));
}

function both(a: Interval, b: Interval): Interval[] {
  const low = compare(a.low, b.low);
  const high = compare(a.high, b.high);
  const result = {
    low: low >= 0 ? a.low : b.low,
    hasLow: low === 0 ? a.hasLow && b.hasLow : (low > 0 ? a : b).hasLow,
    high: high <= 0 ? a.high : b.high,
    hasHigh: high === 0 ? a.hasHigh && b.hasHigh : (high < 0 ? a : b).hasHigh,
  };
  const order = compare(result.low, result.high);
  return order < 0 || (order === 0 && result.hasLow && result.hasHigh) ? [result] : [];
}

export function complement(intervals: Intervals): Intervals {
  const gaps: Interval[] = [];
  let { low, hasLow } = ALL;
  for (const interval of intervals) {
    gaps.push({ low, hasLow, high: interval.low, hasHigh: !interval.hasLow });
    low = interval.high;
    hasLow = !interval.hasHigh;
  }
  gaps.push({ low, hasLow, high: ALL.high, hasHigh: true });
  return gaps.filter((gap) => (gap.hasLow && gap.hasHigh ? compare(gap.low, gap.high) <= 0 : compare(gap.low, gap.high) < 0));
}

/** Where a key stands: below the interval, within, or above. */
export function place(key: Maybe, { low, hasLow, high, hasHigh }: Interval): -1 | 0 | 1 {
  const fromLow = compare(key, low);
  if (fromLow < 0 || (fromLow === 0 && !hasLow)) return -1;
  const fromHigh = compare(key, high);
  return fromHigh > 0 || (fromHigh === 0 && !hasHigh) ? 1 : 0;
}

/** As explain shows it, from the side the scan comes from. */
export function describe({ low, hasLow, high, hasHigh }: Interval, isReversed: boolean): string {
  return isReversed
    ? `${hasHigh ? '[' : '('}${text(high)}, ${text(low)}${hasLow ? ']' : ')'}`
    : `${hasLow ? '[' : '('}${text(low)}, ${text(high)}${hasHigh ? ']' : ')'}`;
}

function text(value: Maybe): string {
  if (value === undefined) return 'null';
  if (typeof value === 'string' || value === null || typeof value === 'boolean' || isArray(value) || isDoc(value))
    return JSON.stringify(value);
  const name = typeName(value);
  if (name === 'minKey' || name === 'maxKey') return name === 'minKey' ? 'MinKey' : 'MaxKey';
  if (value instanceof Date) return `new Date(${value.getTime()})`;
  return name === 'objectId' ? `ObjectId('${String(value)}')` : String(value);
}
