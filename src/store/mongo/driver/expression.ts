/** Expressions for the server, made of constants of ours. A value from outside has to be a literal: a bare `string` does not compile. */

import type { JobKind } from '../../../job/job-record.js';
import type { Status } from '../../../job/job-status.js';

/** A value that the server never reads as an expression. */
export interface Literal {
  readonly $literal: unknown;
}

/** A field or a variable. */
type Path = `$${string}`;

/** The only words that may stand bare: the code's own, none of which begins with a dollar. */
type Word = Status | JobKind | 'alive' | 'dead' | 'date' | 'missing' | 'insert' | 'h' | 'w' | 'b';

export type Expression = Path | Word | number | boolean | Date | Literal | readonly Expression[] | Fields;

/** An operator with its operands, or the fields of an object. */
export interface Fields {
  readonly [name: string]: Expression;
}

/** An update that the server computes. */
export type Pipeline = readonly ({ readonly $set: Fields } | { readonly $unset: readonly string[] })[];

/** A filter, in which only `$expr` computes. */
type Match = { readonly $expr?: Expression } & { readonly [field: string]: unknown };

/** A stage of an aggregation, or of the filter of a change stream. */
export type Stage =
  | { readonly $match: Match }
  | { readonly $project: Fields }
  | { readonly $sort: { readonly [field: string]: 1 | -1 } }
  | { readonly $limit: number }
  | { readonly $unionWith: { readonly coll: string; readonly pipeline: readonly Stage[] } };

/** The number in a field, or 0 if it is damaged, which must not fail a write that concerns other documents as well. */
export function numberIn(field: Path): Expression {
  return { $cond: [{ $isNumber: field }, field, 0] };
}

/** A value as it is: no part of it is taken for an expression. */
export function literal(value: unknown): Literal {
  return { $literal: value };
}
