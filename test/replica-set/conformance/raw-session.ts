/** A session whose transaction numbers the case sets itself, as a driver does below its surface. */

import { type ClientSession, type Db, type Document, Long, type ServerSession, UUID } from 'mongodb';
import type { Bench } from './bench.js';

export class RawSession {
  readonly session: ClientSession;
  readonly #server: ServerSession;
  readonly #db: Db;
  /** Number of the transaction begun last, if any. */
  #begun: number | undefined;

  constructor(bench: Bench) {
    this.#db = bench.db;
    this.session = bench.session({ causalConsistency: false });
    this.#server = this.session.serverSession;
    const { id, txnNumber } = this.#server;
    bench.after(async () => {
      await this.#giveUp();
      Object.assign(this.#server, { id, txnNumber });
    });
    this.#server.id = { id: new UUID() };
  }

  /** A command as it is. */
  command(command: Document): Promise<Document> {
    return this.#db.command(command, { session: this.session });
  }

  /** A write with a number by which it may be repeated. */
  retryable(number: number, command: Document): Promise<Document> {
    return this.command({ ...command, txnNumber: Long.fromNumber(number) });
  }

  /** The first command of transaction `number`. */
  begin(number: number, command: Document): Promise<Document> {
    this.#begun = number;
    return this.next(number, { ...command, startTransaction: true });
  }

  /** A further command of transaction `number`. */
  next(number: number, command: Document): Promise<Document> {
    return this.retryable(number, { ...command, autocommit: false });
  }

  commit(number: number): Promise<Document> {
    return this.#end(number, { commitTransaction: 1, writeConcern: { w: 'majority' } });
  }

  abort(number: number): Promise<Document> {
    return this.#end(number, { abortTransaction: 1 });
  }

  /** Leaves no transaction open, which would keep its collections locked. */
  async #giveUp(): Promise<void> {
    if (this.#begun !== undefined) await this.abort(this.#begun).catch(() => undefined);
  }

  /** The driver puts its own number on these two commands, so it is told ours. */
  #end(number: number, command: Document): Promise<Document> {
    this.#server.txnNumber = number;
    return this.#db.admin().command(command, { session: this.session });
  }
}
