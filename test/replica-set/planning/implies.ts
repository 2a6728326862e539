/** Whether whatever matches a query also matches a partial index's filter, as far as the server sees it. */

import type { Leaf, Predicate } from '../matching/predicate.js';
import { compare, equal } from '../values/compare.js';
import { typeRank } from '../values/types.js';
import { isArray, type Value } from '../values/value.js';

export function implies(query: Predicate, filter: Predicate): boolean {
  if (filter.kind === 'and') return filter.parts.every((part) => implies(query, part));
  if (query.kind === 'or') return query.parts.every((part) => implies(part, filter));
  if (query.kind === 'and') return query.parts.some((part) => implies(part, filter)) || (filter.kind === 'or' && anyPart(query, filter));
  if (filter.kind === 'or') return anyPart(query, filter);
  return query.kind === 'leaf' && filter.kind === 'leaf' && query.path === filter.path && leafImplies(query, filter);
}

function anyPart(query: Predicate, filter: Extract<Predicate, { parts: unknown }>): boolean {
  return filter.parts.some((part) => implies(query, part));
}

function leafImplies(query: Leaf, filter: Leaf): boolean {
  if (filter.operator === '$exists') return filter.value !== false && impliesExistence(query);
  if (query.operator === filter.operator && equal(query.value, filter.value)) return true;
  const values = valuesOf(query);
  if (values !== undefined) return values.length > 0 && values.every((value) => satisfies(value, filter));
  return isTighter(query, filter);
}

function impliesExistence({ operator, value }: Leaf): boolean {
  if (operator === '$exists') return value !== false;
  if (operator === '$in') return isArray(value) && !value.includes(null);
  return value !== null;
}

/** The only values that the query accepts, where it names them. */
function valuesOf({ operator, value }: Leaf): readonly Value[] | undefined {
  if (operator === '$eq') return [value];
  return operator === '$in' && isArray(value) ? value : undefined;
}

function satisfies(value: Value, filter: Leaf): boolean {
  const order = compare(value, filter.value);
  switch (filter.operator) {
    case '$eq':
      return order === 0;
    case '$in':
      return isArray(filter.value) && filter.value.some((allowed) => equal(allowed, value));
    case '$type':
      return filter.matches({ [filter.path]: value });
    default:
      return typeRank(value) === typeRank(filter.value) && isWithin(order, filter.operator);
  }
}

function isWithin(order: number, operator: string): boolean {
  if (operator === '$gt') return order > 0;
  if (operator === '$gte') return order >= 0;
  if (operator === '$lt') return order < 0;
  return operator === '$lte' && order <= 0;
}

function isTighter(query: Leaf, filter: Leaf): boolean {
  const isSameSide = query.operator.slice(0, 3) === filter.operator.slice(0, 3) && ['$gt', '$lt'].includes(query.operator.slice(0, 3));
  if (!isSameSide || typeRank(query.value) !== typeRank(filter.value)) return false;
  const order = compare(query.value, filter.value);
  return (
    isWithin(order, filter.operator) ||
    (order === 0 && query.operator === filter.operator) ||
    (order === 0 && filter.operator.endsWith('e'))
  );
}
