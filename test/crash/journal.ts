/** Everything that was written into a database, in the order of the writes. */

import { setTimeout as sleep } from 'node:timers/promises';
import { BSON, type ChangeStream, type ChangeStreamDocument, type Db, type Document } from 'mongodb';

export interface Written {
  readonly collection: string;
  readonly id: string;
  /** Of an insertion, the whole document. */
  readonly document?: Document;
  /** The fields that have another value than before. */
  readonly set: Document;
  readonly unset: readonly string[];
}

export class Journal {
  readonly entries: Written[] = [];
  /** By collection and id, what was written last. */
  readonly #documents = new Map<string, Document>();
  readonly #stream: ChangeStream;
  readonly #read: Promise<void>;

  private constructor(
    private readonly database: Db,
    stream: ChangeStream,
  ) {
    this.#stream = stream;
    this.#read = this.#follow();
  }

  /** Keeps it from now on. */
  static async of(database: Db): Promise<Journal> {
    const stream = database.watch();
    // The first answer says from when on it sees everything.
    await stream.tryNext();
    return new Journal(database, stream);
  }

  /** How many jobs are final. */
  ended = 0;

  async #follow(): Promise<void> {
    // One that is closed ends with an error.
    while (!this.#stream.closed) {
      const change = await this.#stream.next().catch((error: unknown) => {
        if (!this.#stream.closed) throw error;
      });
      if (change === undefined) return;
      const written = this.#writtenBy(change);
      if (written === undefined) continue;
      this.entries.push(written);
      if (written.collection === 'millrace.jobs' && FINAL.has(written.set['status'])) this.ended++;
    }
  }

  #writtenBy(change: ChangeStreamDocument): Written | undefined {
    if (!('documentKey' in change) || !('ns' in change)) return undefined;
    const { coll: collection } = change.ns;
    const id = String(change.documentKey._id);
    const key = `${collection} ${id}`;
    const before = this.#documents.get(key) ?? {};
    const fields = fieldsWritten(change, before);
    if (fields === undefined) return undefined;
    const changed = Object.entries(fields.set).filter(([field, value]) => !(field in before) || !isSame(before[field], value));
    const set = Object.fromEntries(changed);
    const after: Document = { ...before, ...set };
    for (const field of fields.unset) delete after[field];
    this.#documents.set(key, after);
    return { collection, id, set, unset: fields.unset, ...(change.operationType === 'insert' ? { document: change.fullDocument } : {}) };
  }

  /** Resolves when everything written so far is in it. */
  async upToDate(): Promise<void> {
    const { insertedId } = await this.database.collection('marks').insertOne({});
    while (this.entries.at(-1)?.id !== String(insertedId)) await sleep(20);
  }

  async close(): Promise<void> {
    await this.#stream.close();
    await this.#read;
  }
}

const FINAL = new Set<unknown>(['completed', 'failed', 'cancelled']);

/** Handles both forms of an update: the server sends small documents whole, even if only one field has changed. */
function fieldsWritten(change: ChangeStreamDocument, before: Document): Pick<Written, 'set' | 'unset'> | undefined {
  if (change.operationType === 'insert' || change.operationType === 'replace') {
    const { fullDocument } = change;
    return { set: fullDocument, unset: Object.keys(before).filter((field) => !(field in fullDocument)) };
  }
  if (change.operationType !== 'update') return undefined;
  const { updatedFields = {}, removedFields = [] } = change.updateDescription;
  return { set: updatedFields, unset: removedFields };
}

function isSame(one: unknown, other: unknown): boolean {
  return Buffer.compare(BSON.serialize({ one }), BSON.serialize({ one: other })) === 0;
}
