/** The order of documents by a sort pattern, arrays standing for their least or greatest element as the server does. */

import { ServerError } from '../server-error.js';
import { compare } from './compare.js';
import { numberOf } from './numbers.js';
import { type Path, splitPath } from './paths.js';
import { type Doc, fieldsOf, isArray, isDoc, type Maybe, type Value } from './value.js';

export interface SortField {
  readonly path: string;
  readonly direction: 1 | -1;
}

/** Reads a sort pattern such as `{priority: 1, order: 1}`. */
export function sortFields(pattern: Doc): SortField[] {
  return fieldsOf(pattern).map(([path, value]) => {
    const direction = numberOf(value);
    if (isDoc(value)) throw new ServerError('BadValue', '$meta sorts are not known to the stand-in');
    if (direction !== 1 && direction !== -1)
      throw new ServerError(15975, `$sort key ordering must be 1 (for ascending) or -1 (for descending)`);
    if (path === '' || path.startsWith('$')) throw new ServerError(16410, `FieldPath field names may not start with '$'.`);
    return { path, direction };
  });
}

export type Order<T> = (a: T, b: T) => number;

/** Compares documents by a pattern. */
export function documentOrder(fields: readonly SortField[]): Order<Doc> {
  const parts = fields.map(({ path, direction }) => ({ path: splitPath(path), direction }));
  return (a, b) => {
    for (const { path, direction } of parts) {
      const order = compare(sortKey(a, path, direction), sortKey(b, path, direction)) * direction;
      if (order !== 0) return order;
    }
    return 0;
  };
}

/** The value a document is sorted by: of all the path reaches, the least when ascending, the greatest when descending. */
export function sortKey(doc: Doc, path: Path, direction: 1 | -1): Maybe {
  const [first = ''] = path;
  const direct = doc[first];
  if (path.length === 1 && !isArray(direct)) return direct;
  let best: Maybe;
  let found = false;
  for (const value of sortValues(doc, path, 0)) {
    if (found && compare(value, best) * direction >= 0) continue;
    best = value;
    found = true;
  }
  return best;
}

function* sortValues(value: Maybe, path: Path, at: number): Generator<Maybe> {
  if (isArray(value)) {
    if (value.length === 0 && at === path.length) yield undefined;
    for (const element of value) yield* at === path.length ? [element] : sortValues(element, path, at);
  } else if (at === path.length) yield value;
  else yield* sortValues(isDoc(value) ? value[path[at] ?? ''] : undefined, path, at + 1);
}

/** `sortBy` of `$sortArray` and `$push.$sort`: a pattern for documents, or 1 or -1 for any values. */
export function sorter(sortBy: Value): Order<Value> {
  if (isDoc(sortBy)) {
    const order = documentOrder(sortFields(sortBy));
    return (a, b) => order(isDoc(a) ? a : {}, isDoc(b) ? b : {});
  }
  const direction = numberOf(sortBy);
  if (direction !== 1 && direction !== -1) throw new ServerError('BadValue', 'The $sort element value must be either 1 or -1');
  return (a, b) => compare(a, b) * direction;
}
