/** Explain: the plan as a document, and what each stage did when it ran. */

import { wholeNumber } from '../values/numbers.js';
import type { Doc } from '../values/value.js';
import { type PlanNode, totals } from './nodes/plan-node.js';

export interface ExplainOptions {
  readonly filter: Doc;
  /** Whether the plan has run, so that its counters mean something. */
  readonly withStats: boolean;
  readonly namespace?: string;
}

export function explainPlan(plan: PlanNode, { filter, withStats, namespace }: ExplainOptions): Doc {
  const queryPlanner = {
    ...(namespace === undefined ? {} : { namespace }),
    indexFilterSet: false,
    parsedQuery: filter,
    maxIndexedOrSolutionsReached: false,
    winningPlan: describe(plan, false),
    rejectedPlans: [],
  };
  if (!withStats) return { queryPlanner };
  const { keysExamined, docsExamined } = totals(plan);
  const executionStats = {
    executionSuccess: true,
    nReturned: wholeNumber(plan.returned()),
    executionTimeMillis: wholeNumber(0),
    totalKeysExamined: wholeNumber(keysExamined),
    totalDocsExamined: wholeNumber(docsExamined),
    executionStages: describe(plan, true),
  };
  return { queryPlanner, executionStats };
}

function describe(node: PlanNode, withStats: boolean): Doc {
  const [only, second] = node.inputs;
  return {
    stage: node.stage,
    ...node.describe(),
    ...(withStats ? statsOf(node) : {}),
    ...(only !== undefined && second === undefined ? { inputStage: describe(only, withStats) } : {}),
    ...(second === undefined ? {} : { inputStages: node.inputs.map((input) => describe(input, withStats)) }),
  };
}

function statsOf({ stage, counters, returned }: PlanNode): Doc {
  const isScan = stage === 'IXSCAN' || stage === 'DISTINCT_SCAN' || stage === 'IDHACK' || stage === 'COUNT_SCAN';
  const isFetch = stage === 'FETCH' || stage === 'COLLSCAN' || stage === 'IDHACK';
  return {
    nReturned: wholeNumber(returned()),
    isEOF: wholeNumber(1),
    ...(isScan ? { keysExamined: wholeNumber(counters.keysExamined) } : {}),
    ...(isFetch ? { docsExamined: wholeNumber(counters.docsExamined) } : {}),
  };
}
