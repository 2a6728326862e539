/** Everything that was written into a database, in the order of the writes. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeStream, ChangeStreamDocument, Db, Document } from 'mongodb';

export interface Written {
  readonly collection: string;
  readonly id: string;
  /** Of an insertion or a replacement, the whole document. */
  readonly document?: Document;
  readonly set: Document;
  readonly unset: readonly string[];
}

export class Journal {
  readonly entries: Written[] = [];
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
      const written = writtenBy(change);
      if (written === undefined) continue;
      this.entries.push(written);
      if (written.collection === 'millrace.jobs' && FINAL.has(written.set['status'])) this.ended++;
    }
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

function writtenBy(change: ChangeStreamDocument): Written | undefined {
  if (change.operationType === 'insert' || change.operationType === 'replace') {
    const { ns, documentKey, fullDocument } = change;
    return { collection: ns.coll, id: String(documentKey._id), document: fullDocument, set: fullDocument, unset: [] };
  }
  if (change.operationType !== 'update') return undefined;
  const { updatedFields = {}, removedFields = [] } = change.updateDescription;
  return { collection: change.ns.coll, id: String(change.documentKey._id), set: updatedFields, unset: removedFields };
}
