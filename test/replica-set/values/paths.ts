/** Dotted paths through documents and arrays, as queries and indexes walk them. */

import { type Doc, isArray, isDoc, type Maybe, type Value } from './value.js';

export type Path = readonly string[];

const cache = new Map<string, Path>();

/** Splits at dots; the result is kept, since the same few paths come again and again. */
export function splitPath(path: string): Path {
  let parts = cache.get(path);
  if (parts === undefined) {
    parts = path.split('.');
    if (cache.size > 5000) cache.clear();
    cache.set(path, parts);
  }
  return parts;
}

/** The array index a path component may mean; -1 for a name. */
export function arrayIndex(part: string): number {
  return /^(?:0|[1-9]\d{0,8})$/.test(part) ? Number(part) : -1;
}

export type Test = (value: Maybe) => boolean;

/**
 * Whether any value the path reaches passes the test. Arrays on the way are entered; at the end, an array's elements
 * are tried and then the array itself, or only the array itself when `whole`.
 */
export function reaches(doc: Doc, path: Path, test: Test, whole = false): boolean {
  return intoDoc(doc, path, 0, { test, whole });
}

interface Goal {
  readonly test: Test;
  readonly whole: boolean;
}

function intoDoc(doc: Doc, path: Path, at: number, goal: Goal): boolean {
  const child = field(doc, path[at] ?? '');
  if (at === path.length - 1) return atLeaf(child, goal);
  if (isDoc(child)) return intoDoc(child, path, at + 1, goal);
  if (isArray(child)) return intoArray(child, path, at + 1, goal);
  return goal.test(undefined);
}

function intoArray(array: readonly Value[], path: Path, at: number, goal: Goal): boolean {
  const index = arrayIndex(path[at] ?? '');
  if (index >= 0 && index < array.length && atElement(array[index], path, at, goal)) return true;
  return array.some((element) => isDoc(element) && intoDoc(element, path, at, goal));
}

function atElement(element: Maybe, path: Path, at: number, goal: Goal): boolean {
  if (at === path.length - 1) return atLeaf(element, goal);
  if (isDoc(element)) return intoDoc(element, path, at + 1, goal);
  return isArray(element) && intoArray(element, path, at + 1, goal);
}

function atLeaf(value: Maybe, goal: Goal): boolean {
  if (isArray(value) && !goal.whole && value.some(goal.test)) return true;
  return goal.test(value);
}

/** An own field of a document. */
export function field(doc: Doc, name: string): Maybe {
  return Object.hasOwn(doc, name) ? doc[name] : undefined;
}

/** The one value at a path through documents only; undefined as soon as the way ends. */
export function valueAt(doc: Doc, path: Path): Maybe {
  let value: Maybe = doc;
  for (const part of path) {
    if (!isDoc(value)) return undefined;
    value = field(value, part);
  }
  return value;
}
