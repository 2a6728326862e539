/** A parsed filter: a tree of predicates that test documents and show the planner their conditions. */

import type { Doc, Value } from '../values/value.js';

export type LeafOperator =
  | '$eq'
  | '$gt'
  | '$gte'
  | '$lt'
  | '$lte'
  | '$in'
  | '$exists'
  | '$type'
  | '$regex'
  | '$mod'
  | '$size'
  | '$all'
  | '$elemMatch'
  | '$bitsAllSet'
  | '$bitsAnySet'
  | '$bitsAllClear'
  | '$bitsAnyClear';

export type Matches = (doc: Doc) => boolean;

export interface Leaf {
  readonly kind: 'leaf';
  readonly path: string;
  readonly operator: LeafOperator;
  readonly value: Value;
  readonly matches: Matches;
}

export interface Junction {
  readonly kind: 'and' | 'or' | 'nor';
  readonly parts: readonly Predicate[];
  readonly matches: Matches;
}

export interface Negation {
  readonly kind: 'not';
  readonly part: Predicate;
  readonly matches: Matches;
}

/** `$expr`, or anything else an index can say nothing about. */
export interface Opaque {
  readonly kind: 'expr' | 'constant';
  readonly matches: Matches;
}

export type Predicate = Leaf | Junction | Negation | Opaque;

export function allOf(parts: readonly Predicate[]): Predicate {
  const flat = parts.flatMap((part) => (part.kind === 'and' ? part.parts : [part]));
  const [first, second] = flat;
  if (first !== undefined && flat.length === 1) return first;
  const tests = flat.map((part) => part.matches);
  if (first === undefined) return { kind: 'and', parts: [], matches: () => true };
  if (second !== undefined && flat.length === 2) {
    return { kind: 'and', parts: flat, matches: (doc) => first.matches(doc) && second.matches(doc) };
  }
  return { kind: 'and', parts: flat, matches: (doc) => tests.every((test) => test(doc)) };
}

export function anyOf(parts: readonly Predicate[]): Predicate {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  return { kind: 'or', parts, matches: (doc) => parts.some((part) => part.matches(doc)) };
}

export function noneOf(parts: readonly Predicate[]): Predicate {
  return { kind: 'nor', parts, matches: (doc) => !parts.some((part) => part.matches(doc)) };
}

export function not(part: Predicate): Predicate {
  return { kind: 'not', part, matches: (doc) => !part.matches(doc) };
}

/** The predicates that all must hold, from the top. */
export function conjuncts(predicate: Predicate): readonly Predicate[] {
  return predicate.kind === 'and' ? predicate.parts : [predicate];
}
