/** The stages that rows pass on their way out: FETCH, SORT, SKIP, LIMIT, projections, EOF. */

import type { Predicate } from '../../matching/predicate.js';
import { wholeNumber } from '../../values/numbers.js';
import type { Order } from '../../values/sort-order.js';
import type { Doc } from '../../values/value.js';
import { newCounters, type PlanNode, planNode, type Row } from './plan-node.js';

/** Gets the document that a key leads to, and checks what the key could not tell. */
export function fetch(input: PlanNode, filter: { readonly predicate: Predicate; readonly text: Doc } | undefined): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'FETCH',
    inputs: [input],
    counters,
    describe: () => (filter === undefined ? {} : { filter: filter.text }),
    *rows(): Generator<Row> {
      for (const row of input.rows()) {
        counters.docsExamined++;
        if (filter === undefined || filter.predicate.matches(row.doc)) yield { ...row, key: undefined };
      }
    },
  });
}

/** Takes everything before it yields anything; keeps only as many as the limit. */
export function sort(input: PlanNode, order: Order<Doc>, { pattern, limit }: { pattern: Doc; limit: number | undefined }): PlanNode {
  return planNode({
    stage: 'SORT',
    inputs: [input],
    describe: () => ({
      sortPattern: pattern,
      memLimit: 104857600,
      ...(limit === undefined ? {} : { limitAmount: wholeNumber(limit) }),
      type: 'simple',
    }),
    *rows(): Generator<Row> {
      const all = [...input.rows()].sort((a, b) => order(a.doc, b.doc));
      yield* limit === undefined ? all : all.slice(0, limit);
    },
  });
}

export function skip(input: PlanNode, count: number): PlanNode {
  return planNode({
    stage: 'SKIP',
    inputs: [input],
    describe: () => ({ skipAmount: wholeNumber(count) }),
    *rows(): Generator<Row> {
      let left = count;
      for (const row of input.rows()) {
        if (left > 0) left--;
        else yield row;
      }
    },
  });
}

/** Asks its input for no more than it yields. */
export function limit(input: PlanNode, count: number): PlanNode {
  return planNode({
    stage: 'LIMIT',
    inputs: [input],
    describe: () => ({ limitAmount: wholeNumber(count) }),
    *rows(): Generator<Row> {
      let left = count;
      if (left === 0) return;
      for (const row of input.rows()) {
        left--;
        yield row;
        if (left === 0) return;
      }
    },
  });
}

export function project(input: PlanNode, apply: (doc: Doc) => Doc, { stage, spec }: { stage: string; spec: Doc }): PlanNode {
  return planNode({
    stage,
    inputs: [input],
    describe: () => ({ transformBy: spec }),
    *rows(): Generator<Row> {
      for (const row of input.rows()) yield { ...row, doc: apply(row.doc) };
    },
  });
}

/** The plan for a collection that does not exist, or for bounds that nothing can match. */
export function nothing(): PlanNode {
  return planNode({ stage: 'EOF', rows: () => [][Symbol.iterator]() });
}
