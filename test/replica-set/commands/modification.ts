/** Applies a parsed update to a document, or inserts what an upsert makes of its filter. */

import type { Collection } from '../documents/collection.js';
import type { Stored } from '../documents/stored.js';
import type { Environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import { conjuncts, type Predicate } from '../matching/predicate.js';
import { querySort } from '../planning/choose-plan.js';
import type { Query } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import type { WriteUnit } from '../transactions/write-unit.js';
import { setTo } from '../updating/field-operators.js';
import { modifyPath } from '../updating/modify-path.js';
import { parseArrayFilters } from '../updating/operator-update.js';
import { parseUpdate } from '../updating/parse-update.js';
import type { Update } from '../updating/update.js';
import { identical } from '../values/identical.js';
import { splitPath } from '../values/paths.js';
import { refuseTooLargeResult } from '../values/size.js';
import type { Doc, Value } from '../values/value.js';
import type { Call } from './command.js';
import { withId } from './insert.js';
import { variablesOf } from './reading.js';

export interface ModificationSpec {
  readonly filter: Doc;
  readonly change: Value;
  readonly isUpsert: boolean;
  readonly hint: Value | undefined;
  readonly arrayFilters: readonly Value[];
  readonly sort?: Doc | undefined;
}

export interface Modification {
  readonly query: Query;
  readonly update: Update;
  readonly env: Environment;
}

export function parseModification(call: Call, unit: WriteUnit, spec: ModificationSpec): Modification {
  const env = variablesOf(call);
  const predicate = parseFilter(spec.filter, { env, allowsExpr: !spec.isUpsert });
  const arrayFilters = parseArrayFilters(spec.arrayFilters);
  const update = parseUpdate(spec.change, { env, time: unit, filter: predicate, arrayFilters });
  const sort = spec.sort === undefined ? undefined : querySort(spec.sort);
  return { query: { filter: spec.filter, predicate, hint: spec.hint, sort }, update, env };
}

export interface Target {
  readonly collection: Collection;
  readonly stored: Stored;
  readonly doc: Doc;
}

/** @returns the document afterwards; the very same when nothing changed */
export function applyUpdate({ update }: Modification, unit: WriteUnit, { collection, stored, doc }: Target): Doc {
  const result = update.apply(doc, { isInsert: false });
  if (result === doc) return doc;
  refuseOtherId(doc['_id'], result);
  refuseTooLargeResult(result);
  unit.replace(collection, stored, result, update.describe(doc, result));
  return result;
}

function refuseOtherId(id: Value | undefined, result: Doc): void {
  if (id === undefined || identical(id, result['_id'])) return;
  throw new ServerError('ImmutableField', "Performing an update on the path '_id' would modify the immutable field '_id'");
}

export function insertUpserted({ query, update }: Modification, unit: WriteUnit, collection: Collection): Doc {
  const base = equalities(query.predicate);
  const start: Doc = update.isReplacement ? pickId(base) : base;
  const result = update.apply(start, { isInsert: true });
  refuseOtherId(base['_id'], result);
  const doc = withId(result);
  refuseTooLargeResult(doc);
  unit.insert(collection, doc);
  return doc;
}

function pickId({ _id }: Doc): Doc {
  return _id === undefined ? {} : { _id };
}

/** The document that a filter's equalities amount to. */
function equalities(predicate: Predicate): Doc {
  const seen = new Set<string>();
  let doc: Doc = {};
  for (const part of conjuncts(predicate)) {
    if (part.kind !== 'leaf' || part.operator !== '$eq') continue;
    if (seen.has(part.path))
      throw new ServerError('NotSingleValueField', `cannot infer query fields to set, path '${part.path}' is matched twice`);
    seen.add(part.path);
    doc = modifyPath(doc, { path: splitPath(part.path), modify: setTo(part.value), placeholders: NONE, isLenient: false });
  }
  return doc;
}

const NONE = { positional: (): number => -1, isMeant: (): boolean => false };
