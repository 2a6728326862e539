/** How operators take their arguments: a fixed number, any number, or an object of named ones. */

import { ServerError } from '../server-error.js';
import { isNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import { type BsonNumber, type Doc, fieldsOf, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import type { Operator } from './expression.js';

export function argumentList(args: Value): readonly Value[] {
  return isArray(args) ? args : [args];
}

/** An operator whose arguments are all evaluated before it is applied. */
export function eager(name: string, count: readonly [number, number], apply: (...values: Maybe[]) => Maybe): Operator {
  return (args, compile, env) => {
    const list = argumentList(args);
    checkCount(name, list.length, count);
    const [a, b, ...rest] = list.map((arg) => compile(arg, env));
    if (a === undefined) return () => apply();
    if (b === undefined) return (scope) => apply(a(scope));
    if (rest.length === 0) return (scope) => apply(a(scope), b(scope));
    return (scope) => apply(a(scope), b(scope), ...rest.map((more) => more(scope)));
  };
}

function checkCount(name: string, count: number, [least, most]: readonly [number, number]): void {
  if (count >= least && count <= most) return;
  const takes = least === most ? `exactly ${least} arguments` : `at least ${least} arguments, and at most ${most}`;
  throw new ServerError(16020, `Expression ${name} takes ${takes}. ${count} were passed in.`);
}

export const ANY_NUMBER: readonly [number, number] = [0, Number.MAX_SAFE_INTEGER];

export interface NamedArguments {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
}

/** Checks an object of named arguments, such as `$filter` takes. */
export function named(name: string, args: Value, { required, optional = [] }: NamedArguments): Doc {
  if (!isDoc(args)) throw new ServerError(28646, `${name} only supports an object as its argument`);
  for (const [key] of fieldsOf(args)) {
    if (!required.includes(key) && !optional.includes(key)) throw new ServerError(28647, `Unrecognized parameter to ${name}: ${key}`);
  }
  for (const key of required) {
    if (args[key] === undefined) throw new ServerError(28648, `Missing '${key}' parameter to ${name}`);
  }
  return args;
}

export function isNullish(value: Maybe): value is null | undefined {
  return value === null || value === undefined;
}

export function needNumber(name: string, value: Maybe, code = 28765): BsonNumber {
  if (isNumber(value)) return value;
  throw new ServerError(code, `${name} only supports numeric types, not ${typeName(value)}`);
}

export function needArray(name: string, value: Maybe, code = 28689): readonly Value[] {
  if (isArray(value)) return value;
  throw new ServerError(code, `${name} requires an array, but got ${typeName(value)}`);
}

export function needString(name: string, value: Maybe, code = 16702): string {
  if (typeof value === 'string') return value;
  throw new ServerError(code, `${name} requires a string argument, found: ${typeName(value)}`);
}

/** Every value is true except false, zero, null and nothing. */
export function isTruthy(value: Maybe): boolean {
  if (value === undefined || value === null || value === false) return false;
  return !isNumber(value) || Number(value) !== 0;
}
