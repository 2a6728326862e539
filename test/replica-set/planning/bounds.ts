/** The bounds that one predicate puts on the keys of an index field, and whether they say all that it says. */

import { Binary, Double, MaxKey, MinKey, ObjectId, Timestamp } from 'mongodb';
import type { Leaf, Predicate } from '../matching/predicate.js';
import { isNumber, toNumber } from '../values/numbers.js';
import { compileRegex, literalPrefix } from '../values/regex.js';
import { typeName } from '../values/types.js';
import { bsonType, isArray, type Maybe, type Value } from '../values/value.js';
import { ALL, complement, type Interval, type Intervals, point, points, union } from './intervals.js';

/**
 * 'exact': keys within the bounds are all that match; 'covered': the key must be looked at as well;
 * 'fetch': the document must be.
 */
export type Tightness = 'exact' | 'covered' | 'fetch';

export interface Bounds {
  readonly intervals: Intervals;
  readonly tightness: Tightness;
}

export interface IndexTraits {
  readonly isMultikey: boolean;
  readonly isSparse: boolean;
}

/** Undefined when an index is of no use for the predicate. */
export function boundsOf(predicate: Predicate, index: IndexTraits): Bounds | undefined {
  if (predicate.kind === 'not') return negated(predicate.part, index);
  if (predicate.kind !== 'leaf') return undefined;
  switch (predicate.operator) {
    case '$eq':
      return equality(predicate.value);
    case '$in':
      return membership(predicate.value);
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return range(predicate, predicate.value);
    case '$exists':
      return existence(predicate, index);
    case '$regex':
      return { intervals: [regexRange(predicate.value)], tightness: 'covered' };
    case '$type':
      return { intervals: [ALL], tightness: 'fetch' };
    case '$mod':
      return { intervals: [between(LOWEST_NUMBER, HIGHEST_NUMBER)], tightness: 'covered' };
    default:
      return undefined;
  }
}

function equality(value: Value): Bounds {
  if (value === null) return { intervals: [point(null)], tightness: 'fetch' };
  if (isArray(value)) return { intervals: [ALL], tightness: 'fetch' };
  return { intervals: [point(value)], tightness: 'exact' };
}

function membership(value: Value): Bounds {
  if (!isArray(value)) return { intervals: [ALL], tightness: 'fetch' };
  const simple = value.every((wanted) => wanted !== null && !isArray(wanted) && bsonType(wanted) !== 'BSONRegExp');
  if (simple) return { intervals: points(value), tightness: 'exact' };
  const all = value.map((wanted) => (bsonType(wanted) === 'BSONRegExp' ? regexRange(wanted) : (equality(wanted).intervals[0] ?? ALL)));
  return { intervals: union(all), tightness: 'fetch' };
}

function regexRange(value: Value): Interval {
  const prefix = literalPrefix(compileRegex(value));
  if (prefix === undefined) return { low: '', hasLow: true, high: {}, hasHigh: false };
  const last = prefix.charCodeAt(prefix.length - 1);
  return { low: prefix, hasLow: true, high: prefix.slice(0, -1) + String.fromCharCode(last + 1), hasHigh: false };
}

const LOWEST_NUMBER = new Double(Number.NEGATIVE_INFINITY);
const HIGHEST_NUMBER = new Double(Number.POSITIVE_INFINITY);

function between(low: Maybe, high: Maybe, hasHigh = true): Interval {
  return { low, hasLow: true, high, hasHigh };
}

/** All keys of the type of a value. */
function typeRange(value: Value): Interval {
  if (isNumber(value)) return between(LOWEST_NUMBER, HIGHEST_NUMBER);
  switch (typeName(value)) {
    case 'string':
      return between('', {}, false);
    case 'date':
      return between(new Date(-8.64e15), new Date(8.64e15));
    case 'objectId':
      return between(new ObjectId('0'.repeat(24)), new ObjectId('f'.repeat(24)));
    case 'timestamp':
      return between(new Timestamp({ t: 0, i: 0 }), new Timestamp({ t: 0xffffffff, i: 0xffffffff }));
    case 'bool':
      return between(false, true);
    case 'binData':
      return between(new Binary(new Uint8Array(0)), new ObjectId('0'.repeat(24)), false);
    case 'object':
      return between({}, [], false);
    default:
      return ALL;
  }
}

function range({ operator }: Leaf, value: Value): Bounds {
  if (value === null) return { intervals: operator === '$gte' || operator === '$lte' ? [point(null)] : [], tightness: 'fetch' };
  if (isArray(value)) return { intervals: [ALL], tightness: 'fetch' };
  if (isNumber(value) && Number.isNaN(toNumber(value))) return { intervals: [point(value)], tightness: 'fetch' };
  const { low, hasLow, high, hasHigh } = value instanceof MinKey || value instanceof MaxKey ? ALL : typeRange(value);
  const interval =
    operator === '$gt' || operator === '$gte'
      ? { low: value, hasLow: operator === '$gte', high, hasHigh }
      : { low, hasLow, high: value, hasHigh: operator === '$lte' };
  return { intervals: [interval], tightness: typeName(value) === 'object' || interval.low instanceof MinKey ? 'fetch' : 'exact' };
}

function existence({ value }: Leaf, index: IndexTraits): Bounds {
  const wanted = value !== false && !(isNumber(value) && toNumber(value) === 0);
  if (wanted) return { intervals: [ALL], tightness: index.isSparse ? 'exact' : 'fetch' };
  return { intervals: [point(null)], tightness: 'fetch' };
}

function negated(part: Predicate, index: IndexTraits): Bounds | undefined {
  if (part.kind !== 'leaf' || index.isMultikey || (part.operator !== '$eq' && part.operator !== '$in')) return undefined;
  const { intervals, tightness } = part.operator === '$eq' ? equality(part.value) : membership(part.value);
  if (isArray(part.value) && part.operator === '$eq') return undefined;
  return { intervals: complement(intervals), tightness };
}
