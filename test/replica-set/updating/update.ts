/** Applies an update statement to a document, in each of its three styles. */

import type { Environment } from '../expressions/scope.js';
import type { Predicate } from '../matching/predicate.js';
import type { UpdateDescription } from '../oplog/oplog.js';
import type { Doc, Value } from '../values/value.js';
import type { UpdateTime } from './update-time.js';

export interface Update {
  readonly isReplacement: boolean;
  /** The document after the update; the very same object when nothing changes. */
  apply(doc: Doc, how: { readonly isInsert: boolean }): Doc;
  /** How change streams tell it; undefined when they tell the whole document. */
  describe(before: Doc, after: Doc): UpdateDescription | undefined;
}

export interface UpdateContext {
  readonly env: Environment;
  readonly time: UpdateTime;
  /** The statement's filter, which the positional `$` refers to. */
  readonly filter: Predicate;
  readonly arrayFilters: ReadonlyMap<string, (element: Value) => boolean>;
}
