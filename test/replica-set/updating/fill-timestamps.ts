/** `Timestamp(0, 0)` in top-level fields becomes the cluster's time, as on every insert and replacement. */

import { Timestamp } from 'mongodb';
import type { Doc, Maybe } from '../values/value.js';

function isEmptyTimestamp(value: Maybe): boolean {
  return value instanceof Timestamp && value.isZero();
}

/** @param next gives the time; asked only if there is such a field, and once for each */
export function fillTimestamps(doc: Doc, next: () => Timestamp): Doc {
  const entries = Object.entries(doc);
  if (!entries.some(([name, value]) => name !== '_id' && isEmptyTimestamp(value))) return doc;
  return Object.fromEntries(entries.map(([name, value]) => [name, name !== '_id' && isEmptyTimestamp(value) ? next() : value]));
}
