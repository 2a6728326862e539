/** Numbers of BSON: what they are worth, and arithmetic that keeps their types as the server does. */

import { Double, Int32, Long } from 'mongodb';
import { ServerError } from '../server-error.js';
import { type BsonNumber, bsonType, type Maybe, type Value } from './value.js';

const INT_MAX = 2 ** 31 - 1;
const INT_MIN = -(2 ** 31);

export function isNumber(value: Maybe): value is BsonNumber {
  if (typeof value === 'number') return true;
  if (typeof value !== 'object' || value === null) return false;
  const type = bsonType(value);
  return type === 'Int32' || type === 'Double' || type === 'Long' || type === 'Decimal128';
}

/** The value of a number as a double; large Longs lose digits. */
export function toNumber(value: BsonNumber): number {
  if (typeof value === 'number') return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long) return value.toNumber();
  return Number(value.toString());
}

/** The double of any number; undefined for other values. */
export function numberOf(value: Maybe): number | undefined {
  return isNumber(value) ? toNumber(value) : undefined;
}

/** Orders two numbers of any types; NaN comes first and equals itself. */
export function compareNumbers(a: BsonNumber, b: BsonNumber): number {
  const x = toNumber(a);
  const y = toNumber(b);
  if (x < y) return -1;
  if (x > y) return 1;
  if (x === y) return Math.abs(x) > Number.MAX_SAFE_INTEGER ? comparePrecisely(a, b) : 0;
  return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : -1) : 1;
}

function comparePrecisely(a: BsonNumber, b: BsonNumber): number {
  const x = exact(a);
  const y = exact(b);
  return x === undefined || y === undefined || x === y ? 0 : x < y ? -1 : 1;
}

function exact(value: BsonNumber): bigint | undefined {
  if (value instanceof Long) return value.toBigInt();
  const number = toNumber(value);
  return Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined;
}

/** A whole number in the smallest type that holds it, as literals and counts are sent. */
export function wholeNumber(value: number): Int32 | Long {
  return value >= INT_MIN && value <= INT_MAX ? new Int32(value) : Long.fromNumber(value);
}

export type Operation = 'add' | 'subtract' | 'multiply';

const ON_DOUBLES: Readonly<Record<Operation, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
};

const ON_LONGS: Readonly<Record<Operation, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
};

/** int with int stays int while it fits and becomes long; long with int is long; a double makes a double. */
export function calculate(operation: Operation, a: BsonNumber, b: BsonNumber): BsonNumber {
  refuseDecimal(a);
  refuseDecimal(b);
  if (isDouble(a) || isDouble(b)) return new Double(ON_DOUBLES[operation](toNumber(a), toNumber(b)));
  const bothInts = !(a instanceof Long) && !(b instanceof Long);
  if (bothInts) {
    const result = ON_DOUBLES[operation](toNumber(a), toNumber(b));
    if (result >= INT_MIN && result <= INT_MAX) return new Int32(result);
  }
  const result = ON_LONGS[operation](BigInt(toBig(a)), BigInt(toBig(b)));
  if (BigInt.asIntN(64, result) !== result) return new Double(Number(result));
  return Long.fromBigInt(result);
}

export function isDouble(value: BsonNumber): boolean {
  return value instanceof Double || (typeof value === 'number' && !(Number.isInteger(value) && Math.abs(value) <= INT_MAX));
}

function toBig(value: BsonNumber): bigint | number {
  return value instanceof Long ? value.toBigInt() : toNumber(value);
}

/** The stand-in knows no decimal arithmetic, and says so instead of being nearly right. */
export function refuseDecimal(value: Value): void {
  if (bsonType(value) === 'Decimal128') throw new ServerError('NotImplemented', 'the stand-in does no arithmetic with decimals');
}

/** A number of the same type as `like`, for results such as `$abs` and `$floor`. */
export function sameType(like: BsonNumber, value: number): BsonNumber {
  if (like instanceof Long) return Long.fromNumber(value);
  return isDouble(like) ? new Double(value) : wholeNumber(value);
}
