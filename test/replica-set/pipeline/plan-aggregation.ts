/** Plans an aggregation: its first stages become a query, which indexes can serve; the rest run on what that yields. */

import { parseFilter } from '../matching/parse-filter.js';
import { planQuery, querySort } from '../planning/choose-plan.js';
import type { PlanNode } from '../planning/nodes/plan-node.js';
import type { Query, QueryProjection } from '../planning/query.js';
import { type Doc, isArray, isDoc, type Value } from '../values/value.js';
import { countOf, filterOf } from './passing-stages.js';
import { parseStages } from './pipeline.js';
import { nameAndSpec, type PipelineContext, type Stage } from './stage.js';
import { parseTransform } from './transforms.js';

export interface Aggregation {
  readonly plan: PlanNode;
  readonly filter: Doc;
  readonly stages: readonly Stage[];
  run(): Generator<Doc>;
}

export function planAggregation(collection: string, pipeline: readonly Value[], context: PipelineContext, hint?: Value): Aggregation {
  parseStages(pipeline, context);
  const { query, rest } = asQuery(pipeline, context);
  const stages = parseStages(rest, context);
  const plan = planQuery(context.source(collection), { ...query, hint });
  return {
    plan,
    filter: query.filter,
    stages,
    *run() {
      yield* stages.reduce<Iterable<Doc>>((so, stage) => stage.run(so), documents(plan));
    },
  };
}

function* documents(plan: PlanNode): Generator<Doc> {
  for (const { doc } of plan.rows()) yield doc;
}

/** Takes `$match`es, then `$sort`, `$skip` and `$limit`, then what picks fields, off the front. */
function asQuery(pipeline: readonly Value[], context: PipelineContext): { query: Query; rest: readonly Value[] } {
  const rest = [...pipeline];
  const filters = takeAll(rest, '$match').map(filterOf);
  const filter: Doc = filters.length === 1 && filters[0] !== undefined ? filters[0] : filters.length === 0 ? {} : { $and: filters };
  const sortSpec = take(rest, '$sort');
  const skipSpec = take(rest, '$skip');
  const limitSpec = take(rest, '$limit');
  const projectSpec = picksFields(rest[0]) ? take(rest, '$project') : undefined;
  const query: Query = {
    filter,
    predicate: parseFilter(filter, { env: context.env, allowsExpr: true }),
    sort: isDoc(sortSpec) ? querySort(sortSpec) : undefined,
    skip: skipSpec === undefined ? undefined : countOf('$skip', skipSpec, 0),
    limit: limitSpec === undefined ? undefined : countOf('$limit', limitSpec, 1),
    projection: isDoc(projectSpec) ? projectionOf(projectSpec, context) : neededFields(rest),
  };
  return { query, rest };
}

function takeAll(stages: Value[], name: string): Value[] {
  const taken: Value[] = [];
  for (let spec = take(stages, name); spec !== undefined; spec = take(stages, name)) taken.push(spec);
  return taken;
}

function take(stages: Value[], wanted: string): Value | undefined {
  const [first] = stages;
  if (first === undefined) return undefined;
  const [name, spec] = nameAndSpec(first);
  if (name !== wanted) return undefined;
  stages.shift();
  return spec;
}

function picksFields(value: Value | undefined): boolean {
  if (value === undefined) return false;
  const [name, spec] = nameAndSpec(value);
  return name === '$project' && isDoc(spec) && pickedFields(spec) !== undefined;
}

function projectionOf(spec: Doc, { env }: PipelineContext): QueryProjection {
  return { spec, apply: parseTransform('$project', spec, env), picks: pickedFields(spec) };
}

/** The top-level fields a projection picks, when it does nothing else. */
export function pickedFields(spec: Doc): readonly string[] | undefined {
  const entries = Object.entries(spec).filter(([name]) => name !== '_id');
  if (entries.length === 0 || entries.some(([name, value]) => name.includes('.') || !isYes(value))) return undefined;
  const withId = spec['_id'] === undefined || isYes(spec['_id']);
  return [...(withId ? ['_id'] : []), ...entries.map(([name]) => name)];
}

function isYes(value: Value | undefined): boolean {
  return (
    value === true ||
    (typeof value === 'object' && value !== null && Number(value) !== 0 && !Number.isNaN(Number(value)) && !isDoc(value) && !isArray(value))
  );
}

/** The fields of a document that `$group` and `$count` need: an index may have all of them. */
function neededFields(rest: readonly Value[]): QueryProjection | undefined {
  const [first] = rest;
  if (first === undefined) return undefined;
  const [name, spec] = nameAndSpec(first);
  if (name !== '$group' && name !== '$count' && name !== '$sortByCount') return undefined;
  const fields = name === '$count' ? new Set<string>() : referenced(spec, new Set());
  if (fields === undefined) return undefined;
  return { spec: Object.fromEntries([...fields].map((field) => [field, true])), apply: (doc) => doc, picks: [...fields] };
}

function referenced(value: Value, into: Set<string>): Set<string> | undefined {
  if (typeof value === 'string') {
    if (!value.startsWith('$')) return into;
    if (value.startsWith('$$') || value.includes('.')) return undefined;
    return into.add(value.slice(1));
  }
  const parts = isArray(value) ? value : isDoc(value) ? Object.values(value) : [];
  return parts.every((part) => part === undefined || referenced(part, into) !== undefined) ? into : undefined;
}
