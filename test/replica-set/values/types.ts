/** The types of BSON: their numbers, their names as `$type` and error messages use them, and their order. */

import { bsonType, isArray, type Maybe } from './value.js';

interface TypeInfo {
  readonly name: string;
  readonly code: number;
  /** Where values of this type stand among those of other types. */
  readonly rank: number;
}

const info = (name: string, code: number, rank: number): TypeInfo => ({ name, code, rank });

const DOUBLE = info('double', 1, 10);
const STRING = info('string', 2, 15);
const OBJECT = info('object', 3, 20);
const ARRAY = info('array', 4, 25);
const BOOL = info('bool', 8, 40);
const DATE = info('date', 9, 45);
const NULL = info('null', 10, 5);
const MISSING = info('missing', 0, 5);
const INT = info('int', 16, 10);

const BY_CLASS: Readonly<Record<string, TypeInfo>> = {
  Double: DOUBLE,
  Int32: INT,
  Long: info('long', 18, 10),
  Decimal128: info('decimal', 19, 10),
  Binary: info('binData', 5, 30),
  ObjectId: info('objectId', 7, 35),
  BSONRegExp: info('regex', 11, 50),
  DBRef: info('object', 3, 20),
  Code: info('javascript', 13, 60),
  BSONSymbol: info('symbol', 14, 15),
  Timestamp: info('timestamp', 17, 47),
  MinKey: info('minKey', -1, -1),
  MaxKey: info('maxKey', 127, 127),
};

const ALL = [STRING, OBJECT, ARRAY, BOOL, DATE, NULL, ...Object.values(BY_CLASS)];

function typeOf(value: Maybe): TypeInfo {
  if (value === undefined) return MISSING;
  if (value === null) return NULL;
  if (typeof value === 'string') return STRING;
  if (typeof value === 'boolean') return BOOL;
  if (typeof value === 'number') return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? INT : DOUBLE;
  const name = bsonType(value);
  if (name !== undefined) return BY_CLASS[name] ?? OBJECT;
  if (isArray(value)) return ARRAY;
  return value instanceof Date ? DATE : OBJECT;
}

/** As the `$type` expression says it: `int`, `objectId`, `missing`, … */
export function typeName(value: Maybe): string {
  return typeOf(value).name;
}

export function typeRank(value: Maybe): number {
  return typeOf(value).rank;
}

export function typeCode(value: Maybe): number {
  return typeOf(value).code;
}

/** The type code of a `$type` name; undefined when there is none. */
export function codeOfTypeName(name: string): number | undefined {
  return ALL.find((type) => type.name === name)?.code;
}

export function isTypeCode(code: number): boolean {
  return ALL.some((type) => type.code === code);
}
