/** BSON's order over all values, of all types. */

import { Binary, type BSONRegExp, Code, type ObjectId, type Timestamp } from 'mongodb';
import { compareNumbers, isNumber } from './numbers.js';
import { typeRank } from './types.js';
import { bsonType, type Doc, isArray, isDoc, type Maybe, type Value } from './value.js';

/** Below 0 when `a` comes first; a missing value stands with null. */
export function compare(a: Maybe, b: Maybe): number {
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  const rank = typeRank(a) - typeRank(b);
  if (rank !== 0) return rank;
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (a === undefined || b === undefined || a === null || b === null) return 0;
  return compareAlike(a, b);
}

export function equal(a: Maybe, b: Maybe): boolean {
  return compare(a, b) === 0;
}

/** As the server does: by code point, which for most strings is by code unit. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? aboveSurrogates(x) - aboveSurrogates(y) : x - y;
  }
  return a.length - b.length;
}

function aboveSurrogates(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Two values of one type that are neither numbers nor null. */
function compareAlike(a: Value, b: Value): number {
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  if (isArray(a) && isArray(b)) return compareArrays(a, b);
  switch (bsonType(a)) {
    case 'ObjectId':
      return Buffer.compare((a as ObjectId).id, (b as ObjectId).id);
    case 'Timestamp':
      return compareTimestamps(a as Timestamp, b as Timestamp);
    case 'Binary':
      return compareBinaries(a as Binary, b as Binary);
    case 'BSONRegExp':
      return compareStrings(regexText(a as BSONRegExp), regexText(b as BSONRegExp));
    case 'MinKey':
    case 'MaxKey':
      return 0;
    default:
      return isDoc(a) && isDoc(b) ? compareDocs(a, b) : compareStrings(textOf(a), textOf(b));
  }
}

function compareTimestamps(a: Timestamp, b: Timestamp): number {
  return a.getHighBitsUnsigned() - b.getHighBitsUnsigned() || a.getLowBitsUnsigned() - b.getLowBitsUnsigned();
}

function compareBinaries(a: Binary, b: Binary): number {
  const x = bytes(a);
  const y = bytes(b);
  return x.length - y.length || a.sub_type - b.sub_type || Buffer.compare(x, y);
}

function bytes(binary: Binary): Uint8Array {
  return binary.buffer.subarray(0, binary.position);
}

function regexText(regex: BSONRegExp): string {
  return `${regex.pattern}\u0000${regex.options}`;
}

function textOf(value: Value): string {
  return value instanceof Code ? String(value.code) : String(value);
}

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Field by field: type, then name, then value. */
function compareDocs(a: Doc, b: Doc): number {
  const x = Object.entries(a);
  const y = Object.entries(b);
  for (const [i, [field, value]] of x.entries()) {
    const other = y[i];
    if (other === undefined) return 1;
    const order = typeRank(value) - typeRank(other[1]) || compareStrings(field, other[0]) || compare(value, other[1]);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

/** A string that equal scalars share and unequal ones don't; undefined for a value without a short one. */
export function hashOf(value: Maybe): string | undefined {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'boolean') return `b${value}`;
  if (value instanceof Date) return `d${value.getTime()}`;
  const type = bsonType(value);
  if (type === 'ObjectId') return `o${(value as ObjectId).toHexString()}`;
  if (type === 'Int32' || type === 'Double') return `n${Number(value)}`;
  if (type === 'Timestamp') return `t${(value as Timestamp).toString()}`;
  if (value instanceof Binary) return `x${value.sub_type}:${value.toString('hex')}`;
  return undefined;
}
