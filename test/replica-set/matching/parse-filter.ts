/** Parses a filter such as `{status: 'pending', lane: {$in: [...]}}` into predicates. */

import { isTruthy } from '../expressions/arguments.js';
import { compileExpression } from '../expressions/expression.js';
import { type Environment, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { bsonType, type Doc, fieldsOf, isArray, isDoc, type Value } from '../values/value.js';
import { parseComparison } from './leaves.js';
import { allOf, anyOf, noneOf, not, type Predicate } from './predicate.js';

export interface FilterContext {
  readonly env: Environment;
  /** False where the server refuses `$expr`, such as in the filter of an upsert or of an array. */
  readonly allowsExpr: boolean;
}

export function parseFilter(filter: Doc, context: FilterContext): Predicate {
  return allOf(fieldsOf(filter).flatMap(([name, value]) => parseEntry(name, value, context)));
}

function parseEntry(name: string, value: Value, context: FilterContext): readonly Predicate[] {
  if (!name.startsWith('$')) return parseField(name, value, context);
  switch (name) {
    case '$and':
      return [allOf(parseList(name, value, context))];
    case '$or':
      return [anyOf(parseList(name, value, context))];
    case '$nor':
      return [noneOf(parseList(name, value, context))];
    case '$expr':
      return [parseExpr(value, context)];
    case '$comment':
      return [];
    case '$alwaysTrue':
    case '$alwaysFalse':
      return [{ kind: 'constant', matches: () => name === '$alwaysTrue' }];
    default:
      throw new ServerError(
        'BadValue',
        `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
      );
  }
}

function parseList(name: string, value: Value, context: FilterContext): Predicate[] {
  if (!isArray(value)) throw new ServerError('BadValue', `${name} must be an array`);
  if (value.length === 0) throw new ServerError('BadValue', '$and/$or/$nor must be a nonempty array');
  return value.map((part) => {
    if (!isDoc(part)) throw new ServerError('BadValue', '$or/$and/$nor entries need to be full objects');
    return parseFilter(part, context);
  });
}

function parseExpr(value: Value, { env, allowsExpr }: FilterContext): Predicate {
  if (!allowsExpr) throw new ServerError('QueryFeatureNotAllowed', '$expr is not allowed in the query predicate for an upsert');
  const evaluate = compileExpression(value, env);
  return { kind: 'expr', matches: (doc) => isTruthy(evaluate(scopeOf(doc))) };
}

function parseField(path: string, value: Value, context: FilterContext): readonly Predicate[] {
  if (bsonType(value) === 'BSONRegExp') return [parseComparison(path, '$regex', value)];
  if (isDoc(value) && Object.keys(value)[0]?.startsWith('$')) return parseOperators(path, value, context);
  return [parseComparison(path, '$eq', value)];
}

function parseOperators(path: string, operators: Doc, context: FilterContext): readonly Predicate[] {
  const parts: Predicate[] = [];
  for (const [name, value] of fieldsOf(operators)) {
    if (name === '$options') {
      if (operators['$regex'] === undefined) throw new ServerError('BadValue', '$options needs a $regex');
    } else parts.push(parseOperator(path, name, { value, operators, context }));
  }
  return parts;
}

interface Operand {
  readonly value: Value;
  readonly operators: Doc;
  readonly context: FilterContext;
}

function parseOperator(path: string, name: string, { value, operators, context }: Operand): Predicate {
  switch (name) {
    case '$ne':
      return not(parseComparison(path, '$eq', value));
    case '$nin':
      return not(parseComparison(path, '$in', value));
    case '$not':
      return parseNot(path, value, context);
    case '$regex':
      return parseComparison(path, '$regex', value, operators['$options']);
    case '$elemMatch':
      return parseElemMatch(path, value, context);
    case '$all':
      return parseAll(path, value, context);
    default:
      return parseComparison(path, name, value);
  }
}

function parseNot(path: string, value: Value, context: FilterContext): Predicate {
  if (bsonType(value) === 'BSONRegExp') return not(parseComparison(path, '$regex', value));
  if (!isDoc(value)) throw new ServerError('BadValue', '$not needs a regex or a document');
  if (fieldsOf(value).length === 0) throw new ServerError('BadValue', '$not cannot be empty');
  if (!Object.keys(value)[0]?.startsWith('$')) throw new ServerError('BadValue', `unknown operator: ${Object.keys(value)[0]}`);
  return not(allOf(parseOperators(path, value, context)));
}

function parseElemMatch(path: string, value: Value, context: FilterContext): Predicate {
  if (!isDoc(value)) throw new ServerError('BadValue', '$elemMatch needs an Object');
  const [first] = Object.keys(value);
  const onValues = first?.startsWith('$') && !['$and', '$or', '$nor'].includes(first);
  const part = onValues ? allOf(parseOperators('0', value, context)) : parseFilter(value, { ...context, allowsExpr: false });
  return parseComparison(path, '$elemMatch', value, undefined, (element) => {
    if (onValues) return part.matches({ '0': element });
    return (isDoc(element) && part.matches(element)) || (isArray(element) && part.matches(Object.fromEntries(element.entries())));
  });
}

/** Equality and `$elemMatch`es that must all be there, each perhaps in another element. */
function parseAll(path: string, value: Value, context: FilterContext): Predicate {
  if (!isArray(value)) throw new ServerError('BadValue', '$all needs an array');
  if (value.length === 0) return { kind: 'constant', matches: () => false };
  return allOf(
    value.map((part) => {
      if (isDoc(part) && part['$elemMatch'] !== undefined) return parseElemMatch(path, part['$elemMatch'], context);
      if (bsonType(part) === 'BSONRegExp') return parseComparison(path, '$regex', part);
      if (isDoc(part) && Object.keys(part)[0]?.startsWith('$')) throw new ServerError('BadValue', 'no $ expressions in $all');
      return parseComparison(path, '$eq', part);
    }),
  );
}
