/** SORT_MERGE and OR: several inputs made one, each document once. */

import type { Order } from '../../values/sort-order.js';
import type { Doc } from '../../values/value.js';
import { type PlanNode, planNode, type Row, type Rows } from './plan-node.js';

/** Merges inputs that are each in order; looks no further into any than it must. */
export function sortMerge(inputs: readonly PlanNode[], order: Order<Doc>, sortPattern: Doc): PlanNode {
  return planNode({
    stage: 'SORT_MERGE',
    inputs,
    describe: () => ({ sortPattern }),
    *rows(): Generator<Row> {
      const sources = inputs.map((input) => input.rows());
      const heads = sources.map(nextOf);
      const seen = new Set<number>();
      for (;;) {
        const least = leastOf(heads, order);
        const head = heads[least];
        if (head === undefined) return;
        if (isNew(head, seen)) yield head;
        const source = sources[least];
        heads[least] = source === undefined ? undefined : nextOf(source);
      }
    },
  });
}

function nextOf(source: Rows): Row | undefined {
  const result = source.next();
  return result.done ? undefined : result.value;
}

function leastOf(heads: readonly (Row | undefined)[], order: Order<Doc>): number {
  let least = -1;
  heads.forEach((head, i) => {
    const best = heads[least];
    if (head !== undefined && (best === undefined || order(head.doc, best.doc) < 0)) least = i;
  });
  return least;
}

export function either(inputs: readonly PlanNode[]): PlanNode {
  return planNode({
    stage: 'OR',
    inputs,
    *rows(): Generator<Row> {
      const seen = new Set<number>();
      for (const input of inputs) {
        for (const row of input.rows()) if (isNew(row, seen)) yield row;
      }
    },
  });
}

function isNew({ stored }: Row, seen: Set<number>): boolean {
  if (stored === undefined) return true;
  if (seen.has(stored.id)) return false;
  seen.add(stored.id);
  return true;
}
