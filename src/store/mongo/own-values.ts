/** In one write of many jobs, each has its own value: by the place of its id in a list. */

import type { ObjectId } from 'mongodb';
import { type Expression, literal } from './expression.js';

/** @returns of values that are listed like the jobs, the expression of each one's own */
export function ownValues(jobs: readonly { readonly _id: ObjectId }[]): (values: readonly unknown[]) => Expression {
  const place: Expression = { $indexOfArray: [literal(jobs.map(({ _id }) => _id)), '$_id'] };
  return (values) => ({ $arrayElemAt: [literal(values), place] });
}
