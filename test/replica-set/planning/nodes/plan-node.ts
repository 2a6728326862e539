/** A stage of a query plan: its output, and its part of explain. */

import type { Collection } from '../../documents/collection.js';
import type { Key } from '../../documents/sorted-entries.js';
import type { Stored, View } from '../../documents/stored.js';
import type { Doc } from '../../values/value.js';

/** A row that passes from stage to stage. */
export interface Row {
  readonly doc: Doc;
  /** Where the document is stored; undefined once it was made up by a projection. */
  readonly stored: Stored | undefined;
  /** The index key it was found by, while its document has not been fetched. */
  readonly key: Key | undefined;
}

/** The documents that plans read, and the time of the view, which may move between two batches of a cursor. */
export interface Source {
  readonly collection: Collection;
  view(): View;
}

export type Rows = IterableIterator<Row>;

/** Counters of a stage. */
export interface Counters {
  keysExamined: number;
  docsExamined: number;
}

export interface PlanNode {
  readonly stage: string;
  readonly inputs: readonly PlanNode[];
  readonly counters: Counters;
  /** Rows that left this stage. */
  readonly returned: () => number;
  rows(): Rows;
  /** Fields that explain shows of this stage alone. */
  describe(): Doc;
}

export function newCounters(): Counters {
  return { keysExamined: 0, docsExamined: 0 };
}

/** The node's counters and those of all below it. */
export function totals(node: PlanNode): Counters {
  const sum = { ...node.counters };
  for (const input of node.inputs) {
    const below = totals(input);
    sum.keysExamined += below.keysExamined;
    sum.docsExamined += below.docsExamined;
  }
  return sum;
}

/** Makes a node of an iterable, and counts what it yields. */
export function planNode(node: {
  readonly stage: string;
  readonly inputs?: readonly PlanNode[];
  readonly counters?: Counters;
  readonly describe?: () => Doc;
  readonly rows: () => Rows;
}): PlanNode {
  let returned = 0;
  const count = (): void => {
    returned++;
  };
  return {
    stage: node.stage,
    inputs: node.inputs ?? [],
    counters: node.counters ?? newCounters(),
    returned: () => returned,
    describe: node.describe ?? (() => ({})),
    rows: () => counting(node.rows(), count),
  };
}

/** Not a generator, since this is passed by every row of every stage. */
function counting(rows: Rows, count: () => void): Rows {
  return {
    next: () => {
      const result = rows.next();
      if (result.done !== true) count();
      return result;
    },
    return: () => rows.return?.() ?? { done: true, value: undefined },
    [Symbol.iterator](): Rows {
      return this;
    },
  };
}
