/** Update operators on arrays: `$push`, `$addToSet`, `$pull`, `$pullAll`, `$pop`. */

import { environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import { ServerError } from '../server-error.js';
import { equal } from '../values/compare.js';
import { numberOf } from '../values/numbers.js';
import { sorter } from '../values/sort-order.js';
import { typeName } from '../values/types.js';
import { bsonType, type Doc, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import type { FieldOperator } from './field-operators.js';

function arrayAt(old: Maybe, path: string): readonly Value[] {
  if (old === undefined) return [];
  if (isArray(old)) return old;
  throw new ServerError('BadValue', `The field '${path}' must be an array but is of type ${typeName(old)}`);
}

const PUSH_OPTIONS = ['$each', '$position', '$slice', '$sort'];

const push: FieldOperator = (argument, path) => {
  const spec = isDoc(argument) && argument['$each'] !== undefined ? argument : { $each: [argument] };
  for (const name of Object.keys(spec)) {
    if (!PUSH_OPTIONS.includes(name)) throw new ServerError('BadValue', `Unrecognized clause in $push: ${name}`);
  }
  const { $each: each, $position, $slice, $sort } = spec as Record<string, Value | undefined>;
  if (!isArray(each))
    throw new ServerError('BadValue', `The argument to $each in $push must be an array but it was of type ${typeName(each)}`);
  const [position, slice] = [wholeOption('$position', $position), wholeOption('$slice', $slice)];
  const order = $sort === undefined ? undefined : sorter($sort);
  return (old) => {
    const array = arrayAt(old, path);
    const at = position ?? array.length;
    const pushed = array.toSpliced(at, 0, ...each);
    const sorted = order === undefined ? pushed : pushed.toSorted(order);
    if (slice === undefined) return sorted;
    return slice >= 0 ? sorted.slice(0, slice) : sorted.slice(slice);
  };
};

function wholeOption(name: string, value: Maybe): number | undefined {
  if (value === undefined) return undefined;
  const number = numberOf(value);
  if (number === undefined || !Number.isInteger(number))
    throw new ServerError('BadValue', `The value for ${name} must be an integer value, not ${typeName(value)}`);
  return number;
}

const addToSet: FieldOperator = (argument, path) => {
  const each = isDoc(argument) ? argument['$each'] : undefined;
  if (each !== undefined && !isArray(each))
    throw new ServerError('TypeMismatch', `The argument to $each in $addToSet must be an array but it was of type ${typeName(each)}`);
  const wanted = each ?? [argument];
  return (old) => {
    const array = [...arrayAt(old, path)];
    for (const value of wanted) {
      if (!array.some((other) => equal(other, value))) array.push(value);
    }
    return isArray(old) && array.length === old.length ? old : array;
  };
};

function without(test: (element: Value) => boolean, path: string): (old: Maybe) => Maybe {
  return (old) => {
    if (old === undefined) return undefined;
    if (!isArray(old)) throw new ServerError('BadValue', `Cannot apply $pull to a non-array value at '${path}'`);
    const kept = old.filter((element) => !test(element));
    return kept.length === old.length ? old : kept;
  };
}

const pull: FieldOperator = (argument, path) => without(pullTest(argument), path);

function pullTest(argument: Value): (element: Value) => boolean {
  const context = { env: environment(), allowsExpr: false };
  if (isDoc(argument) && !Object.keys(argument)[0]?.startsWith('$')) {
    const predicate = parseFilter(argument, context);
    return (element) => isDoc(element) && predicate.matches(element);
  }
  if (!isDoc(argument) && bsonType(argument) !== 'BSONRegExp') return (element) => equal(element, argument);
  const predicate = parseFilter({ e: argument } satisfies Doc, context);
  return (element) => predicate.matches({ e: element });
}

const pullAll: FieldOperator = (argument, path) => {
  if (!isArray(argument)) throw new ServerError('BadValue', `$pullAll requires an array argument but was given a ${typeName(argument)}`);
  return without((element) => argument.some((other) => equal(other, element)), path);
};

const pop: FieldOperator = (argument, path) => {
  const end = numberOf(argument);
  if (end !== 1 && end !== -1) throw new ServerError('FailedToParse', `$pop expects 1 or -1, found: ${String(argument)}`);
  return (old) => {
    if (old === undefined) return undefined;
    if (!isArray(old)) throw new ServerError('TypeMismatch', `Path '${path}' contains an element of non-array type '${typeName(old)}'`);
    if (old.length === 0) return old;
    return end === 1 ? old.slice(0, -1) : old.slice(1);
  };
};

export const ARRAY_OPERATORS: Readonly<Record<string, FieldOperator>> = {
  $push: push,
  $addToSet: addToSet,
  $pull: pull,
  $pullAll: pullAll,
  $pop: pop,
};
