/** Accumulators of `$group`, and those that are expressions too, such as `$max: ['$a', '$b']`. */

import { Double, Int32 } from 'mongodb';
import { ServerError } from '../server-error.js';
import { compare, equal } from '../values/compare.js';
import { calculate, isNumber, toNumber } from '../values/numbers.js';
import { type BsonNumber, isArray, type Maybe, type Value } from '../values/value.js';
import { argumentList } from './arguments.js';
import type { Operator } from './expression.js';
import { mergeObjects } from './objects.js';

/** Takes one value for each document of a group, and has a result at the end. */
export interface Accumulator {
  take(value: Maybe): void;
  result(): Maybe;
}

function folding<T extends Maybe>(start: T, step: (so: T, value: Maybe) => T): () => Accumulator {
  return () => {
    let so = start;
    return {
      take: (value) => {
        so = step(so, value);
      },
      result: () => so,
    };
  };
}

function keepBest(sign: 1 | -1): (so: Maybe, value: Maybe) => Maybe {
  return (so, value) => {
    if (value === undefined || value === null) return so;
    return so === null || so === undefined || compare(value, so) * sign > 0 ? value : so;
  };
}

function sum(so: BsonNumber, value: Maybe): BsonNumber {
  return isNumber(value) ? calculate('add', so, value) : so;
}

function average(): Accumulator {
  let total = 0;
  let count = 0;
  return {
    take: (value) => {
      if (!isNumber(value)) return;
      total += toNumber(value);
      count++;
    },
    result: () => (count === 0 ? null : new Double(total / count)),
  };
}

function first(): Accumulator {
  let so: Maybe;
  let seen = false;
  return {
    take: (value) => {
      if (!seen) so = value;
      seen = true;
    },
    result: () => so ?? null,
  };
}

function collect(isWanted: (so: readonly Value[], value: Value) => boolean): () => Accumulator {
  return () => {
    const all: Value[] = [];
    return {
      take: (value) => {
        if (value !== undefined && isWanted(all, value)) all.push(value);
      },
      result: () => all,
    };
  };
}

const ACCUMULATORS: Readonly<Record<string, () => Accumulator>> = {
  $sum: folding<BsonNumber>(new Int32(0), sum),
  $avg: average,
  $min: folding<Maybe>(null, keepBest(-1)),
  $max: folding<Maybe>(null, keepBest(1)),
  $first: first,
  $last: folding<Maybe>(null, (_, value) => value ?? null),
  $push: collect(() => true),
  $addToSet: collect((so, value) => !so.some((other) => equal(other, value))),
  $mergeObjects: folding<Maybe>({}, (so, value) => mergeObjects(so, value)),
};

export function accumulatorNames(): string[] {
  return [...Object.keys(ACCUMULATORS), '$count'].sort();
}

export function accumulatorOf(name: string): () => Accumulator {
  const create = ACCUMULATORS[name];
  if (create === undefined) throw new ServerError(15952, `unknown group operator '${name}'`);
  return create;
}

/** With one argument that is an array, over its elements; otherwise over the arguments. */
function overArguments(name: string): Operator {
  const create = accumulatorOf(name);
  return (args, compile, env) => {
    const parts = argumentList(args).map((arg) => compile(arg, env));
    return (scope) => {
      const accumulator = create();
      const values = parts.map((part) => part(scope));
      const [only] = values;
      for (const value of values.length === 1 && isArray(only) ? only : values) accumulator.take(value);
      return accumulator.result();
    };
  };
}

export const ACCUMULATOR_EXPRESSIONS: Readonly<Record<string, Operator>> = {
  $sum: overArguments('$sum'),
  $avg: overArguments('$avg'),
  $min: overArguments('$min'),
  $max: overArguments('$max'),
};
