/** The order in which jobs are handed out. */

import type { JobDocument } from './documents.js';

/** By priority, then by insertion. */
export function inOrder(one: JobDocument, other: JobDocument): number {
  return one.priority - other.priority || one.order.compare(other.order) || (one._id.toHexString() < other._id.toHexString() ? -1 : 1);
}
