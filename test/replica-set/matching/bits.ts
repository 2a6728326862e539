/** `$bitsAllSet` and its three relatives. */

import { ServerError } from '../server-error.js';
import { isNumber, numberOf, toNumber } from '../values/numbers.js';
import type { Test } from '../values/paths.js';
import { isArray, type Value } from '../values/value.js';

export type BitOperator = '$bitsAllSet' | '$bitsAnySet' | '$bitsAllClear' | '$bitsAnyClear';

export function bitTest(operator: BitOperator, value: Value): Test {
  const mask = maskOf(value);
  return (found) => {
    if (!isNumber(found) || !Number.isInteger(toNumber(found))) return false;
    const bits = BigInt.asUintN(64, BigInt(toNumber(found))) & mask;
    if (operator === '$bitsAllSet') return bits === mask;
    if (operator === '$bitsAnySet') return bits !== 0n;
    return operator === '$bitsAllClear' ? bits === 0n : bits !== mask;
  };
}

function maskOf(value: Value): bigint {
  if (isArray(value)) return value.reduce<bigint>((mask, position) => mask | (1n << BigInt(numberOf(position) ?? 0)), 0n);
  const number = numberOf(value);
  if (number === undefined || number < 0 || !Number.isInteger(number)) {
    throw new ServerError('BadValue', 'a bit test takes a non-negative whole number or an array of bit positions');
  }
  return BigInt(number);
}
