/** References to documents of the application: stored in place of a document, which the task is given as it is when it runs. */

import { checkOption, is, type Rule } from '../check.js';
import { bsonCopy, isBsonScalar } from './bson-scalar.js';
import type { CollectionName, DocumentIn, IdIn } from './register.js';

/** Carries the type of the document; nothing is stored under it. */
declare const document: unique symbol;

/** Names a document that a task takes: it is loaded when the task runs. */
export interface Ref<out D> {
  readonly [document]: D;
  readonly collection: string;
  readonly id: unknown;
}

export class DocumentReference implements Ref<never> {
  declare readonly [document]: never;

  constructor(
    readonly collection: string,
    readonly id: unknown,
  ) {
    Object.freeze(this);
  }

  /** The values from which a unique key may be made, as of the document itself. */
  get _id(): unknown {
    return this.id;
  }

  /** Its name in messages. */
  toString(): string {
    return `${this.collection}/${String(this.id)}`;
  }
}

const ID: Rule = {
  must: 'a non-empty string, a number, a bigint of at most 64 bits, or a value such as an ObjectId',
  holds: (value) =>
    is.text.holds(value) || Number.isFinite(value) || isInt64(value) || (is.object.holds(value) && isBsonScalar(Object(value))),
};

/** Of a longer one the database would take the lower bits, and so another document. */
function isInt64(value: unknown): boolean {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
}

/**
 * Names a document in place of an argument: the task gets the document as it is when it runs, from the `DocumentSource`, in a
 * transactional task in its own transaction. Where it is gone by then, the job fails with `ContextNotFoundError`.
 * @param collection - of those in `Register`, or any
 * @throws OptionError for an id that no document can have
 * @example await async.queueJob(documents.create, ref('folders', folderId), 'A title');
 */
export function ref<C extends CollectionName>(collection: C, id: IdIn<C>): Ref<DocumentIn<C>> {
  checkOption('`ref`', 'collection', collection, is.text);
  checkOption('`ref`', 'id', id, ID);
  return new DocumentReference(collection, is.object.holds(id) ? bsonCopy(id) : id) as Ref<never> as Ref<DocumentIn<C>>;
}
