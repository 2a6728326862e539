/** Compiles an aggregation expression once, to be evaluated on many documents. */

import { ServerError } from '../server-error.js';
import { type Doc, type Draft, fieldsOf, isArray, isDoc, type Maybe, setField, type Value } from '../values/value.js';
import { compileReference } from './reference.js';
import { type Environment, type Evaluate, emptyScope } from './scope.js';

/** Compiles the arguments of one operator. */
export type Operator = (args: Value, compile: Compile, env: Environment) => Evaluate;

export type Compile = (value: Value, env: Environment) => Evaluate;

const OPERATORS = new Map<string, Operator>();

/** Adds a family of operators; each family's file does so once. */
export function defineOperators(family: Readonly<Record<string, Operator>>): void {
  for (const [name, operator] of Object.entries(family)) OPERATORS.set(name, operator);
}

export function operatorNames(): string[] {
  return [...OPERATORS.keys()].sort();
}

export const compileExpression: Compile = (value, env) => {
  if (typeof value === 'string') return value.startsWith('$') ? compileReference(value, env) : () => value;
  if (isArray(value)) return compileArray(value, env);
  if (isDoc(value)) return compileDoc(value, env);
  return () => value;
};

function compileArray(array: readonly Value[], env: Environment): Evaluate {
  const elements = array.map((element) => compileExpression(element, env));
  return (scope) => elements.map((element) => element(scope) ?? null);
}

function compileDoc(doc: Doc, env: Environment): Evaluate {
  const entries = fieldsOf(doc);
  const [first] = entries;
  if (first?.[0].startsWith('$')) {
    if (entries.length !== 1) throw new ServerError(15983, 'An object representing an expression must have exactly one field');
    return compileOperator(first[0], first[1], env);
  }
  return compileObject(entries, env);
}

function compileOperator(name: string, args: Value, env: Environment): Evaluate {
  const operator = OPERATORS.get(name);
  if (operator === undefined) throw new ServerError(168, `Unrecognized expression '${name}'`);
  return operator(args, compileExpression, env);
}

function compileObject(entries: readonly [string, Value][], env: Environment): Evaluate {
  const fields = entries.map(([name, value]) => {
    if (name.startsWith('$'))
      throw new ServerError(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
    if (name.includes('.'))
      throw new ServerError(16412, `FieldPath field names may not contain '.'. Consider using $getField or $setField.`);
    return { name, evaluate: compileExpression(value, env) };
  });
  return (scope) => {
    const result: Draft = {};
    for (const { name, evaluate } of fields) {
      const value = evaluate(scope);
      if (value !== undefined) setField(result, name, value);
    }
    return result;
  };
}

/** The value of an expression that needs no document. */
export function evaluateConstant(value: Value, env: Environment): Maybe {
  return compileExpression(value, env)(emptyScope);
}
