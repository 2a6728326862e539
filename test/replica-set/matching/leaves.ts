/** Predicates on one path: `$eq`, `$gt`, `$in`, `$exists`, `$type`, `$regex`, … */

import type { BSONRegExp } from 'mongodb';
import { ServerError } from '../server-error.js';
import { compare, equal, hashOf } from '../values/compare.js';
import { isNumber, numberOf, toNumber } from '../values/numbers.js';
import { reaches, splitPath, type Test } from '../values/paths.js';
import { compileRegex } from '../values/regex.js';
import { codeOfTypeName, isTypeCode, typeCode, typeRank } from '../values/types.js';
import { bsonType, type Doc, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import { bitTest } from './bits.js';
import type { Leaf, LeafOperator, Matches } from './predicate.js';

type TestElement = (element: Value) => boolean;

/** @param element the test of `$elemMatch` */
export function parseComparison(path: string, operator: string, value: Value, options?: Value, element?: TestElement): Leaf {
  const leaf = (matches: Matches): Leaf => ({ kind: 'leaf', path, operator: operator as LeafOperator, value, matches });
  const anyValue = (test: Test): Leaf => leaf(matcher(path, test));
  const wholeValue = (test: Test): Leaf => leaf(whole(path, test));
  switch (operator) {
    case '$eq':
      return anyValue(equalTo(value));
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return anyValue(ordered(operator, value));
    case '$in':
      return anyValue(oneOf(value));
    case '$exists':
      return leaf(exists(path, isTrue(value)));
    case '$type':
      return anyValue(ofType(value));
    case '$regex':
      return anyValue(regexTest(value, options));
    case '$mod':
      return anyValue(modTest(value));
    case '$size':
      return wholeValue(sizeTest(value));
    case '$elemMatch':
      return wholeValue((found) => isArray(found) && element !== undefined && found.some(element));
    case '$bitsAllSet':
    case '$bitsAnySet':
    case '$bitsAllClear':
    case '$bitsAnyClear':
      return anyValue(bitTest(operator, value));
    default:
      throw new ServerError('BadValue', `unknown operator: ${operator}`);
  }
}

function matcher(path: string, test: Test): Matches {
  const parts = splitPath(path);
  if (parts.length > 1) return (doc) => reaches(doc, parts, test);
  return (doc) => {
    const value = Object.hasOwn(doc, path) ? doc[path] : undefined;
    return isArray(value) ? value.some(test) || test(value) : test(value);
  };
}

function whole(path: string, test: Test): Matches {
  const parts = splitPath(path);
  return (doc) => reaches(doc, parts, test, true);
}

function exists(path: string, wanted: boolean): Matches {
  const present = whole(path, (found) => found !== undefined);
  return wanted ? present : (doc: Doc) => !present(doc);
}

function isTrue(value: Value): boolean {
  return isNumber(value) ? toNumber(value) !== 0 : value !== false && value !== null;
}

function equalTo(value: Value): Test {
  if (value === null) return (found) => found === null || found === undefined;
  if (typeof value === 'string') return (found) => found === value;
  return (found) => found !== undefined && equal(found, value);
}

type Ordering = '$gt' | '$gte' | '$lt' | '$lte';

const HOLDS: Readonly<Record<Ordering, (order: number) => boolean>> = {
  $gt: (order) => order > 0,
  $gte: (order) => order >= 0,
  $lt: (order) => order < 0,
  $lte: (order) => order <= 0,
};

/** Compares only values of one type, but for MinKey and MaxKey, which are below and above all. */
function ordered(operator: Ordering, value: Value): Test {
  const holds = HOLDS[operator];
  if (value === null) return (found) => (found === null || found === undefined) && holds(0);
  const type = bsonType(value);
  if (type === 'MinKey' || type === 'MaxKey') return (found) => found !== undefined && holds(compare(found, value));
  if (type === 'BSONRegExp') throw new ServerError('BadValue', `Can't have RegEx as arg to predicate over field`);
  const rank = typeRank(value);
  const isNan = Number.isNaN(numberOf(value));
  return (found) => {
    if (found === undefined || typeRank(found) !== rank) return false;
    if (isNan || Number.isNaN(numberOf(found))) return Number.isNaN(numberOf(found)) && isNan && holds(0);
    return holds(compare(found, value));
  };
}

function oneOf(value: Value): Test {
  if (!isArray(value)) throw new ServerError('BadValue', '$in needs an array');
  const hashes = new Set<string>();
  const others: Test[] = [];
  for (const wanted of value) {
    if (isDoc(wanted) && Object.keys(wanted)[0]?.startsWith('$')) throw new ServerError('BadValue', 'cannot nest $ under $in');
    const hash = hashOf(wanted);
    if (hash !== undefined) hashes.add(hash);
    else others.push(bsonType(wanted) === 'BSONRegExp' ? regexTest(wanted, undefined) : equalTo(wanted));
  }
  return (found) => {
    const hash = inexactHash(found);
    return (hash !== undefined && hashes.has(hash)) || others.some((test) => test(found));
  };
}

/** Longs are found among ints and doubles of the same worth. */
function inexactHash(found: Maybe): string | undefined {
  return isNumber(found) ? `n${toNumber(found)}` : hashOf(found);
}

function ofType(value: Value): Test {
  const wanted = (isArray(value) ? value : [value]).flatMap(typeCodes);
  return (found) => found !== undefined && wanted.includes(typeCode(found));
}

function typeCodes(type: Value): number[] {
  if (type === 'number') return [1, 16, 18, 19];
  const code = typeof type === 'string' ? codeOfTypeName(type) : numberOf(type);
  if (code === undefined) throw new ServerError('BadValue', `Unknown type name alias: ${String(type)}`);
  if (!isTypeCode(code)) throw new ServerError('BadValue', `Invalid numerical type code: ${code}`);
  return [code];
}

function regexTest(value: Value, options: Value | undefined): Test {
  const regex = compileRegex(value, typeof options === 'string' ? options : undefined);
  return (found) => {
    if (typeof found === 'string') return regex.test(found);
    return bsonType(found) === 'BSONRegExp' && bsonType(value) === 'BSONRegExp' && equal(found, value as BSONRegExp);
  };
}

function modTest(value: Value): Test {
  const [divisor, remainder] = isArray(value) ? value.map(numberOf) : [];
  if (!isArray(value) || value.length !== 2) throw new ServerError('BadValue', 'malformed mod, needs to be an array of two numbers');
  if (divisor === undefined || remainder === undefined)
    throw new ServerError('BadValue', 'malformed mod, divisor and remainder must be numbers');
  if (Math.trunc(divisor) === 0) throw new ServerError('BadValue', 'divisor cannot be 0');
  return (found) => isNumber(found) && Math.trunc(toNumber(found)) % Math.trunc(divisor) === Math.trunc(remainder);
}

function sizeTest(value: Value): Test {
  const size = numberOf(value);
  if (size === undefined || !Number.isInteger(size)) throw new ServerError('FailedToParse', 'Failed to parse $size. Expected an integer');
  if (size < 0) throw new ServerError('FailedToParse', 'Failed to parse $size. Expected a non-negative number');
  return (found) => isArray(found) && found.length === size;
}
