/** Expressions on arrays: elements, parts, and `$filter`, `$map`, `$reduce`, `$sortArray` over them. */

import { Int32 } from 'mongodb';
import { ServerError } from '../server-error.js';
import { equal } from '../values/compare.js';
import { isNumber, toNumber, wholeNumber } from '../values/numbers.js';
import { sorter } from '../values/sort-order.js';
import { typeName } from '../values/types.js';
import { isArray, type Maybe, type Value } from '../values/value.js';
import { ANY_NUMBER, eager, isNullish, isTruthy, named, needArray, needNumber } from './arguments.js';
import type { Operator } from './expression.js';
import { bind, withLocals } from './scope.js';

function elementAt(array: Maybe, index: Maybe): Maybe {
  if (isNullish(array) || isNullish(index)) return null;
  const elements = needArray('$arrayElemAt', array);
  if (!isNumber(index)) throw new ServerError(28690, `$arrayElemAt's second argument must be a numeric value, but is ${typeName(index)}`);
  return elements.at(toNumber(index));
}

function edge(name: string, at: 0 | -1): Operator {
  return eager(name, [1, 1], (array) => (isNullish(array) ? null : needArray(name, array).at(at)));
}

function concatArrays(...arrays: Maybe[]): Maybe {
  const all: Value[] = [];
  for (const array of arrays) {
    if (isNullish(array)) return null;
    if (!isArray(array)) throw new ServerError(28664, `$concatArrays only supports arrays, not ${typeName(array)}`);
    all.push(...array);
  }
  return all;
}

const filter: Operator = (args, compile, env) => {
  const {
    input,
    cond,
    as = 'this',
    limit,
  } = named('$filter', args, { required: ['input', 'cond'], optional: ['as', 'limit'] }) as {
    input: Value;
    cond: Value;
    as?: string;
    limit?: Value;
  };
  const source = compile(input, env);
  const keeps = compile(cond, withLocals(env, [as]));
  const most = limit === undefined ? undefined : compile(limit, env);
  return (scope) => {
    const array = source(scope);
    if (isNullish(array)) return null;
    if (!isArray(array)) throw new ServerError(28651, `input to $filter must be an array not ${typeName(array)}`);
    const kept = array.filter((element) => isTruthy(keeps(bind(scope, { [as]: element }))));
    const count = most?.(scope);
    return isNumber(count) ? kept.slice(0, toNumber(count)) : kept;
  };
};

const map: Operator = (args, compile, env) => {
  const {
    input,
    in: body,
    as = 'this',
  } = named('$map', args, { required: ['input', 'in'], optional: ['as'] }) as {
    input: Value;
    in: Value;
    as?: string;
  };
  const source = compile(input, env);
  const each = compile(body, withLocals(env, [as]));
  return (scope) => {
    const array = source(scope);
    if (isNullish(array)) return null;
    if (!isArray(array)) throw new ServerError(16883, `input to $map must be an array not ${typeName(array)}`);
    return array.map((element) => each(bind(scope, { [as]: element })) ?? null);
  };
};

const reduce: Operator = (args, compile, env) => {
  const { input, initialValue, in: body } = named('$reduce', args, { required: ['input', 'initialValue', 'in'] }) as Record<string, Value>;
  if (input === undefined || initialValue === undefined || body === undefined)
    throw new ServerError(40077, '$reduce requires its parameters');
  const source = compile(input, env);
  const start = compile(initialValue, env);
  const step = compile(body, withLocals(env, ['this', 'value']));
  return (scope) => {
    const array = source(scope);
    if (isNullish(array)) return null;
    if (!isArray(array)) throw new ServerError(40080, `$reduce requires that 'input' be an array, found: ${typeName(array)}`);
    return array.reduce<Maybe>((value, element) => step(bind(scope, { this: element, value })), start(scope));
  };
};

function isIn(value: Maybe, array: Maybe): Maybe {
  if (!isArray(array)) throw new ServerError(40081, `$in requires an array as a second argument, found: ${typeName(array)}`);
  return array.some((element) => equal(element, value));
}

function indexOfArray(array: Maybe, value: Maybe, from: Maybe, to: Maybe): Maybe {
  if (isNullish(array)) return null;
  if (!isArray(array)) throw new ServerError(40090, `$indexOfArray requires an array as a first argument, found: ${typeName(array)}`);
  const end = isNumber(to) ? Math.min(toNumber(to), array.length) : array.length;
  for (let i = isNumber(from) ? toNumber(from) : 0; i < end; i++) {
    if (equal(array[i], value)) return new Int32(i);
  }
  return new Int32(-1);
}

function slice(array: Maybe, a: Maybe, b?: Maybe): Maybe {
  if (isNullish(array) || isNullish(a) || b === null) return null;
  const elements = needArray('$slice', array, 28724);
  const first = toNumber(needNumber('$slice', a, 28725));
  if (b === undefined) return first >= 0 ? elements.slice(0, first) : elements.slice(first);
  const count = toNumber(needNumber('$slice', b, 28727));
  if (count <= 0) throw new ServerError(28729, 'Third argument to $slice must be positive');
  const start = first >= 0 ? first : Math.max(elements.length + first, 0);
  return elements.slice(start, start + count);
}

function range(from: Maybe, to: Maybe, step: Maybe): Maybe {
  const [start, end] = [toNumber(needNumber('$range', from, 34443)), toNumber(needNumber('$range', to, 34445))];
  const by = step === undefined ? 1 : toNumber(needNumber('$range', step, 34447));
  if (by === 0) throw new ServerError(34449, '$range requires a non-zero step value');
  const values: Value[] = [];
  for (let value = start; by > 0 ? value < end : value > end; value += by) values.push(wholeNumber(value));
  return values;
}

const sortArray: Operator = (args, compile, env) => {
  const { input, sortBy } = named('$sortArray', args, { required: ['input', 'sortBy'] }) as { input: Value; sortBy: Value };
  const source = compile(input, env);
  const order = sorter(sortBy);
  return (scope) => {
    const array = source(scope);
    return isNullish(array) ? null : needArray('$sortArray', array, 2942504).toSorted(order);
  };
};

function size(array: Maybe): Maybe {
  if (!isArray(array)) throw new ServerError(17124, `The argument to $size must be an array, but was of type: ${typeName(array)}`);
  return new Int32(array.length);
}

export const ARRAYS: Readonly<Record<string, Operator>> = {
  $arrayElemAt: eager('$arrayElemAt', [2, 2], elementAt),
  $first: edge('$first', 0),
  $last: edge('$last', -1),
  $concatArrays: eager('$concatArrays', ANY_NUMBER, concatArrays),
  $filter: filter,
  $map: map,
  $reduce: reduce,
  $in: eager('$in', [2, 2], isIn),
  $indexOfArray: eager('$indexOfArray', [2, 4], indexOfArray),
  $isArray: eager('$isArray', [1, 1], (value) => isArray(value)),
  $size: eager('$size', [1, 1], size),
  $slice: eager('$slice', [2, 3], slice),
  $range: eager('$range', [2, 3], range),
  $reverseArray: eager('$reverseArray', [1, 1], (array) =>
    isNullish(array) ? null : needArray('$reverseArray', array, 34435).toReversed(),
  ),
  $sortArray: sortArray,
};
