/** COLLSCAN, IDHACK and RECORD_STORE_FAST_COUNT: all documents in natural order, one by its `_id`, and how many there are. */

import { visible } from '../../documents/stored.js';
import type { Predicate } from '../../matching/predicate.js';
import type { Doc, Value } from '../../values/value.js';
import { newCounters, type PlanNode, planNode, type Row, type Source } from './plan-node.js';

export function collectionScan(source: Source, predicate: Predicate, { filter, direction }: { filter: Doc; direction: 1 | -1 }): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'COLLSCAN',
    counters,
    describe: () => ({ ...(Object.keys(filter).length === 0 ? {} : { filter }), direction: direction === 1 ? 'forward' : 'backward' }),
    *rows(): Generator<Row> {
      const { documents } = source.collection;
      for (const stored of direction === 1 ? documents.values() : [...documents.values()].reverse()) {
        const doc = visible(stored, source.view());
        if (doc === undefined) continue;
        counters.docsExamined++;
        if (predicate.matches(doc)) yield { doc, stored, key: undefined };
      }
    },
  });
}

/** The number of all documents, which the server knows without looking. */
export function fastCount(source: Source): PlanNode {
  return planNode({
    stage: 'RECORD_STORE_FAST_COUNT',
    *rows(): Generator<Row> {
      for (const stored of source.collection.documents.values()) {
        const doc = visible(stored, source.view());
        if (doc !== undefined) yield { doc, stored, key: undefined };
      }
    },
  });
}

/** Finds by `_id` without planning, as the server does for `{_id: x}` alone. */
export function idHack(source: Source, id: Value): PlanNode {
  const counters = newCounters();
  return planNode({
    stage: 'IDHACK',
    counters,
    *rows(): Generator<Row> {
      const entries = source.collection.indexes.get('_id_')?.entries;
      let position = entries?.seek(1, (entry) => entries.compareKeys(entry.key, [id]) < 0);
      while (entries !== undefined && position !== undefined && entries.compareKeys(position.entry.key, [id]) === 0) {
        const stored = source.collection.documents.get(position.entry.id);
        const doc = stored === undefined ? undefined : visible(stored, source.view());
        if (doc !== undefined) {
          counters.keysExamined++;
          counters.docsExamined++;
          yield { doc, stored, key: undefined };
          return;
        }
        position = entries.next(position, 1);
      }
    },
  });
}
