/** Repairs documents field by field: a damaged field is replaced by a stand-in, and all others stay. */

import { types } from 'node:util';
import type { Collection, Document, Filter, UpdateFilter, WithId } from 'mongodb';
import { asSetStage } from '../jobs/job-update.js';
import { type DocumentRules, damagesOf } from '../schema/damage.js';
import type { Care } from '../schema/timed-collection.js';

export interface FieldCareSources<T extends Document> {
  readonly rules: DocumentRules<T>;
  /** The value that is written in place of a damaged field; `undefined` removes it. */
  readonly insteadOf: (field: string, damaged: Document) => unknown;
  /** Whether a document of the collection is of this kind. @default all are */
  readonly concerns?: (document: Document) => boolean;
  /** Further fields that are written. @param fields - the damaged fields */
  readonly besides?: (fields: readonly string[]) => Readonly<Record<string, unknown>>;
  /** Is called for each document that was repaired. */
  readonly onDamage: (message: string) => void;
}

export class FieldCare<T extends Document> implements Care<T> {
  constructor(private readonly sources: FieldCareSources<T>) {}

  damageOf(document: Document, only?: readonly string[]): string | undefined {
    const { rules, concerns } = this.sources;
    return concerns?.(document) === false ? undefined : damagesOf(document, rules, only)[0]?.fact;
  }

  async repair(damaged: Document, table: Collection<T>): Promise<void> {
    const { insteadOf, rules, onDamage, besides = () => ({}) } = this.sources;
    const damages = damagesOf(damaged, rules);
    const fields = damages.map(({ field }) => field);
    const written: Record<string, unknown> = { ...besides(fields) };
    const asRead: Record<string, unknown> = { _id: damaged['_id'] };
    for (const field of fields) {
      written[field] = await insteadOf(field, damaged);
      asRead[field] = field in damaged ? { $eq: damaged[field] } : { $exists: false };
    }
    const { modifiedCount } = await table.updateOne(asRead as Filter<T>, [{ $set: asSetStage(written) }] as UpdateFilter<T>[]);
    if (modifiedCount === 0) return;
    const what = damages.map(({ fact }) => fact).join('; ');
    onDamage(`the document ${String(damaged['_id'])} of ${table.collectionName} was damaged: ${what}; it has been repaired`);
  }

  view(damaged: Document): WithId<T> | undefined {
    const instead = damagesOf(damaged, this.sources.rules).map(({ field }) => [field, this.sources.insteadOf(field, damaged)] as const);
    if (instead.some(([, value]) => types.isPromise(value))) return undefined;
    const sound = Object.entries({ ...damaged, ...Object.fromEntries(instead) }).filter(([, value]) => value !== undefined);
    return Object.fromEntries(sound) as WithId<T>;
  }
}
