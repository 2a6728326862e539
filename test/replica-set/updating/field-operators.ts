/** Update operators on fields: `$set`, `$unset`, `$inc`, `$mul`, `$min`, `$max`, `$currentDate`, `$bit`. */

import { Int32, Long } from 'mongodb';
import { ServerError } from '../server-error.js';
import { compare } from '../values/compare.js';
import { identical } from '../values/identical.js';
import { calculate, isDouble, isNumber, type Operation, sameType, toNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import { isDoc, type Maybe, type Value } from '../values/value.js';
import type { Modify } from './modify-path.js';
import type { UpdateTime } from './update-time.js';

/** Makes the change of one operator from its argument for a path. */
export type FieldOperator = (argument: Value, path: string, time: UpdateTime) => Modify;

export function setTo(value: Value): Modify {
  return (old) => (old !== undefined && identical(old, value) ? old : value);
}

function arithmetic(name: string, operation: Operation): FieldOperator {
  return (argument, path) => {
    if (!isNumber(argument)) {
      const verb = name === '$inc' ? 'increment' : 'multiply';
      throw new ServerError('TypeMismatch', `Cannot ${verb} with non-numeric argument: {${path}: ${typeName(argument)}}`);
    }
    const start = name === '$inc' ? argument : sameType(argument, 0);
    return (old) => {
      if (old === undefined) return start;
      if (!isNumber(old)) {
        throw new ServerError(
          'TypeMismatch',
          `Cannot apply ${name} to a value of non-numeric type. {${path}} has the field '${path}' of non-numeric type ${typeName(old)}`,
        );
      }
      const result = calculate(operation, old, argument);
      if (isDouble(result) && !isDouble(old) && !isDouble(argument)) {
        throw new ServerError('BadValue', `Failed to apply ${name} operations to current value (${String(old)}): overflow`);
      }
      return identical(result, old) ? old : result;
    };
  };
}

function extreme(sign: 1 | -1): FieldOperator {
  return (argument) => (old) => (old === undefined || compare(argument, old) * sign > 0 ? argument : old);
}

const currentDate: FieldOperator = (argument, _path, time) => {
  if (argument === true || argument === false) return () => time.now();
  const type = isDoc(argument) ? argument['$type'] : undefined;
  if (type === 'date') return () => time.now();
  if (type === 'timestamp') return () => time.timestamp();
  throw new ServerError(
    'BadValue',
    "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
  );
};

const BITS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const bit: FieldOperator = (argument, path) => {
  if (!isDoc(argument)) throw new ServerError('BadValue', `The $bit modifier is not compatible with a ${typeName(argument)}`);
  return (old) =>
    Object.entries(argument).reduce<Maybe>((value, [name, operand]) => {
      const apply = BITS[name];
      if (apply === undefined) throw new ServerError('BadValue', `The $bit modifier only supports 'and', 'or', and 'xor', not '${name}'`);
      const start = value ?? new Int32(0);
      if (!isWhole(start) || !isWhole(operand))
        throw new ServerError('BadValue', `Cannot apply $bit to a value of non-integral type at ${path}`);
      const result = Long.fromBigInt(apply(BigInt(toNumber(start)), BigInt(toNumber(operand))));
      return start instanceof Long || operand instanceof Long ? result : new Int32(result.toNumber());
    }, old);
};

function isWhole(value: Maybe): value is Int32 | Long | number {
  return isNumber(value) && !isDouble(value);
}

export const FIELD_OPERATORS: Readonly<Record<string, FieldOperator>> = {
  $set: (argument) => setTo(argument),
  $setOnInsert: (argument) => setTo(argument),
  $unset: () => () => undefined,
  $inc: arithmetic('$inc', 'add'),
  $mul: arithmetic('$mul', 'multiply'),
  $min: extreme(-1),
  $max: extreme(1),
  $currentDate: currentDate,
  $bit: bit,
};
