/** One client of a walk: it does random transactions and plain writes, and records its reads and commits. */

import { type ClientSession, type Db, type Document, MongoServerError } from 'mongodb';
import type { Thing } from '../bench.js';
import { SNAPSHOT } from '../two-sessions.js';
import type { Committed, Name, Versions } from './history.js';
import type { Random } from './random.js';

export const COLLECTIONS = ['left', 'right'] as const;
export const KEYS = [0, 1, 2, 3] as const;

/** A transaction that is open. */
interface Open {
  readonly id: string;
  readonly reads: Versions;
  readonly writes: Versions;
  stepsLeft: number;
}

export interface Walker {
  readonly number: number;
  readonly db: Db;
  readonly session: ClientSession;
  readonly random: Random;
}

export class WalkingClient {
  readonly committed: Committed[] = [];
  conflicts = 0;
  readonly #walker: Walker;
  #open: Open | undefined;
  #begun = 0;
  #written = 0;

  constructor(walker: Walker) {
    this.#walker = walker;
  }

  /** One command, whichever comes next. */
  async step(): Promise<void> {
    const { random, session } = this.#walker;
    if (this.#open === undefined && random.chance(0.2)) return this.#plainWrite();
    if (this.#open === undefined) {
      session.startTransaction(SNAPSHOT);
      this.#open = this.#new(1 + random.below(5));
    }
    const open = this.#open;
    try {
      await this.#proceed(open);
    } catch (error) {
      if (!(error instanceof MongoServerError) || !error.hasErrorLabel('TransientTransactionError')) throw error;
      this.conflicts += 1;
      await this.#giveUp();
    }
  }

  /** Commits what is open, so that nothing is left when the walk ends. */
  async finish(): Promise<void> {
    while (this.#open !== undefined) await this.step();
  }

  async #proceed(open: Open): Promise<void> {
    const { random } = this.#walker;
    open.stepsLeft -= 1;
    if (open.stepsLeft < 0) return random.chance(0.15) ? this.#giveUp() : this.#commit(open);
    const kind = random.pick(['read', 'read', 'scan', 'write', 'write', 'write'] as const);
    const collection = random.pick(COLLECTIONS);
    if (kind === 'scan') return this.#scan(open, collection);
    return kind === 'read' ? this.#read(open, collection, random.pick(KEYS)) : this.#write(open, collection, random.pick(KEYS));
  }

  async #read(open: Open, collection: string, key: number): Promise<void> {
    const { db, session } = this.#walker;
    this.#saw(open, collection, await db.collection<Thing>(collection).findOne({ _id: key }, { session }));
  }

  async #scan(open: Open, collection: string): Promise<void> {
    const { db, session } = this.#walker;
    const found = await db.collection<Thing>(collection).find({}, { session, batchSize: 2 }).toArray();
    if (found.length !== KEYS.length) throw new Error(`Saw ${found.length} documents of ${KEYS.length}`);
    for (const thing of found) this.#saw(open, collection, thing);
  }

  async #write(open: Open, collection: string, key: number): Promise<void> {
    const name: Name = `${collection}/${key}`;
    const version = await this.#raise(open.id, collection, key);
    const known = open.writes.get(name) ?? open.reads.get(name);
    if (known !== undefined && version !== known + 1) throw new Error(`${open.id} made version ${version} of ${name} out of ${known}`);
    if (!open.writes.has(name)) open.reads.set(name, version - 1);
    open.writes.set(name, version);
  }

  /** Two reads of a document must be the same, and its own writes must be there. */
  #saw(open: Open, collection: string, thing: Document | null): void {
    const name: Name = `${collection}/${thing?.['_id']}`;
    const version: number = thing?.['version'];
    const known = open.writes.get(name) ?? open.reads.get(name);
    if (known !== undefined && known !== version) throw new Error(`${open.id} saw version ${version} of ${name} after ${known}`);
    if (!open.writes.has(name)) open.reads.set(name, version);
  }

  async #commit({ id, reads, writes }: Open): Promise<void> {
    await this.#walker.session.commitTransaction();
    this.#open = undefined;
    this.committed.push({ id, client: this.#walker.number, reads, writes });
  }

  async #giveUp(): Promise<void> {
    const { session } = this.#walker;
    this.#open = undefined;
    if (session.inTransaction()) await session.abortTransaction();
  }

  async #plainWrite(): Promise<void> {
    const { random, number: client } = this.#walker;
    const { id, reads, writes } = this.#new(0);
    const [collection, key] = [random.pick(COLLECTIONS), random.pick(KEYS)];
    const version = await this.#raise(id, collection, key);
    reads.set(`${collection}/${key}`, version - 1);
    writes.set(`${collection}/${key}`, version);
    this.committed.push({ id, client, reads, writes });
  }

  /** Gives a document its next version; `by` differs each time, so that every change event has it. */
  async #raise(id: string, collection: string, key: number): Promise<number> {
    const { db, session } = this.#walker;
    this.#written += 1;
    const update = { $inc: { version: 1 }, $set: { by: `${id}#${this.#written}` } };
    const things = db.collection<Thing>(collection);
    const thing = await things.findOneAndUpdate({ _id: key }, update, { session, returnDocument: 'after' });
    return thing?.['version'];
  }

  #new(stepsLeft: number): Open {
    this.#begun += 1;
    return { id: `t${this.#walker.number}.${this.#begun}`, reads: new Map(), writes: new Map(), stepsLeft };
  }
}
