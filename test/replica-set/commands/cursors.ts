/** Open cursors, by id. */

import { Long } from 'mongodb';
import { ServerError } from '../server-error.js';
import type { Transaction } from '../transactions/transaction.js';
import type { Doc } from '../values/value.js';

export interface Cursor {
  readonly namespace: string;
  readonly sessionId: string | undefined;
  /** The transaction that opened it, in which alone it can go on. */
  readonly transaction: Transaction | undefined;
  readonly source: BatchSource;
}

/** Where a cursor's batches come from. */
export interface BatchSource {
  /** Whether the server answers at once, or waits for something to come. */
  readonly isAwaiting: boolean;
  /** The next document, which stays the next one until it is taken. */
  peek(): Doc | undefined;
  take(): void;
  /** Whether there is something to answer with. */
  hasNews(): boolean;
  /** True when nothing will come any more. */
  isExhausted(): boolean;
  /** Fields beside the batch, such as `postBatchResumeToken`. */
  extra(): Doc;
}

export class Cursors {
  readonly #open = new Map<string, Cursor>();
  #last = 0;

  get size(): number {
    return this.#open.size;
  }

  /** @param seed spreads ids, as the server's are random */
  open(cursor: Cursor, seed: number): Long {
    this.#last++;
    const id = Long.fromBits(this.#last, (seed & 0x3fffffff) | 1);
    this.#open.set(id.toString(), cursor);
    return id;
  }

  find(id: Long): Cursor {
    const cursor = this.#open.get(id.toString());
    if (cursor === undefined) throw new ServerError('CursorNotFound', `cursor id ${id.toString()} not found`);
    return cursor;
  }

  has(id: Long): boolean {
    return this.#open.has(id.toString());
  }

  /** Whether there was such a cursor. */
  close(id: Long): boolean {
    return this.#open.delete(id.toString());
  }

  closeWhere(isMeant: (cursor: Cursor) => boolean): void {
    for (const [id, cursor] of this.#open) {
      if (isMeant(cursor)) this.#open.delete(id);
    }
  }
}
