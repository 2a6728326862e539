/** The keys that a document has in an index; several when a field is an array. */

import { ServerError } from '../server-error.js';
import { compare } from '../values/compare.js';
import { arrayIndex, type Path, splitPath } from '../values/paths.js';
import { type Doc, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import type { Key } from './sorted-entries.js';

export interface KeySet {
  readonly keys: readonly Key[];
  /** Paths that were arrays, so that the index is multikey. */
  readonly arrays: readonly string[];
  /** Whether none of the fields was there. */
  readonly isEmpty: boolean;
}

/** @param paths of the index's fields, in order */
export function keysOf(doc: Doc, paths: readonly string[]): KeySet {
  const simple = simpleKey(doc, paths);
  if (simple !== undefined) return { keys: [simple], arrays: [], isEmpty: simple.every((value) => value === undefined) };
  const fields = paths.map((path) => valuesOf(doc, splitPath(path)));
  const arrays = paths.filter((_, i) => fields[i]?.isArray);
  if (arrays.length > 1 && new Set(arrays.map((path) => splitPath(path)[0])).size > 1) {
    throw new ServerError('CannotIndexParallelArrays', `cannot index parallel arrays [${arrays[1]}] [${arrays[0]}]`);
  }
  const keys = combine(fields.map(({ values }) => values));
  return { keys: distinctKeys(keys), arrays, isEmpty: fields.every(({ values }) => values.every((value) => value === undefined)) };
}

/** The one key of a document without arrays on the way. */
function simpleKey(doc: Doc, paths: readonly string[]): Key | undefined {
  const key: Maybe[] = [];
  for (const path of paths) {
    let value: Maybe = doc;
    for (const part of splitPath(path)) {
      value = isDoc(value) && Object.hasOwn(value, part) ? value[part] : undefined;
      if (isArray(value)) return undefined;
    }
    key.push(value);
  }
  return key;
}

function valuesOf(doc: Doc, path: Path): { readonly values: readonly Maybe[]; readonly isArray: boolean } {
  const values: Maybe[] = [];
  const isMulti = collect(doc, path, 0, values);
  return { values: values.length === 0 ? [undefined] : values, isArray: isMulti };
}

/** Whether an array was met. */
function collect(value: Maybe, path: Path, at: number, into: Maybe[]): boolean {
  if (isArray(value)) {
    collectElements(value, path, at, into);
    return true;
  }
  if (at === path.length) {
    into.push(value);
    return false;
  }
  return collect(isDoc(value) ? value[path[at] ?? ''] : undefined, path, at + 1, into);
}

function collectElements(array: readonly Value[], path: Path, at: number, into: Maybe[]): void {
  if (at === path.length) {
    into.push(...(array.length === 0 ? [undefined] : array));
    return;
  }
  const index = arrayIndex(path[at] ?? '');
  if (index >= 0 && index < array.length) {
    collect(array[index], path, at + 1, into);
    return;
  }
  for (const element of array) collect(isArray(element) ? undefined : element, path, at, into);
  if (array.length === 0) into.push(undefined);
}

function combine(fields: readonly (readonly Maybe[])[]): Key[] {
  return fields.reduce<Key[]>((keys, values) => keys.flatMap((key) => values.map((value) => [...key, value])), [[]]);
}

function distinctKeys(keys: readonly Key[]): Key[] {
  const sorted = keys.toSorted(compareKeys);
  return sorted.filter((key, i) => i === 0 || compareKeys(key, sorted[i - 1] ?? []) !== 0);
}

export function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}
