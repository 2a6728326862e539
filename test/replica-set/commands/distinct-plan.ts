/** Plans `distinct`: by the first key of each value where an index has all that is asked, as any query otherwise. */

import { hintedIndex, planQuery } from '../planning/choose-plan.js';
import { implies } from '../planning/implies.js';
import { accessBy, type IndexAccess } from '../planning/index-access.js';
import { distinctScan } from '../planning/nodes/index-scan.js';
import { project } from '../planning/nodes/passing.js';
import type { PlanNode, Source } from '../planning/nodes/plan-node.js';
import type { Query } from '../planning/query.js';
import { compare, hashOf } from '../values/compare.js';
import { reaches, splitPath } from '../values/paths.js';
import { isArray, type Value } from '../values/value.js';
import type { Call } from './command.js';
import { collectionName, optionalDoc, refuseUnsupported, requiredString } from './fields.js';
import { filterQuery, sourceOf, variablesOf } from './reading.js';

export interface DistinctPlan {
  readonly plan: PlanNode;
  readonly key: string;
}

export function planDistinct(call: Call): DistinctPlan {
  const { body } = call;
  refuseUnsupported(body, 'distinct', ['collation']);
  const key = requiredString(body, 'key');
  const query = filterQuery(optionalDoc(body, 'query') ?? {}, variablesOf(call), body['hint']);
  const source = sourceOf(call, collectionName(call));
  const covered = source === undefined ? undefined : byDistinctScan(source, query, key);
  const projection = { spec: { _id: 0, [key]: 1 }, apply: <T>(doc: T): T => doc, picks: [key] };
  return { plan: covered ?? planQuery(source, { ...query, projection }), key };
}

/** Of the indexes that hold the key and say all that the filter says, the one with the fewest fields. */
function byDistinctScan(source: Source, query: Query, key: string): PlanNode | undefined {
  const hint = hintedIndex(source, query.hint);
  if (typeof hint === 'number') return undefined;
  const usable = (hint === undefined ? [...source.collection.indexes.values()] : [hint])
    .filter(({ spec, isMultikey }) => !spec.isHidden && !isMultikey && spec.fields.some(({ path }) => path === key))
    .filter(({ spec }) => (spec.partial === undefined ? !spec.isSparse : implies(query.predicate, spec.partial.predicate)))
    .map((index) => accessBy(index, query))
    .filter((access) => saysAll(access, key));
  usable.sort((a, b) => a.index.spec.fields.length - b.index.spec.fields.length);
  const [best] = usable;
  if (best === undefined) return undefined;
  const scan = distinctScan(source, { ...best, filter: undefined }, best.index.spec.fields.findIndex(({ path }) => path === key) + 1);
  return project(scan, (doc) => doc, { stage: 'PROJECTION_COVERED', spec: { _id: 0, [key]: 1 } });
}

function saysAll({ index, bounded, onKeys, onDocuments }: IndexAccess, key: string): boolean {
  const isFirst = index.spec.fields[0]?.path === key;
  return onKeys.length === 0 && onDocuments.length === 0 && (bounded > 0 || isFirst);
}

/** The values under the key, each once; arrays count by their elements. */
export function distinctValues(plan: PlanNode, key: string): Value[] {
  const values: Value[] = [];
  const seen = new Set<string>();
  for (const { doc } of plan.rows()) {
    reaches(doc, splitPath(key), (value) => {
      if (value === undefined || isArray(value)) return false;
      const hash = hashOf(value);
      const isNew = hash === undefined ? !values.some((other) => compare(other, value) === 0) : !seen.has(hash);
      if (hash !== undefined) seen.add(hash);
      if (isNew) values.push(value);
      return false;
    });
  }
  return values.sort(compare);
}
