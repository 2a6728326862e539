/** Expressions on documents and on sets: `$mergeObjects`, `$objectToArray`, `$getField`, `$setUnion` and their like. */

import { ServerError } from '../server-error.js';
import { compare, equal } from '../values/compare.js';
import { field } from '../values/paths.js';
import { typeName } from '../values/types.js';
import { type Draft, fieldsOf, isArray, isDoc, type Maybe, setField, type Value } from '../values/value.js';
import { ANY_NUMBER, eager, isNullish, isTruthy, named, needArray } from './arguments.js';
import type { Operator } from './expression.js';

/** Later documents win; null and missing ones are skipped. */
export function mergeObjects(...docs: Maybe[]): Draft {
  const merged: Draft = {};
  for (const doc of docs) {
    if (isNullish(doc)) continue;
    if (!isDoc(doc)) throw new ServerError(40400, `$mergeObjects requires object inputs, but input is of type ${typeName(doc)}`);
    for (const [name, value] of fieldsOf(doc)) setField(merged, name, value);
  }
  return merged;
}

function objectToArray(doc: Maybe): Maybe {
  if (isNullish(doc)) return null;
  if (!isDoc(doc)) throw new ServerError(40390, `$objectToArray requires a document input, found: ${typeName(doc)}`);
  return fieldsOf(doc).map(([k, v]) => ({ k, v }));
}

function arrayToObject(array: Maybe): Maybe {
  if (isNullish(array)) return null;
  const result: Draft = {};
  for (const pair of needArray('$arrayToObject', array, 40386)) {
    const [name, value] = isArray(pair) ? pair : isDoc(pair) ? [pair['k'], pair['v']] : [];
    if (typeof name !== 'string' || value === undefined)
      throw new ServerError(40394, '$arrayToObject requires pairs of a string key and a value');
    setField(result, name, value);
  }
  return result;
}

const getField: Operator = (args, compile, env) => {
  const spec =
    isDoc(args) && args['field'] !== undefined ? named('$getField', args, { required: ['field'], optional: ['input'] }) : { field: args };
  const name = compile(spec['field'] ?? null, env);
  const source = compile(spec['input'] ?? '$$CURRENT', env);
  return (scope) => {
    const key = name(scope);
    if (typeof key !== 'string')
      throw new ServerError(3041704, `$getField requires 'field' to evaluate to type String, but got ${typeName(key)}`);
    const doc = source(scope);
    return isDoc(doc) ? field(doc, key) : isNullish(doc) ? doc : undefined;
  };
};

const setFieldOperator: Operator = (args, compile, env) => {
  const spec = named('$setField', args, { required: ['field', 'input', 'value'] });
  const name = compile(spec['field'] ?? null, env);
  const source = compile(spec['input'] ?? null, env);
  const value = compile(spec['value'] ?? null, env);
  return (scope) => {
    const doc = source(scope);
    if (isNullish(doc)) return null;
    const key = name(scope);
    if (typeof key !== 'string' || !isDoc(doc))
      throw new ServerError(4161105, '$setField requires an object as input and a string as field');
    return mergeObjects(without(doc, key), pair(key, value(scope)));
  };
};

function pair(key: string, value: Maybe): Draft {
  return value === undefined ? {} : { [key]: value };
}

function without(doc: Maybe, key: string): Draft {
  return isDoc(doc) ? Object.fromEntries(Object.entries(doc).filter(([name]) => name !== key)) : {};
}

function distinct(values: readonly Value[]): Value[] {
  const sorted = values.toSorted(compare);
  return sorted.filter((value, i) => i === 0 || !equal(value, sorted[i - 1]));
}

function sets(name: string, combine: (sets: readonly (readonly Value[])[]) => Maybe): Operator {
  return eager(name, ANY_NUMBER, (...arrays) => {
    if (arrays.some(isNullish)) return null;
    return combine(arrays.map((array) => needArray(name, array, 17043)));
  });
}

function has(set: readonly Value[], value: Value): boolean {
  return set.some((element) => equal(element, value));
}

function isSubset(name: string, set: Maybe, of: Maybe): boolean {
  const all = needArray(name, of, 17042);
  return needArray(name, set, 17046).every((value) => has(all, value));
}

export const OBJECTS: Readonly<Record<string, Operator>> = {
  $mergeObjects: eager('$mergeObjects', ANY_NUMBER, mergeObjects),
  $objectToArray: eager('$objectToArray', [1, 1], objectToArray),
  $arrayToObject: eager('$arrayToObject', [1, 1], arrayToObject),
  $getField: getField,
  $setField: setFieldOperator,
  $setUnion: sets('$setUnion', (all) => distinct(all.flat())),
  $setIntersection: sets('$setIntersection', ([first = [], ...rest]) =>
    distinct(first.filter((value) => rest.every((set) => has(set, value)))),
  ),
  $setDifference: sets('$setDifference', ([first = [], second = []]) => distinct(first.filter((value) => !has(second, value)))),
  $setEquals: sets('$setEquals', ([first = [], ...rest]) =>
    rest.every((set) => isSubset('$setEquals', set, first) && isSubset('$setEquals', first, set)),
  ),
  $setIsSubset: eager('$setIsSubset', [2, 2], (a, b) => isSubset('$setIsSubset', a, b)),
  $anyElementTrue: eager('$anyElementTrue', [1, 1], (array) => needArray('$anyElementTrue', array, 17041).some(isTruthy)),
  $allElementsTrue: eager('$allElementsTrue', [1, 1], (array) => needArray('$allElementsTrue', array, 17040).every(isTruthy)),
};
