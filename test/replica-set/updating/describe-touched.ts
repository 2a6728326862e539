/** The changes of operators, by the paths they wrote, as the server logs them. */

import type { UpdateDescription } from '../oplog/oplog.js';
import { identical } from '../values/identical.js';
import { type Path, splitPath } from '../values/paths.js';
import { type Doc, type Draft, isArray, isDoc, type Maybe, type Value } from '../values/value.js';

/** A path that an operator wrote. */
export interface Touched {
  readonly path: string;
  /** Whether the operator appends to an array, so that only the new elements are told. */
  readonly appends: boolean;
}

interface Told {
  readonly updated: Draft;
  readonly removed: string[];
}

interface Way {
  readonly path: Path;
  readonly appends: boolean;
  readonly into: Told;
}

export function describeTouched(before: Doc, after: Doc, touched: readonly Touched[]): UpdateDescription {
  const into: Told = { updated: {}, removed: [] };
  for (const { path, appends } of touched) tell(before, after, { path: splitPath(path), appends, into }, []);
  return { updatedFields: into.updated, removedFields: into.removed, truncatedArrays: [] };
}

/** @param passed the way so far, with array indexes in place of `$` */
function tell(before: Maybe, after: Maybe, way: Way, passed: readonly string[]): void {
  if (before === after || (before !== undefined && identical(before, after))) return;
  const name = passed.join('.');
  const part = way.path[passed.length];
  if (after === undefined) way.into.removed.push(name);
  else if (before === undefined) way.into.updated[name] = after;
  else if (part === undefined) tellValue(before, after, way, name);
  else if (isDoc(before) && isDoc(after)) tell(before[part], after[part], way, [...passed, part]);
  else if (isArray(before) && isArray(after)) tellElements(before, after, way, passed);
  else way.into.updated[name] = after;
}

function tellValue(before: Value, after: Value, { appends, into }: Way, name: string): void {
  if (!appends || !isArray(before) || !isArray(after) || !before.every((element, i) => element === after[i])) {
    into.updated[name] = after;
    return;
  }
  for (const [i, element] of after.entries()) if (i >= before.length) into.updated[`${name}.${i}`] = element;
}

function tellElements(before: readonly Value[], after: readonly Value[], way: Way, passed: readonly string[]): void {
  for (const [i, element] of after.entries()) tell(before[i], element, way, [...passed, String(i)]);
}
