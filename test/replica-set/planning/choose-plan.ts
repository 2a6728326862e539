/** Chooses how a query is served, and builds the plan. */

import type { CollectionIndex } from '../documents/collection-index.js';
import { conjuncts } from '../matching/predicate.js';
import { ServerError } from '../server-error.js';
import { equal } from '../values/compare.js';
import { numberOf } from '../values/numbers.js';
import { documentOrder, sortFields } from '../values/sort-order.js';
import { type Doc, isArray, isDoc, type Value } from '../values/value.js';
import { implies } from './implies.js';
import { accessBy, explode, type IndexAccess, pathOf, residual } from './index-access.js';
import { collectionScan, fastCount, idHack } from './nodes/collection-scan.js';
import { either, sortMerge } from './nodes/combining.js';
import { IndexCursor, isSingleInterval } from './nodes/index-cursor.js';
import { countScan, indexScan } from './nodes/index-scan.js';
import { fetch, limit, nothing, project, skip, sort } from './nodes/passing.js';
import { newCounters, type PlanNode, type Source } from './nodes/plan-node.js';
import type { Query, QuerySort } from './query.js';

/** @param source undefined for a collection that does not exist */
export function planQuery(source: Source | undefined, query: Query): PlanNode {
  if (source === undefined) return nothing();
  return shape(access(source, query), query);
}

/** Where rows come from, and what is still to be done with them. */
interface Access {
  readonly node: PlanNode;
  readonly isOrdered: boolean;
  /** The index whose keys are all that is needed so far. */
  readonly covering: CollectionIndex | undefined;
}

function access(source: Source, query: Query): Access {
  const hint = hintedIndex(source, query.hint);
  if (typeof hint === 'number') return wholeCollection(source, query, hint);
  if (query.isCount && hint === undefined && conjuncts(query.predicate).length === 0)
    return { node: fastCount(source), isOrdered: false, covering: undefined };
  const id = query.hint === undefined || hint?.spec.name === '_id_' ? soleId(query) : undefined;
  if (id !== undefined) return { node: idHack(source, id), isOrdered: true, covering: undefined };
  const best = hint === undefined ? bestAccess(source, query) : accessBy(hint, query);
  if (best !== undefined) return byIndex(source, query, best);
  return byBranches(source, query) ?? wholeCollection(source, query, 1);
}

/** The value of a filter that asks for one `_id` and nothing else. */
function soleId({ predicate }: Query): Value | undefined {
  if (predicate.kind !== 'leaf' || predicate.path !== '_id' || predicate.operator !== '$eq') return undefined;
  return isArray(predicate.value) || predicate.value === null ? undefined : predicate.value;
}

/** The index a hint names; a direction for `$natural`. */
export function hintedIndex({ collection }: Source, hint: Value | undefined): CollectionIndex | 1 | -1 | undefined {
  if (hint === undefined || (isDoc(hint) && Object.keys(hint).length === 0)) return undefined;
  const natural = isDoc(hint) ? numberOf(hint['$natural']) : undefined;
  if (natural !== undefined) return natural < 0 ? -1 : 1;
  const all = [...collection.indexes.values()];
  const found = all.find(({ spec, pattern }) => (typeof hint === 'string' ? spec.name === hint : samePattern(pattern, hint)));
  if (found !== undefined && !found.spec.isHidden) return found;
  throw new ServerError(
    'BadValue',
    'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
  );
}

export function samePattern(pattern: Doc, other: Value): boolean {
  return isDoc(other) && Object.keys(pattern).join() === Object.keys(other).join() && equal(pattern, other);
}

function wholeCollection(source: Source, { predicate, filter }: Query, direction: 1 | -1): Access {
  return { node: collectionScan(source, predicate, { filter, direction }), isOrdered: false, covering: undefined };
}

/** The index that looks at the fewest keys; ties go to the one that needs no sort, then the one narrowed by more fields. */
function bestAccess(source: Source, query: Query): IndexAccess | undefined {
  const named = new Set(conjuncts(query.predicate).map(pathOf));
  const usable = [...source.collection.indexes.values()]
    .filter(({ spec }) => query.sort !== undefined || named.has(spec.fields[0]?.path))
    .filter(({ spec }) => !spec.isHidden && (spec.partial === undefined || implies(query.predicate, spec.partial.predicate)))
    .map((index) => accessBy(index, query))
    .filter(({ index, usesFirstField, givesOrder }) => usesFirstField || (givesOrder && !index.spec.isSparse));
  const [first, second] = usable;
  if (second === undefined) return first;
  const costed = usable.map((candidate) => ({ candidate, cost: costOf(source, query, candidate) }));
  costed.sort((a, b) => a.cost - b.cost || b.candidate.bounded - a.candidate.bounded);
  return costed[0]?.candidate;
}

