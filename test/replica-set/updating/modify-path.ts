/** Changes what stands at a dotted path, copying only the documents and arrays on the way. */

import { ServerError } from '../server-error.js';
import { arrayIndex, type Path } from '../values/paths.js';
import { typeName } from '../values/types.js';
import { type Doc, type Draft, isArray, isDoc, type Maybe, setField, type Value } from '../values/value.js';

/** Computes the new value at the operator's path; undefined removes it. */
export type Modify = (value: Maybe) => Maybe;

export interface Placeholders {
  /** The array index that `$` stands for; asked with the path before it. */
  positional(pathBefore: string): number;
  /** Whether `$[name]` means this element. */
  isMeant(name: string, element: Value): boolean;
}

interface Way {
  readonly path: Path;
  readonly modify: Modify;
  readonly placeholders: Placeholders;
  /** True for operators that do nothing where the way ends, such as `$unset`. */
  readonly isLenient: boolean;
}

export function modifyPath(doc: Doc, way: Way): Doc {
  const changed = step(doc, 0, way);
  return isDoc(changed) ? changed : doc;
}

function step(value: Maybe, at: number, way: Way): Maybe {
  const part = way.path[at];
  if (part === undefined) return way.modify(value);
  if (isArray(value)) return intoArray(value, part, at, way);
  if (part.startsWith('$')) throw refuseNoArray(value, at, way);
  if (isDoc(value)) return intoDoc(value, part, at, way);
  if (value === undefined) return intoNothing(part, at, way);
  if (way.isLenient) return value;
  throw notViable(part, at, value, way);
}

function notViable(part: string, at: number, value: Value, { path }: Way): ServerError {
  const parent = path[at - 1] ?? '';
  return new ServerError('PathNotViable', `Cannot create field '${part}' in element {${parent}: ${typeName(value)}}`);
}

function refuseNoArray(value: Maybe, at: number, { path }: Way): ServerError {
  const before = path.slice(0, at).join('.');
  if (value === undefined) {
    return new ServerError('BadValue', `The path '${before}' must exist in the document in order to apply array updates.`);
  }
  return new ServerError('BadValue', `Cannot apply array updates to non-array element ${before}: ${typeName(value)}`);
}

function intoDoc(doc: Doc, part: string, at: number, way: Way): Doc {
  const child = Object.hasOwn(doc, part) ? doc[part] : undefined;
  const changed = step(child, at + 1, way);
  if (changed === child) return doc;
  const copy: Draft = {};
  for (const [name, value] of Object.entries(doc)) {
    const next = name === part ? changed : value;
    if (next !== undefined) setField(copy, name, next);
  }
  if (child === undefined && changed !== undefined) setField(copy, part, changed);
  return copy;
}

function intoNothing(part: string, at: number, way: Way): Maybe {
  const child = step(undefined, at + 1, way);
  return child === undefined ? undefined : { [part]: child };
}

function intoArray(array: readonly Value[], part: string, at: number, way: Way): readonly Value[] {
  if (part.startsWith('$[')) {
    const name = part.slice(2, -1);
    return replaceElements(array, at, way, (element) => name === '' || way.placeholders.isMeant(name, element));
  }
  const index = part === '$' ? way.placeholders.positional(way.path.slice(0, at).join('.')) : arrayIndex(part);
  if (index < 0) {
    if (way.isLenient) return array;
    throw new ServerError('PathNotViable', `Cannot create field '${part}' in element {${way.path[at - 1] ?? ''}: [...]}`);
  }
  return setElement(array, index, step(array[index], at + 1, way));
}

function replaceElements(array: readonly Value[], at: number, way: Way, isMeant: (element: Value) => boolean): readonly Value[] {
  const changed = array.map((element) => (isMeant(element) ? (step(element, at + 1, way) ?? null) : element));
  return changed.every((element, i) => element === array[i]) ? array : changed;
}

/** Elements that are removed become null; gaps are filled with null. */
function setElement(array: readonly Value[], index: number, value: Maybe): readonly Value[] {
  if (index >= array.length && value === undefined) return array;
  if (value === array[index]) return array;
  if (index - array.length > 1_500_000) throw new ServerError('CannotBackfillArray', 'Exceeded max number of array elements to backfill');
  const copy = [...array];
  while (copy.length < index) copy.push(null);
  copy[index] = value ?? null;
  return copy;
}
