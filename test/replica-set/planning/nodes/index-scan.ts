/** IXSCAN, COUNT_SCAN and DISTINCT_SCAN: an index within bounds, and the first key of each value in it. */

import type { CollectionIndex } from '../../documents/collection-index.js';
import type { Direction } from '../../documents/sorted-entries.js';
import type { Predicate } from '../../matching/predicate.js';
import type { Doc } from '../../values/value.js';
import { describe, type Intervals } from '../intervals.js';
import { type Found, IndexCursor } from './index-cursor.js';
import { newCounters, type PlanNode, planNode, type Row, type Source } from './plan-node.js';

export interface IndexScanSpec {
  readonly index: CollectionIndex;
  readonly bounds: readonly Intervals[];
  readonly direction: Direction;
  /** The filter on the key alone, before the document is fetched. */
  readonly filter: { readonly predicate: Predicate; readonly text: Doc } | undefined;
}

export function indexScan(source: Source, spec: IndexScanSpec): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'IXSCAN',
    counters,
    describe: () => ({ ...(spec.filter === undefined ? {} : { filter: spec.filter.text }), ...describeScan(spec) }),
    *rows(): Generator<Row> {
      const cursor = new IndexCursor(source, spec.index, { ...spec, counters });
      const seen = spec.index.isMultikey ? new Set<number>() : undefined;
      for (let found = cursor.first(); found !== undefined; found = cursor.next()) {
        if (seen?.has(found.stored.id)) continue;
        seen?.add(found.stored.id);
        if (spec.filter?.predicate.matches(found.doc) !== false) yield rowOf(found);
      }
    },
  });
}

/** Counts keys without looking further; the server counts the look past the last one too. */
export function countScan(source: Source, spec: IndexScanSpec): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'COUNT_SCAN',
    counters,
    describe: () => describeScan(spec),
    *rows(): Generator<Row> {
      const cursor = new IndexCursor(source, spec.index, { ...spec, counters });
      for (let found = cursor.first(); found !== undefined; found = cursor.next()) yield rowOf(found);
      counters.keysExamined++;
    },
  });
}

/** @param prefix how many fields of the index make one value */
export function distinctScan(source: Source, spec: IndexScanSpec, prefix: number): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'DISTINCT_SCAN',
    counters,
    describe: () => describeScan(spec),
    *rows(): Generator<Row> {
      const cursor = new IndexCursor(source, spec.index, { ...spec, counters });
      for (let found = cursor.first(); found !== undefined; found = cursor.skipPrefix(prefix)) yield rowOf(found);
    },
  });
}

function rowOf({ doc, stored, key }: Found): Row {
  return { doc, stored, key };
}

function describeScan({ index, bounds, direction }: IndexScanSpec): Doc {
  const { spec } = index;
  const multikeyPaths = spec.fields.map(({ path }) => [path, index.multikeyPaths.has(path) ? [path] : []] as const);
  const indexBounds = spec.fields.map((field, i) => {
    const isReversed = field.direction * direction === -1;
    const intervals = bounds[i] ?? [];
    return [field.path, (isReversed ? intervals.toReversed() : intervals).map((interval) => describe(interval, isReversed))] as const;
  });
  return {
    keyPattern: index.pattern,
    indexName: spec.name,
    isMultiKey: index.isMultikey,
    multiKeyPaths: Object.fromEntries(multikeyPaths),
    isUnique: spec.isUnique,
    isSparse: spec.isSparse,
    isPartial: spec.partial !== undefined,
    indexVersion: 2,
    direction: direction === 1 ? 'forward' : 'backward',
    indexBounds: Object.fromEntries(indexBounds),
  };
}
