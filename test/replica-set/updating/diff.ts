/** The difference a pipeline made, as the server computes it for its oplog: nested only where that is smaller. */

import type { UpdateDescription } from '../oplog/oplog.js';
import { identical } from '../values/identical.js';
import { wholeNumber } from '../values/numbers.js';
import { sizeOf } from '../values/size.js';
import { type Doc, type Draft, fieldsOf, isArray, isDoc, type Value } from '../values/value.js';

/** A difference in the oplog's own form, whose size decides whether it is worth it. */
interface Diff {
  readonly entry: Doc;
  describe(prefix: string, into: Collected): void;
}

interface Collected {
  readonly updated: Draft;
  readonly removed: string[];
  readonly truncated: Doc[];
}

/** The size of an oplog entry beside the difference itself. */
const OVERHEAD = 15;

/** @returns undefined when the difference would not be smaller than the document, so that it is told as a whole */
export function describeDiff(before: Doc, after: Doc): UpdateDescription | undefined {
  const diff = diffOfDocs(before, after);
  if (sizeOf(diff.entry) + OVERHEAD >= sizeOf(after)) return undefined;
  const into: Collected = { updated: {}, removed: [], truncated: [] };
  diff.describe('', into);
  return { updatedFields: into.updated, removedFields: into.removed, truncatedArrays: into.truncated };
}

function diffOfDocs(before: Doc, after: Doc): Diff {
  const removed = fieldsOf(before).flatMap(([name]) => (after[name] === undefined ? [name] : []));
  const changed: Draft = {};
  const inserted: Draft = {};
  const inner: [name: string, diff: Diff][] = [];
  for (const [name, value] of fieldsOf(after)) {
    const old = before[name];
    const nested = old === undefined ? undefined : nestedDiff(old, value);
    if (old === undefined) inserted[name] = value;
    else if (nested !== undefined) inner.push([name, nested]);
    else if (!identical(old, value)) changed[name] = value;
  }
  return {
    entry: {
      ...(removed.length > 0 ? { d: Object.fromEntries(removed.map((name) => [name, false])) } : {}),
      ...(Object.keys(changed).length > 0 ? { u: changed } : {}),
      ...(Object.keys(inserted).length > 0 ? { i: inserted } : {}),
      ...Object.fromEntries(inner.map(([name, { entry }]) => [`s${name}`, entry])),
    },
    describe: (prefix, into) => {
      into.removed.push(...removed.map((name) => prefix + name));
      for (const [name, value] of [...fieldsOf(changed), ...fieldsOf(inserted)]) into.updated[prefix + name] = value;
      for (const [name, diff] of inner) diff.describe(`${prefix}${name}.`, into);
    },
  };
}

/** The difference within a value, where there is one and it is smaller than the value. */
function nestedDiff(before: Value, after: Value): Diff | undefined {
  if (identical(before, after)) return undefined;
  if (isDoc(before) && isDoc(after)) return ifSmaller(diffOfDocs(before, after), after);
  if (isArray(before) && isArray(after)) return ifSmaller(diffOfArrays(before, after), { ...after });
  return undefined;
}

function ifSmaller(diff: Diff, after: object): Diff | undefined {
  return sizeOf(diff.entry) < sizeOf(after as Doc) ? diff : undefined;
}

function diffOfArrays(before: readonly Value[], after: readonly Value[]): Diff {
  const changed: [at: number, value: Value][] = [];
  const inner: [at: number, diff: Diff][] = [];
  for (const [at, value] of after.entries()) {
    const old = before[at];
    const nested = old === undefined ? undefined : nestedDiff(old, value);
    if (nested !== undefined) inner.push([at, nested]);
    else if (old === undefined || !identical(old, value)) changed.push([at, value]);
  }
  const isShorter = after.length < before.length;
  return {
    entry: {
      a: true,
      ...(isShorter ? { l: after.length } : {}),
      ...Object.fromEntries(changed.map(([at, value]) => [`u${at}`, value])),
      ...Object.fromEntries(inner.map(([at, { entry }]) => [`s${at}`, entry])),
    },
    describe: (prefix, into) => {
      if (isShorter) into.truncated.push({ field: prefix.slice(0, -1), newSize: wholeNumber(after.length) });
      for (const [at, value] of changed) into.updated[prefix + at] = value;
      for (const [at, diff] of inner) diff.describe(`${prefix}${at}.`, into);
    },
  };
}