const MOST_KEYS = 300;

function costOf(source: Source, query: Query, candidate: IndexAccess): number {
  const cursor = new IndexCursor(source, candidate.index, { ...candidate, counters: newCounters() });
  let keys = 0;
  for (let found = cursor.first(); found !== undefined && keys < MOST_KEYS; found = cursor.next()) keys++;
  const sorts = query.sort !== undefined && !candidate.givesOrder;
  const stopsEarly = query.limit !== undefined && !sorts && candidate.onDocuments.length === 0;
  return stopsEarly ? Math.min(keys, query.limit ?? keys) : keys * (sorts ? 2 : 1) + (candidate.onDocuments.length > 0 ? 0.5 : 0);
}

function byIndex(source: Source, query: Query, chosen: IndexAccess): Access {
  const { index, direction, bounds } = chosen;
  const filter = filterOf(residual(chosen.onKeys), query);
  const isCovered = chosen.onKeys.length === 0 && chosen.onDocuments.length === 0;
  if (query.isCount && isCovered && isSingleInterval(bounds) && !index.isMultikey) {
    return { node: countScan(source, { index, bounds, direction, filter: undefined }), isOrdered: false, covering: undefined };
  }
  const scan = (each: IndexAccess['bounds']): PlanNode => indexScan(source, { index, bounds: each, direction, filter });
  const node =
    chosen.exploded === 0 || query.sort === undefined
      ? scan(bounds)
      : sortMerge(explode(chosen).map(scan), query.sort.order, query.sort.pattern);
  const onDocuments = filterOf(residual(chosen.onDocuments), query);
  if (onDocuments !== undefined) return { node: fetch(node, onDocuments), isOrdered: chosen.givesOrder, covering: undefined };
  return { node, isOrdered: chosen.givesOrder, covering: index };
}

function filterOf(
  predicate: ReturnType<typeof residual>,
  { filter }: Query,
): { predicate: NonNullable<typeof predicate>; text: Doc } | undefined {
  return predicate === undefined ? undefined : { predicate, text: filter };
}

/** Each branch of an `$or` by an index of its own, where all have one. */
function byBranches(source: Source, query: Query): Access | undefined {
  if (query.predicate.kind !== 'or') return undefined;
  const inputs: PlanNode[] = [];
  for (const predicate of query.predicate.parts) {
    const branch: Query = { filter: query.filter, predicate };
    const chosen = bestAccess(source, branch);
    if (chosen === undefined) return undefined;
    inputs.push(byIndex(source, branch, chosen).node);
  }
  return { node: fetch(either(inputs), undefined), isOrdered: false, covering: undefined };
}

/** Puts SORT, SKIP, LIMIT and the projection on top, and FETCH where documents are needed. */
function shape({ node, isOrdered, covering }: Access, query: Query): PlanNode {
  const covers = covering !== undefined && coversProjection(covering, query, isOrdered);
  let plan = covering === undefined || covers || node.stage === 'FETCH' || query.isCount ? node : fetch(node, undefined);
  const most = query.limit === undefined ? undefined : query.limit + (query.skip ?? 0);
  if (query.sort !== undefined && !isOrdered) plan = sort(plan, query.sort.order, { pattern: query.sort.pattern, limit: most });
  if (query.skip) plan = skip(plan, query.skip);
  if (query.limit !== undefined && (isOrdered || query.sort === undefined || query.skip)) plan = limit(plan, query.limit);
  if (query.projection === undefined || query.isCount) return plan;
  const { spec, apply, picks } = query.projection;
  const stage = covers ? 'PROJECTION_COVERED' : picks === undefined ? 'PROJECTION_DEFAULT' : 'PROJECTION_SIMPLE';
  return project(plan, apply, { stage, spec });
}

function coversProjection(index: CollectionIndex, { projection, sort: wanted }: Query, isOrdered: boolean): boolean {
  if (index.isMultikey || projection?.picks === undefined) return false;
  const fields = new Set(index.spec.fields.map(({ path }) => path));
  const sorted = isOrdered ? [] : (wanted?.fields.map(({ path }) => path) ?? []);
  return [...projection.picks, ...sorted].every((path) => fields.has(path));
}

/** A sort as plans take it. */
export function querySort(pattern: Doc): QuerySort | undefined {
  const fields = sortFields(pattern);
  return fields.length === 0 ? undefined : { pattern, fields, order: documentOrder(fields) };
}
