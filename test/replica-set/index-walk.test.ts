/** A seeded random walk of transactions, plain writes and rollbacks: every index always says what the collection says. */

import { Binary, type Document, Long } from 'mongodb';
import { expect, it } from 'vitest';
import { ownServer } from './own-server.js';

const INDEXES = [
  { key: { a: 1 }, name: 'a' },
  { key: { a: -1, b: 1 }, name: 'a_b' },
  { key: { tags: 1 }, name: 'tags' },
  { key: { u: 1 }, name: 'u', unique: true, partialFilterExpression: { u: { $exists: true } } },
];

const STEPS = 150;

it.each([1, 2, 3, 4])('finds by each index what a scan of the collection finds (seed %i)', async (seed) => {
  const walk = new Walk(seed);
  await walk.begin();
  for (let i = 0; i < STEPS; i++) {
    await walk.step();
    await walk.check();
  }
  await walk.end();
});

/** Three sessions, each in a transaction or not. */
class Walk {
  readonly #own = ownServer();
  readonly #sessions = [0, 1, 2].map((i) => ({ lsid: { id: new Binary(Buffer.alloc(16, i + 1), 4) }, number: 0, isOpen: false }));
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 7919;
  }

  #upTo(count: number): number {
    this.#state = (this.#state * 1103515245 + 12345) % 2147483648;
    return Math.floor((this.#state / 2147483648) * count);
  }

  async begin(): Promise<void> {
    await this.#run({ createIndexes: 'things', indexes: INDEXES });
  }

  /** One command of one session; conflicts and duplicates are part of it. */
  async step(): Promise<void> {
    const session = this.#sessions[this.#upTo(3)];
    if (session === undefined) return;
    const kind = this.#upTo(12);
    if (kind === 0) return this.#toggleMajority();
    if (kind <= 2 && session.isOpen) return this.#finish(session, kind === 1 ? 'commitTransaction' : 'abortTransaction');
    const starts = !session.isOpen && this.#upTo(2) === 0;
    if (starts) {
      session.number++;
      session.isOpen = true;
    }
    const inTransaction = { lsid: session.lsid, txnNumber: Long.fromNumber(session.number), autocommit: false };
    const answer = await this.#run({
      ...this.#write(),
      maxTimeMS: 1,
      ...(session.isOpen ? inTransaction : {}),
      ...(starts ? { startTransaction: true } : {}),
    });
    if (answer['ok'] !== 1 || answer['writeErrors'] !== undefined) session.isOpen = false;
  }

  #write(): Document {
    const q = { _id: this.#upTo(12) };
    const fields = { a: this.#upTo(4), b: this.#upTo(3), tags: Array.from({ length: this.#upTo(3) }, () => this.#upTo(4)) };
    const unique = this.#upTo(3) === 0 ? { u: this.#upTo(6) } : {};
    const kind = this.#upTo(4);
    if (kind === 0) return { delete: 'things', deletes: [{ q, limit: 1 }] };
    if (kind === 1) return { insert: 'things', documents: [{ ...q, ...fields, ...unique }] };
    return { update: 'things', updates: [{ q, u: kind === 2 ? { $set: { ...fields, ...unique } } : { $unset: { u: 1 } } }] };
  }

  async #finish(session: { readonly lsid: object; readonly number: number; isOpen: boolean }, command: string): Promise<void> {
    session.isOpen = false;
    const { lsid, number } = session;
    await this.#run({ [command]: 1, lsid, txnNumber: Long.fromNumber(number), autocommit: false, $db: 'admin' });
  }

  /** Holds the majority point back; the next time, releases it or rolls back to it. */
  #toggleMajority(): void {
    const { history } = this.#own.server;
    if (!history.isMajorityHeld) history.holdMajority();
    else if (this.#upTo(2) === 0) history.releaseMajority();
    else {
      this.#own.server.failOver();
      for (const session of this.#sessions) session.isOpen = false;
    }
  }

  /** Compares in the latest view, the majority's, and each open transaction's. */
  async check(): Promise<void> {
    const views: Document[] = [{}, { readConcern: { level: 'majority' } }];
    for (const { lsid, number, isOpen } of this.#sessions) {
      if (isOpen) views.push({ lsid, txnNumber: Long.fromNumber(number), autocommit: false });
    }
    const filters = [{ a: this.#upTo(4) }, { a: { $gte: 1 }, b: 1 }, { tags: this.#upTo(4) }, { u: { $gte: 0 } }, { a: { $in: [0, 2] } }];
    for (const view of views) {
      for (const filter of filters) await this.#compare(filter, view);
    }
  }

  async #compare(filter: Document, view: Document): Promise<void> {
    const hints = 'u' in filter ? ['u'] : 'tags' in filter ? ['tags'] : ['a', 'a_b'];
    const expected = await this.#ids(filter, { $natural: 1 }, view);
    for (const hint of hints) expect({ hint, filter, ids: await this.#ids(filter, hint, view) }).toEqual({ hint, filter, ids: expected });
  }

  async #ids(filter: Document, hint: Document | string, view: Document): Promise<number[]> {
    const { cursor } = await this.#run({ find: 'things', filter, hint, projection: { _id: 1 }, ...view });
    return cursor.firstBatch.map(({ _id }: Document) => Number(_id)).sort((x: number, y: number) => x - y);
  }

  /** When nobody looks back any more, nothing but the latest versions and their keys is left. */
  async end(): Promise<void> {
    for (const session of this.#sessions) if (session.isOpen) await this.#finish(session, 'abortTransaction');
    this.#own.server.history.releaseMajority();
    const things = this.#own.server.catalog.find('test', 'things');
    const stored = [...(things?.documents.values() ?? [])];
    expect(stored.every(({ versions }) => versions.length === 1 && versions[0]?.doc !== undefined)).toBe(true);
    for (const index of things?.indexes.values() ?? []) {
      const keys = stored.reduce((sum, { versions }) => sum + index.keysOf(versions[0]?.doc).length, 0);
      expect([index.spec.name, index.entries.size]).toEqual([index.spec.name, keys]);
    }
  }

  /** Outside a transaction, writes are confirmed at once, so that a held majority point stops nothing. */
  #run(command: Document): Promise<Document> {
    const isWrite = command['find'] === undefined && (command['autocommit'] === undefined || command['$db'] === 'admin');
    return this.#own.run({ ...command, ...(isWrite ? { writeConcern: { w: 1 } } : {}) });
  }
}
