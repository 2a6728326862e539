/** `$unionWith`, `$lookup`, `$facet`: stages with pipelines of their own. */

import { compileExpression } from '../expressions/expression.js';
import { type Environment, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { setTo } from '../updating/field-operators.js';
import { modifyPath } from '../updating/modify-path.js';
import { reaches, splitPath } from '../values/paths.js';
import { type Doc, fieldsOf, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import { explainAggregation } from './explain-aggregation.js';
import { runStages } from './pipeline.js';
import { type Aggregation, planAggregation } from './plan-aggregation.js';
import type { Stage, StageParser } from './stage.js';

export const unionWithStage: StageParser = (spec, context): Stage => {
  const { coll, pipeline = [] } = (typeof spec === 'string' ? { coll: spec } : known('$unionWith', spec, ['coll', 'pipeline'])) as Record<
    string,
    Maybe
  >;
  if (typeof coll !== 'string' || !isArray(pipeline))
    throw new ServerError('FailedToParse', '$unionWith needs a collection and, if given, a pipeline that is an array');
  const other: Aggregation = planAggregation(coll, pipeline, context);
  return {
    name: '$unionWith',
    *run(input) {
      yield* input;
      yield* other.run();
    },
    explain: (withStats) => ({ coll, pipeline: explainAggregation(other, withStats) }),
  };
};

function known(stageName: string, spec: Value, fields: readonly string[]): Doc {
  if (!isDoc(spec)) throw new ServerError('FailedToParse', `the ${stageName} stage specification must be an object`);
  const unknown = fieldsOf(spec).find(([name]) => !fields.includes(name));
  if (unknown !== undefined) throw new ServerError(40415, `BSON field '${stageName}.${unknown[0]}' is an unknown field.`);
  return spec;
}

interface Lookup {
  readonly from: string;
  readonly as: string;
  readonly localField: string | undefined;
  readonly foreignField: string | undefined;
  readonly variables: readonly [string, Value][];
  readonly pipeline: readonly Value[];
}

export const lookupStage: StageParser = (spec, context): Stage => {
  const lookup = parseLookup(spec);
  const variables = lookup.variables.map(([name, value]) => ({ name, evaluate: compileExpression(value, context.env) }));
  planAggregation(lookup.from, lookup.pipeline, {
    ...context,
    env: withConstants(context.env, Object.fromEntries(variables.map(({ name }) => [name, null]))),
  });
  return {
    name: '$lookup',
    *run(input) {
      for (const doc of input) {
        const bound = Object.fromEntries(variables.map(({ name, evaluate }) => [name, evaluate(scopeOf(doc))]));
        const inner = { ...context, env: withConstants(context.env, bound) };
        const found = [...planAggregation(lookup.from, [...joinFilter(doc, lookup), ...lookup.pipeline], inner).run()];
        yield modifyPath(doc, { path: splitPath(lookup.as), modify: setTo(found), placeholders: NONE, isLenient: false });
      }
    },
    explain: () => spec,
  };
};

const NONE = { positional: (): number => -1, isMeant: (): boolean => false };

function withConstants(env: Environment, more: Readonly<Record<string, Maybe>>): Environment {
  return { ...env, constants: { ...env.constants, ...more } };
}

function parseLookup(spec: Value): Lookup {
  const {
    from,
    as,
    localField,
    foreignField,
    let: variables,
    pipeline,
  } = known('$lookup', spec, ['from', 'as', 'localField', 'foreignField', 'let', 'pipeline']) as Record<string, Maybe>;
  if (typeof from !== 'string' || typeof as !== 'string')
    throw new ServerError('FailedToParse', "must specify 'from' and 'as' fields for a $lookup");
  if ((localField === undefined) !== (foreignField === undefined))
    throw new ServerError('FailedToParse', '$lookup requires both or neither of localField and foreignField');
  if (localField === undefined && pipeline === undefined)
    throw new ServerError('FailedToParse', "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  return {
    from,
    as,
    localField: typeof localField === 'string' ? localField : undefined,
    foreignField: typeof foreignField === 'string' ? foreignField : undefined,
    variables: isDoc(variables) ? fieldsOf(variables) : [],
    pipeline: isArray(pipeline) ? pipeline : [],
  };
}

/** Foreign documents with any of the local values; a missing local field looks for null. */
function joinFilter(doc: Doc, { localField, foreignField }: Lookup): Value[] {
  if (localField === undefined || foreignField === undefined) return [];
  const values: Value[] = [];
  reaches(doc, splitPath(localField), (value) => {
    if (!isArray(value)) values.push(value ?? null);
    return false;
  });
  return [{ $match: { [foreignField]: { $in: values } } }];
}

export const facetStage: StageParser = (spec, context): Stage => {
  if (!isDoc(spec) || Object.keys(spec).length === 0) throw new ServerError(40169, 'the $facet specification must be a non-empty object');
  const facets = fieldsOf(spec).map(([name, pipeline]) => {
    if (!isArray(pipeline)) throw new ServerError(40170, `arguments to $facet must be arrays, ${name} is none`);
    return { name, run: runStages(pipeline, context) };
  });
  return {
    name: '$facet',
    *run(input) {
      const all = [...input];
      yield Object.fromEntries(facets.map(({ name, run }) => [name, [...run(all)]]));
    },
    explain: () => spec,
  };
};
