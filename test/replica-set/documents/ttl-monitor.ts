/** Deletes documents whose time is over, by TTL indexes. */

import type { TransactionGround } from '../transactions/transaction.js';
import { WriteUnit } from '../transactions/write-unit.js';
import { splitPath, valueAt } from '../values/paths.js';
import { type Doc, isArray } from '../values/value.js';
import type { Catalog } from './catalog.js';
import type { Collection } from './collection.js';
import type { CollectionIndex } from './collection-index.js';
import { HeldByTransaction, type Stored } from './stored.js';

export interface TtlMonitor {
  /** Deletes what is over, and says how many documents that were. */
  sweep(): number;
}

export function ttlMonitor(ground: TransactionGround & { readonly catalog: Catalog }): TtlMonitor {
  return {
    sweep: () => {
      const unit = new WriteUnit(ground, undefined);
      let deleted = 0;
      for (const collection of ground.catalog.all()) {
        for (const index of collection.indexes.values()) deleted += sweepIndex(collection, index, unit);
      }
      return deleted;
    },
  };
}

function sweepIndex(collection: Collection, index: CollectionIndex, unit: WriteUnit): number {
  const { expireAfterSeconds, fields } = index.spec;
  const [field] = fields;
  if (expireAfterSeconds === undefined || field === undefined) return 0;
  const limit = unit.now().getTime() - expireAfterSeconds * 1000;
  let deleted = 0;
  for (const stored of [...collection.documents.values()]) {
    const doc = stored.versions[0]?.doc;
    if (doc !== undefined && index.keysOf(doc).length > 0 && isOver(doc, field.path, limit) && remove(collection, stored, doc, unit))
      deleted++;
  }
  return deleted;
}

/** By the earliest date, if the field is an array; a value that is not a date never expires. */
function isOver(doc: Doc, path: string, limit: number): boolean {
  const value = valueAt(doc, splitPath(path));
  const dates = (isArray(value) ? value : [value]).filter((date) => date instanceof Date);
  return dates.some((date) => date.getTime() <= limit);
}

/** A document that a transaction has locked is left for the next sweep. */
function remove(collection: Collection, stored: Stored, doc: Doc, unit: WriteUnit): boolean {
  try {
    unit.remove(collection, stored, doc);
    return true;
  } catch (error) {
    if (error instanceof HeldByTransaction) return false;
    throw error;
  }
}
