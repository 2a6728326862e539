/** Writes documents, at once or as part of a transaction, and tells the oplog what changed. */

import type { Timestamp } from 'mongodb';
import type { Collection, Writer } from '../documents/collection.js';
import type { Stored, Version, View } from '../documents/stored.js';
import { END_OF_TIME, type OpTime, toTimestamp } from '../oplog/op-time.js';
import type { ChangeKind, UpdateDescription } from '../oplog/oplog.js';
import type { Doc } from '../values/value.js';
import { committed, type PendingChange, type Transaction, type TransactionGround } from './transaction.js';

const LATEST: View = { at: END_OF_TIME, owner: undefined };

export class WriteUnit implements Writer {
  readonly view: View;
  at: OpTime = 0;
  readonly #ground: TransactionGround;
  readonly transaction: Transaction | undefined;

  constructor(ground: TransactionGround, transaction: Transaction | undefined) {
    this.#ground = ground;
    this.transaction = transaction;
    this.view = transaction?.view ?? LATEST;
  }

  /** The next logical time, as `Timestamp(0, 0)` becomes it. */
  timestamp(): Timestamp {
    return toTimestamp(this.#ground.history.tick());
  }

  now(): Date {
    return this.#ground.now();
  }

  /** Finds a collection, or creates it as the first write does. */
  collection(database: string, name: string): Collection {
    const collection = this.#ground.catalog.find(database, name) ?? this.#create(database, name);
    this.transaction?.locked.add(collection);
    return collection;
  }

  #create(database: string, name: string): Collection {
    const { catalog, history } = this.#ground;
    const created = catalog.create(database, name);
    this.transaction?.hasCreated(created);
    history.whenRolledBack(() => catalog.drop(created));
    return created;
  }

  insert(collection: Collection, doc: Doc): Stored {
    this.#begin();
    const stored = collection.insert(doc, this);
    this.#record(collection, doc, { kind: 'insert', doc });
    return stored;
  }

  /** @param update what changed, unless the document is told as a whole */
  replace(collection: Collection, stored: Stored, doc: Doc, update: UpdateDescription | undefined): void {
    this.#begin();
    collection.replace(stored, doc, this);
    const isWhole = update === undefined || this.#ground.changeEvents.tellsWhole;
    this.#record(collection, doc, isWhole ? { kind: 'replace', doc } : { kind: 'update', update });
  }

  remove(collection: Collection, stored: Stored, doc: Doc): void {
    this.#begin();
    collection.remove(stored, this);
    this.#record(collection, doc, { kind: 'delete' });
  }

  hasPut(collection: Collection, stored: Stored, before: Version | undefined): void {
    if (this.transaction !== undefined) {
      this.transaction.touch(collection, stored);
      return;
    }
    const { history } = this.#ground;
    const [version] = stored.versions;
    if (before !== undefined) history.supersede(collection, stored, this.at);
    if (version !== undefined) history.whenRolledBack(() => collection.forget(stored, version));
  }

  #begin(): void {
    if (this.transaction === undefined) this.at = this.#ground.history.tick();
  }

  #record(
    collection: Collection,
    doc: Doc,
    what: { readonly kind: ChangeKind; readonly doc?: Doc; readonly update?: UpdateDescription },
  ): void {
    const pending: PendingChange = {
      kind: what.kind,
      database: collection.database,
      collection: collection.name,
      uuid: collection.uuid,
      id: doc['_id'],
      doc: what.doc,
      update: what.update,
      to: undefined,
    };
    if (this.transaction === undefined) {
      this.#ground.oplog.append(committed(pending, { at: this.at, place: 0, wallTime: this.#ground.now(), transaction: undefined }));
    } else this.transaction.record(pending);
  }
}
