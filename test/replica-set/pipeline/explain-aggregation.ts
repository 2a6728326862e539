/** Explain for a pipeline: its plan, and the stages that run on the output of the plan. */

import { explainPlan } from '../planning/explain-plan.js';
import type { Doc } from '../values/value.js';
import type { Aggregation } from './plan-aggregation.js';

export function explainAggregation({ plan, filter, stages }: Aggregation, withStats: boolean): Doc[] {
  const cursor = { $cursor: explainPlan(plan, { filter, withStats }) };
  return [cursor, ...stages.map((stage) => ({ [stage.name]: stage.explain(withStats) }))];
}
