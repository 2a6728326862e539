/** A query to plan. */

import type { Predicate } from '../matching/predicate.js';
import type { Order, SortField } from '../values/sort-order.js';
import type { Doc, Value } from '../values/value.js';

export interface QuerySort {
  readonly pattern: Doc;
  readonly fields: readonly SortField[];
  readonly order: Order<Doc>;
}

export interface QueryProjection {
  readonly spec: Doc;
  readonly apply: (doc: Doc) => Doc;
  /** The top-level fields it needs, where it only picks such; then an index may cover it. */
  readonly picks: readonly string[] | undefined;
}

export interface Query {
  readonly filter: Doc;
  readonly predicate: Predicate;
  readonly sort?: QuerySort | undefined;
  readonly skip?: number | undefined;
  readonly limit?: number | undefined;
  readonly projection?: QueryProjection | undefined;
  /** Whether only the number of matches matters. */
  readonly isCount?: boolean;
  /** An index's name or key pattern, or `{$natural: 1}`. */
  readonly hint?: Value | undefined;
}
