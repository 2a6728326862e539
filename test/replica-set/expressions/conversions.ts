/** `$type`, `$isNumber` and the conversions `$toString`, `$toInt`, `$toDate`, … */

import { Double, Int32, Long, ObjectId, Timestamp } from 'mongodb';
import { ServerError } from '../server-error.js';
import { isNumber, toNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import type { Maybe, Value } from '../values/value.js';
import { eager, isNullish } from './arguments.js';
import type { Operator } from './expression.js';

/** A value as text, as `$toString` and the string expressions see it. */
export function stringOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (isNumber(value)) return String(toNumber(value));
  if (value instanceof Date) return value.toISOString();
  if (value instanceof ObjectId) return value.toHexString();
  throw failure(value, 'string');
}

function failure(value: Maybe, to: string): ServerError {
  return new ServerError('ConversionFailure', `Unsupported conversion from ${typeName(value)} to ${to} in $convert with no onError value`);
}

function parseNumber(value: Value, to: string): number {
  if (isNumber(value)) return toNumber(value);
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && value.trim() === value && value !== '' && Number.isFinite(Number(value))) return Number(value);
  if (typeof value === 'string')
    throw new ServerError('ConversionFailure', `Failed to parse number '${value}' in $convert with no onError value`);
  throw failure(value, to);
}

function toInt(value: Value): Value {
  const number = Math.trunc(parseNumber(value, 'int'));
  if (Math.abs(number) > 2 ** 31)
    throw new ServerError('ConversionFailure', 'Conversion would overflow target type in $convert with no onError value');
  return new Int32(number);
}

function toLong(value: Value): Value {
  if (value instanceof Date) return Long.fromNumber(value.getTime());
  return value instanceof Long ? value : Long.fromNumber(Math.trunc(parseNumber(value, 'long')));
}

function toDate(value: Value): Value {
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1000);
  if (isNumber(value)) return new Date(toNumber(value));
  if (typeof value === 'string' && !Number.isNaN(Date.parse(value))) return new Date(value);
  throw failure(value, 'date');
}

function toObjectId(value: Value): Value {
  if (value instanceof ObjectId) return value;
  if (typeof value === 'string' && ObjectId.isValid(value) && value.length === 24) return new ObjectId(value);
  throw failure(value, 'objectId');
}

const CONVERSIONS: Readonly<Record<string, (value: Value) => Value>> = {
  $toString: stringOf,
  $toInt: toInt,
  $toLong: toLong,
  $toDouble: (value) => new Double(value instanceof Date ? value.getTime() : parseNumber(value, 'double')),
  $toBool: (value) => (!isNumber(value) || toNumber(value) !== 0 ? value !== false : false),
  $toDate: toDate,
  $toObjectId: toObjectId,
};

export const CONVERSION_OPERATORS: Readonly<Record<string, Operator>> = {
  ...Object.fromEntries(
    Object.entries(CONVERSIONS).map(([name, convert]) => [
      name,
      eager(name, [1, 1], (value) => (isNullish(value) ? null : convert(value))),
    ]),
  ),
  $type: eager('$type', [1, 1], (value) => typeName(value)),
  $isNumber: eager('$isNumber', [1, 1], (value) => isNumber(value)),
};
