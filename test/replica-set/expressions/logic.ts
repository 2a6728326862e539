/** Comparisons, `$and`, `$or`, `$not`, and the expressions that choose: `$cond`, `$ifNull`, `$switch`, `$let`, `$literal`. */

import { Int32 } from 'mongodb';
import { ServerError } from '../server-error.js';
import { compare } from '../values/compare.js';
import { fieldsOf, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import { argumentList, eager, isNullish, isTruthy, named } from './arguments.js';
import type { Compile, Operator } from './expression.js';
import { bind, type Environment, type Evaluate, withLocals } from './scope.js';

/** As expressions compare: a missing value comes before null. */
function compareInExpressions(a: Maybe, b: Maybe): number {
  if (a === undefined || b === undefined) return missingFirst(a, b);
  return compare(a, b);
}

function missingFirst(a: Maybe, b: Maybe): number {
  if (a === b) return 0;
  const other = a ?? b;
  const belowMissing = typeof other === 'object' && other !== null && (other as { _bsontype?: string })._bsontype === 'MinKey';
  return (a === undefined) === belowMissing ? 1 : -1;
}

function comparison(name: string, holds: (order: number) => boolean): Operator {
  return eager(name, [2, 2], (a, b) => holds(compareInExpressions(a, b)));
}

const and: Operator = (args, compile, env) => {
  const parts = argumentList(args).map((arg) => compile(arg, env));
  return (scope) => parts.every((part) => isTruthy(part(scope)));
};

const or: Operator = (args, compile, env) => {
  const parts = argumentList(args).map((arg) => compile(arg, env));
  return (scope) => parts.some((part) => isTruthy(part(scope)));
};

const cond: Operator = (args, compile, env) => {
  const [test, yes, no] = condParts(args).map((arg) => compile(arg, env));
  if (test === undefined || yes === undefined || no === undefined)
    throw new ServerError(16020, 'Expression $cond takes exactly 3 arguments.');
  return (scope) => (isTruthy(test(scope)) ? yes(scope) : no(scope));
};

function condParts(args: Value): readonly Value[] {
  if (isArray(args)) {
    if (args.length !== 3) throw new ServerError(16020, `Expression $cond takes exactly 3 arguments. ${args.length} were passed in.`);
    return args;
  }
  if (!isDoc(args)) throw new ServerError(16020, 'Expression $cond takes exactly 3 arguments. 1 were passed in.');
  const known = ['if', 'then', 'else'];
  for (const [key] of fieldsOf(args)) {
    if (!known.includes(key)) throw new ServerError(17083, `Unrecognized parameter to $cond: ${key}`);
  }
  return known.map((key, i) => {
    const part = args[key];
    if (part === undefined) throw new ServerError(17080 + i, `Missing '${key}' parameter to $cond`);
    return part;
  });
}

const ifNull: Operator = (args, compile, env) => {
  const list = argumentList(args);
  if (list.length < 2) throw new ServerError(1257300, `$ifNull needs at least two arguments, had: ${list.length}`);
  const parts = list.map((arg) => compile(arg, env));
  return (scope) => {
    let value: Maybe;
    for (const part of parts) {
      value = part(scope);
      if (!isNullish(value)) return value;
    }
    return value;
  };
};

interface Branch {
  readonly test: Evaluate;
  readonly then: Evaluate;
}

const switchCase: Operator = (args, compile, env) => {
  if (!isDoc(args)) throw new ServerError(40060, '$switch requires an object as an argument');
  for (const [key] of fieldsOf(args)) {
    if (key !== 'branches' && key !== 'default') throw new ServerError(40067, `$switch found an unknown argument: ${key}`);
  }
  const { branches: given, default: otherwise } = args as { branches?: Value; default?: Value };
  if (!isArray(given)) throw new ServerError(40061, "$switch expected an array for 'branches'");
  if (given.length === 0) throw new ServerError(40068, '$switch requires at least one branch.');
  const branches = given.map((branch) => switchBranch(branch, compile, env));
  const fallback = otherwise === undefined ? undefined : compile(otherwise, env);
  return (scope) => {
    const branch = branches.find(({ test }) => isTruthy(test(scope)));
    if (branch !== undefined) return branch.then(scope);
    if (fallback !== undefined) return fallback(scope);
    throw new ServerError(40066, '$switch could not find a matching branch for an input, and no default was specified.');
  };
};

function switchBranch(branch: Value, compile: Compile, env: Environment): Branch {
  if (!isDoc(branch)) throw new ServerError(40062, '$switch expected each branch to be an object');
  const { case: test, then } = branch as { case?: Value; then?: Value };
  if (test === undefined) throw new ServerError(40064, "$switch requires each branch have a 'case' expression");
  if (then === undefined) throw new ServerError(40065, "$switch requires each branch have a 'then' expression.");
  return { test: compile(test, env), then: compile(then, env) };
}

const letIn: Operator = (args, compile, env) => {
  const { vars, in: body } = named('$let', args, { required: ['vars', 'in'] }) as { vars: Value; in: Value };
  if (!isDoc(vars)) throw new ServerError(10065, 'invalid parameter: expected an object (vars)');
  const bindings = fieldsOf(vars).map(([name, value]) => ({ name, evaluate: compile(value, env) }));
  const inner = withLocals(
    env,
    bindings.map(({ name }) => name),
  );
  const result = compile(body, inner);
  return (scope) => result(bind(scope, Object.fromEntries(bindings.map(({ name, evaluate }) => [name, evaluate(scope)]))));
};

const literal: Operator = (args) => () => args;

export const LOGIC: Readonly<Record<string, Operator>> = {
  $eq: comparison('$eq', (order) => order === 0),
  $ne: comparison('$ne', (order) => order !== 0),
  $gt: comparison('$gt', (order) => order > 0),
  $gte: comparison('$gte', (order) => order >= 0),
  $lt: comparison('$lt', (order) => order < 0),
  $lte: comparison('$lte', (order) => order <= 0),
  $cmp: eager('$cmp', [2, 2], (a, b) => new Int32(Math.sign(compareInExpressions(a, b)))),
  $and: and,
  $or: or,
  $not: eager('$not', [1, 1], (value) => !isTruthy(value)),
  $cond: cond,
  $ifNull: ifNull,
  $switch: switchCase,
  $let: letIn,
  $literal: literal,
  $const: literal,
};
