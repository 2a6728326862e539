/** One change stream of a walk, closed and resumed at random points, that writes down what it showed. */

import type { ChangeStream, ChangeStreamDocument, ChangeStreamOptions, Db, Document } from 'mongodb';
import type { Name, Shown } from './history.js';
import type { Random } from './random.js';

const AWAIT = { maxAwaitTimeMS: 10 };
const COMMITTED_CHANGES = [{ $match: { operationType: { $in: ['update', 'replace', 'insert'] } } }];

type Stream = ChangeStream<Document, ChangeStreamDocument<Document>>;

export class WalkingStream {
  readonly shown: Shown[] = [];
  resumes = 0;
  readonly #db: Db;
  readonly #random: Random;
  #stream: Stream;

  constructor(db: Db, random: Random, options: ChangeStreamOptions) {
    this.#db = db;
    this.#random = random;
    this.#stream = this.#open(options);
  }

  /** Reads a little, or closes the stream and goes on where it was. */
  async step(): Promise<void> {
    if (this.#random.chance(0.25)) await this.#resume();
    else await this.#read();
  }

  /** Reads on until the document of this name is shown. */
  async readTo(name: Name): Promise<void> {
    while ((await this.#read())?.name !== name) if (this.#random.chance(0.02)) await this.#resume();
    this.shown.pop();
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  async #resume(): Promise<void> {
    const token = this.#stream.resumeToken;
    if (token === null || token === undefined) return;
    await this.#stream.close();
    this.#stream = this.#open(this.#random.chance(0.5) ? { resumeAfter: token } : { startAfter: token });
    this.resumes += 1;
  }

  async #read(): Promise<Shown | undefined> {
    const event: Document | null = await this.#stream.tryNext();
    if (event === null) return undefined;
    const { ns, documentKey, updateDescription, fullDocument } = event;
    const { by, version } = updateDescription?.updatedFields ?? fullDocument;
    const shown = { id: by.split('#')[0], name: `${ns.coll}/${documentKey._id}`, version };
    this.shown.push(shown);
    return shown;
  }

  #open(options: ChangeStreamOptions): Stream {
    return this.#db.watch(COMMITTED_CHANGES, { ...AWAIT, batchSize: 1 + this.#random.below(5), ...options });
  }
}
