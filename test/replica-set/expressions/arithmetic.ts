/** `$add`, `$subtract`, `$multiply` and the other expressions on numbers, dates included where the server takes them. */

import { Double, Int32, Long } from 'mongodb';
import { ServerError } from '../server-error.js';
import { calculate, isDouble, isNumber, refuseDecimal, sameType, toNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import type { BsonNumber, Maybe } from '../values/value.js';
import { ANY_NUMBER, eager, isNullish, needNumber } from './arguments.js';
import type { Operator } from './expression.js';

function add(...values: Maybe[]): Maybe {
  let sum: BsonNumber = new Int32(0);
  let date: Date | undefined;
  for (const value of values) {
    if (isNullish(value)) return null;
    if (value instanceof Date) {
      if (date !== undefined) throw new ServerError(16612, 'only one date allowed in an $add expression');
      date = value;
    } else if (isNumber(value)) sum = calculate('add', sum, value);
    else throw new ServerError(14, `$add only supports numeric or date types, not ${typeName(value)}`);
  }
  return date === undefined ? sum : shifted(date, toNumber(sum));
}

function shifted(date: Date, ms: number): Date {
  return new Date(date.getTime() + Math.round(ms));
}

function subtract(a: Maybe, b: Maybe): Maybe {
  if (isNullish(a) || isNullish(b)) return null;
  if (a instanceof Date && b instanceof Date) return Long.fromNumber(a.getTime() - b.getTime());
  if (a instanceof Date && isNumber(b)) return shifted(a, -toNumber(b));
  if (isNumber(a) && isNumber(b)) return calculate('subtract', a, b);
  throw new ServerError(14, `can't $subtract ${typeName(b)} from ${typeName(a)}`);
}

function multiply(...values: Maybe[]): Maybe {
  let product: BsonNumber = new Int32(1);
  for (const value of values) {
    if (isNullish(value)) return null;
    if (!isNumber(value)) throw new ServerError(14, `$multiply only supports numeric types, not ${typeName(value)}`);
    product = calculate('multiply', product, value);
  }
  return product;
}

function divide(a: Maybe, b: Maybe): Maybe {
  if (isNullish(a) || isNullish(b)) return null;
  if (!isNumber(a) || !isNumber(b)) throw new ServerError(14, `$divide only supports numeric types, not ${typeName(a)} and ${typeName(b)}`);
  refuseDecimal(a);
  refuseDecimal(b);
  if (toNumber(b) === 0) throw new ServerError(2, "can't $divide by zero");
  return new Double(toNumber(a) / toNumber(b));
}

function modulo(a: Maybe, b: Maybe): Maybe {
  if (isNullish(a) || isNullish(b)) return null;
  if (!isNumber(a) || !isNumber(b)) throw new ServerError(16611, `$mod only supports numeric types, not ${typeName(a)} and ${typeName(b)}`);
  if (toNumber(b) === 0) throw new ServerError(16610, "can't $mod by zero");
  if (a instanceof Long || b instanceof Long) {
    if (!isDouble(a) && !isDouble(b)) return Long.fromNumber(toNumber(a)).modulo(Long.fromNumber(toNumber(b)));
  }
  return isDouble(a) || isDouble(b) ? new Double(toNumber(a) % toNumber(b)) : new Int32(toNumber(a) % toNumber(b));
}

function onNumber(name: string, apply: (value: number) => number): (value: Maybe) => Maybe {
  return (value) => {
    if (isNullish(value)) return null;
    const number = needNumber(name, value);
    refuseDecimal(number);
    return sameType(number, apply(toNumber(number)));
  };
}

function toDouble(name: string, apply: (value: number) => number): (value: Maybe) => Maybe {
  return (value) => (isNullish(value) ? null : new Double(apply(toNumber(needNumber(name, value)))));
}

function toPlaces(name: string, apply: (value: number) => number): (value: Maybe, places?: Maybe) => Maybe {
  return (value, places) => {
    if (isNullish(value)) return null;
    const number = needNumber(name, value, 51081);
    const factor = 10 ** (isNumber(places) ? toNumber(places) : 0);
    return sameType(number, apply(toNumber(number) * factor) / factor);
  };
}

function toEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function power(a: Maybe, b: Maybe): Maybe {
  if (isNullish(a) || isNullish(b)) return null;
  const base = needNumber('$pow', a, 28762);
  const exponent = needNumber('$pow', b, 28763);
  const result = toNumber(base) ** toNumber(exponent);
  return isDouble(base) || isDouble(exponent) || !Number.isInteger(result) ? new Double(result) : sameType(base, result);
}

export const ARITHMETIC: Readonly<Record<string, Operator>> = {
  $add: eager('$add', ANY_NUMBER, add),
  $subtract: eager('$subtract', [2, 2], subtract),
  $multiply: eager('$multiply', ANY_NUMBER, multiply),
  $divide: eager('$divide', [2, 2], divide),
  $mod: eager('$mod', [2, 2], modulo),
  $pow: eager('$pow', [2, 2], power),
  $abs: eager('$abs', [1, 1], onNumber('$abs', Math.abs)),
  $ceil: eager('$ceil', [1, 1], onNumber('$ceil', Math.ceil)),
  $floor: eager('$floor', [1, 1], onNumber('$floor', Math.floor)),
  $round: eager('$round', [1, 2], toPlaces('$round', toEven)),
  $trunc: eager('$trunc', [1, 2], toPlaces('$trunc', Math.trunc)),
  $sqrt: eager('$sqrt', [1, 1], toDouble('$sqrt', Math.sqrt)),
  $exp: eager('$exp', [1, 1], toDouble('$exp', Math.exp)),
  $ln: eager('$ln', [1, 1], toDouble('$ln', Math.log)),
  $log10: eager('$log10', [1, 1], toDouble('$log10', Math.log10)),
  $rand: eager('$rand', [0, 1], () => new Double(Math.random())),
};
