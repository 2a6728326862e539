/** The order in which jobs are handed out. */

import type { JobDocument } from '../schema/documents.js';

/** Where a job stands. */
export type Position = Pick<JobDocument, 'priority' | 'order' | '_id'>;

/** By priority, then by insertion. */
export function byPriorityThenOrder(one: Position, other: Position): number {
  return one.priority - other.priority || one.order.compare(other.order) || byId(one, other);
}

function byId({ _id: one }: Position, { _id: other }: Position): number {
  if (one.equals(other)) return 0;
  return one.toHexString() < other.toHexString() ? -1 : 1;
}
