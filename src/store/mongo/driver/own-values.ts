/** Gives each job its own value in one write for many jobs, by the place of its id in a list. */

import type { ObjectId } from 'mongodb';
import { type Expression, literal } from './expression.js';

/** @returns a function of values in the order of the jobs, whose expression gives each job its own */
export function ownValues(jobs: readonly { readonly _id: ObjectId }[]): (values: readonly unknown[]) => Expression {
  const place: Expression = { $indexOfArray: [literal(jobs.map(({ _id }) => _id)), '$_id'] };
  return (values) => ({ $arrayElemAt: [literal(values), place] });
}
