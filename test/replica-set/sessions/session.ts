/** A logical session: its latest transaction number, the transaction or retryable write of that number, and its last use. */

import type { OpTime } from '../oplog/op-time.js';
import { ServerError } from '../server-error.js';
import type { Transaction } from '../transactions/transaction.js';
import type { Doc } from '../values/value.js';

/** The first answer to a statement of a retryable write. */
export type StatementAnswer = Doc;

export class Session {
  readonly id: string;
  readonly lsid: Doc;
  txnNumber = -1n;
  transaction: Transaction | undefined;
  /** Where snapshot reads outside transactions look, once one has chosen. */
  snapshotAt: OpTime | undefined;
  lastUsedAt = 0;
  #isCheckedOut = false;
  #answers = new Map<number, StatementAnswer>();

  constructor(id: string, lsid: Doc) {
    this.id = id;
    this.lsid = lsid;
  }

  /** Takes the session for one command; the next with a transaction number waits until `checkIn`. */
  tryCheckOut(): boolean {
    if (this.#isCheckedOut) return false;
    this.#isCheckedOut = true;
    return true;
  }

  checkIn(): void {
    this.#isCheckedOut = false;
  }

  /** Begins a new retryable write or goes on with the present one; an older number is refused. */
  beginRetryable(txnNumber: bigint): void {
    this.refuseOlder(txnNumber);
    if (txnNumber === this.txnNumber && this.transaction !== undefined) {
      throw new ServerError(
        'InvalidOptions',
        `Cannot perform a retryable write with txnNumber ${txnNumber}, which was used by a transaction`,
      );
    }
    if (txnNumber > this.txnNumber) this.advance(txnNumber);
  }

  refuseOlder(txnNumber: bigint): void {
    if (txnNumber >= this.txnNumber) return;
    throw new ServerError(
      'TransactionTooOld',
      `Cannot start transaction ${txnNumber} on session ${this.id} because a newer transaction ${this.txnNumber} has already started.`,
    );
  }

  /** Takes a newer number; a transaction of the older one is aborted, its answers are forgotten. */
  advance(txnNumber: bigint): void {
    this.transaction?.abortIfOpen();
    this.txnNumber = txnNumber;
    this.transaction = undefined;
    this.#answers = new Map();
  }

  answerOf(statement: number): StatementAnswer | undefined {
    return this.#answers.get(statement);
  }

  remember(statement: number, answer: StatementAnswer): void {
    this.#answers.set(statement, answer);
  }

  forget(statement: number): void {
    this.#answers.delete(statement);
  }
}
