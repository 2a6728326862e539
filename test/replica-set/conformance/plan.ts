/** Reads what `explain` says, in the shapes that versions 4.4 to 8 give it. */

import type { Document } from 'mongodb';

export interface Plan {
  /** Stages of the winning plan, outermost first, each with its own fields. */
  readonly stages: readonly Document[];
  readonly names: readonly string[];
  /** Names of the indexes that it scans. */
  readonly indexes: readonly string[];
  readonly keys: number;
  readonly docs: number;
  readonly returned: number;
}

/** The winning plan of an explanation with `executionStats`. */
export function planOf(explained: Document): Plan {
  const body = explained['stages']?.[0]?.$cursor ?? explained;
  const winning = body.queryPlanner.winningPlan;
  const stages = stagesFrom(winning.queryPlan ?? winning);
  const { totalKeysExamined: keys, totalDocsExamined: docs, nReturned: returned } = body.executionStats;
  const indexes = stages.flatMap(({ indexName }) => (typeof indexName === 'string' ? [indexName] : []));
  return { stages, names: stages.map(({ stage }) => String(stage)), indexes, keys, docs, returned };
}

function stagesFrom(stage: Document): Document[] {
  const { inputStage, inputStages = [], ...own } = stage;
  const inner: Document[] = inputStage === undefined ? inputStages : [inputStage];
  return [own, ...inner.flatMap(stagesFrom)];
}
