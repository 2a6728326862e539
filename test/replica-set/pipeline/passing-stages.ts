/** `$match`, `$sort`, `$limit`, `$skip`, `$unwind`, `$sample` and the stages that make one document of one. */

import { parseFilter } from '../matching/parse-filter.js';
import { ServerError } from '../server-error.js';
import { setTo } from '../updating/field-operators.js';
import { modifyPath } from '../updating/modify-path.js';
import { numberOf, wholeNumber } from '../values/numbers.js';
import { splitPath, valueAt } from '../values/paths.js';
import { documentOrder, sortFields } from '../values/sort-order.js';
import { typeName } from '../values/types.js';
import { type Doc, type Draft, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import { type Stage, type StageParser, stage } from './stage.js';
import { parseTransform } from './transforms.js';

export const matchStage: StageParser = (spec, { env }) => {
  const predicate = parseFilter(filterOf(spec), { env, allowsExpr: true });
  return stage('$match', spec, function* (input) {
    for (const doc of input) if (predicate.matches(doc)) yield doc;
  });
};

export function filterOf(spec: Value): Doc {
  if (isDoc(spec)) return spec;
  throw new ServerError(15959, 'the match filter must be an expression in an object');
}

export const sortStage: StageParser = (spec) => {
  if (!isDoc(spec)) throw new ServerError(15973, 'the $sort key specification must be an object');
  const fields = sortFields(spec);
  if (fields.length === 0) throw new ServerError(15976, '$sort stage must have at least one sort key');
  const order = documentOrder(fields);
  return stage('$sort', { sortKey: spec }, (input) => [...input].sort(order));
};

/** A count that a stage takes; `least` is 1 for `$limit` and 0 for `$skip`. */
export function countOf(name: string, spec: Value, least: number): number {
  const count = numberOf(spec);
  if (count === undefined || !Number.isInteger(count))
    throw new ServerError(5107201, `invalid argument to ${name} stage: Expected an integer, but found: ${typeName(spec)}`);
  if (count < least)
    throw new ServerError(
      name === '$limit' ? 15958 : 5107200,
      name === '$limit' ? 'the limit must be positive' : `invalid argument to ${name} stage: Expected a non-negative number`,
    );
  return count;
}

export const limitStage: StageParser = (spec) => {
  const count = countOf('$limit', spec, 1);
  return stage('$limit', spec, function* (input) {
    let left = count;
    for (const doc of input) {
      left--;
      yield doc;
      if (left === 0) return;
    }
  });
};

export const skipStage: StageParser = (spec) => {
  const count = countOf('$skip', spec, 0);
  return stage('$skip', spec, function* (input) {
    let left = count;
    for (const doc of input) {
      if (left > 0) left--;
      else yield doc;
    }
  });
};

export function transformStage(name: string): StageParser {
  return (spec, { env }) => {
    const transform = parseTransform(name, spec, env);
    return stage(name, spec, function* (input) {
      for (const doc of input) yield transform(doc);
    });
  };
}

interface Unwinding {
  readonly path: string;
  readonly index: string | undefined;
  readonly keepsEmpty: boolean;
}

export const unwindStage: StageParser = (spec): Stage => {
  const unwinding = parseUnwind(spec);
  return stage('$unwind', spec, function* (input) {
    for (const doc of input) yield* unwind(doc, unwinding);
  });
};

function parseUnwind(spec: Value): Unwinding {
  const given: Doc = isDoc(spec) ? spec : { path: spec };
  const unknown = Object.keys(given).find((name) => !['path', 'includeArrayIndex', 'preserveNullAndEmptyArrays'].includes(name));
  if (unknown !== undefined) throw new ServerError(28811, `unrecognized option to $unwind stage: ${unknown}`);
  const { path, includeArrayIndex, preserveNullAndEmptyArrays } = given as Record<string, Maybe>;
  if (typeof path !== 'string') throw new ServerError(28808, `expected a string as the path for $unwind stage, got ${typeName(path)}`);
  if (!path.startsWith('$')) throw new ServerError(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
  return {
    path: path.slice(1),
    index: typeof includeArrayIndex === 'string' ? includeArrayIndex : undefined,
    keepsEmpty: preserveNullAndEmptyArrays === true,
  };
}

function* unwind(doc: Doc, { path, index, keepsEmpty }: Unwinding): Generator<Doc> {
  const value = valueAt(doc, splitPath(path));
  const place = (element: Maybe, at: number | undefined): Doc => {
    const next = modifyPath(doc, {
      path: splitPath(path),
      modify: element === undefined ? () => undefined : setTo(element),
      placeholders: NONE,
      isLenient: true,
    });
    const withIndex: Draft = index === undefined ? next : { ...next, [index]: at === undefined ? null : wholeNumber(at) };
    return withIndex;
  };
  if (isArray(value) && value.length > 0) for (const [i, element] of value.entries()) yield place(element, i);
  else if (value !== undefined && value !== null && !isArray(value)) yield place(value, undefined);
  else if (keepsEmpty) yield isArray(value) ? place(undefined, undefined) : doc;
}

const NONE = { positional: (): number => -1, isMeant: (): boolean => false };

export const sampleStage: StageParser = (spec) => {
  const size = isDoc(spec) ? numberOf(spec['size']) : undefined;
  if (size === undefined || size < 1) throw new ServerError(28747, 'size argument to $sample must be a positive integer');
  return stage('$sample', spec, (input) => {
    const all = [...input].map((doc) => ({ doc, at: Math.random() }));
    return all
      .sort((a, b) => a.at - b.at)
      .slice(0, size)
      .map(({ doc }) => doc);
  });
};
