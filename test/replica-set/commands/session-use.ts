/** The session and the transaction a command belongs to, begun here where it is the first. */

import { Timestamp } from 'mongodb';
import { fromTimestamp, type OpTime } from '../oplog/op-time.js';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import type { Session } from '../sessions/session.js';
import type { Operation } from '../transactions/operations.js';
import { Transaction } from '../transactions/transaction.js';
import { isNumber } from '../values/numbers.js';
import { type Doc, isDoc } from '../values/value.js';
import type { Command } from './command.js';
import { optionalDoc, optionalLong } from './fields.js';
import { refuseFuture } from './read-concern.js';

export function useSession(server: Server, body: Doc): Session | undefined {
  const lsid = optionalDoc(body, 'lsid');
  if (lsid !== undefined) return server.sessions.use(lsid, server.clock.now());
  if (body['txnNumber'] !== undefined)
    throw new ServerError('InvalidOptions', 'Transaction number requires a session ID to also be specified');
  return undefined;
}

/** Waits until no other command of the session is at work, if this one has a transaction number. */
export async function checkOut(server: Server, body: Doc, operation: Operation): Promise<Session | undefined> {
  if (body['txnNumber'] === undefined) return undefined;
  const session = useSession(server, body);
  if (session === undefined || session.tryCheckOut()) return session;
  const timeoutMs = operation.deadline === undefined ? undefined : operation.deadline - server.clock.monotonic();
  const isTaken = await server.waiting.until(() => session.tryCheckOut(), { timeoutMs, interruption: () => operation.interruption });
  if (isTaken) return session;
  throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
}

interface Use {
  readonly name: string;
  readonly command: Command;
  readonly body: Doc;
  readonly session: Session | undefined;
}

/** @returns undefined outside transactions */
export function useTransaction(server: Server, { name, command, body, session }: Use): Transaction | undefined {
  const txnNumber = optionalLong(body, 'txnNumber');
  if (body['autocommit'] === undefined) {
    if (body['startTransaction'] !== undefined)
      throw new ServerError('InvalidOptions', 'Specifying startTransaction=true requires autocommit=false');
    if (isEnd(name)) throw new ServerError('InvalidOptions', `${name} must be run within a transaction`);
    if (txnNumber !== undefined) session?.beginRetryable(txnNumber);
    return undefined;
  }
  if (body['autocommit'] !== false) throw new ServerError('InvalidOptions', 'Specifying autocommit=true is not allowed.');
  if (txnNumber === undefined || session === undefined)
    throw new ServerError('InvalidOptions', "'autocommit' field requires a transaction number to also be specified");
  if (!command.inTransaction) {
    throw new ServerError('OperationNotSupportedInTransaction', `Cannot run '${name}' in a multi-document transaction.`);
  }
  if (body['startTransaction'] === true) return begin(server, { body, session, txnNumber });
  return goOn({ name, session, txnNumber });
}

/** Whether a command ends a transaction. */
export function isEnd(name: string): boolean {
  return name === 'commitTransaction' || name === 'abortTransaction';
}

interface Numbered {
  readonly body: Doc;
  readonly session: Session;
  readonly txnNumber: bigint;
}

function begin(server: Server, { body, session, txnNumber }: Numbered): Transaction {
  session.refuseOlder(txnNumber);
  if (txnNumber === session.txnNumber) {
    throw new ServerError(
      117,
      `Cannot start a transaction at given transaction number ${txnNumber} a transaction with the same number is in state ${session.transaction?.state ?? 'none'}`,
    );
  }
  session.advance(txnNumber);
  const transaction = new Transaction(server, snapshotFor(server, body), { lsid: session.lsid, txnNumber: body['txnNumber'] ?? 0 });
  session.transaction = transaction;
  const limitMs = server.parameters.transactionLifetimeLimitSeconds * 1000;
  transaction.expiry = server.clock.limit(limitMs, () => {
    transaction.abortIfOpen();
    server.waiting.check();
  });
  return transaction;
}

/** The latest time, or, as a fault, the oldest the server may choose. */
function snapshotFor(server: Server, body: Doc): OpTime {
  const concern = optionalDoc(body, 'readConcern');
  const [after, at] = ['afterClusterTime', 'atClusterTime'].map((field) => {
    const value = concern?.[field];
    return value instanceof Timestamp ? fromTimestamp(value) : undefined;
  });
  refuseFuture({ server }, after ?? at);
  if (at !== undefined) {
    if (at < server.history.oldest) throw new ServerError('SnapshotTooOld', 'Read timestamp is older than the oldest available timestamp.');
    return at;
  }
  return server.faults.oldSnapshots ? Math.max(server.history.majority, after ?? 0) : server.history.applied;
}

function goOn({ name, session, txnNumber }: Omit<Numbered, 'body'> & { readonly name: string }): Transaction {
  session.refuseOlder(txnNumber);
  const { transaction } = session;
  if (transaction === undefined || txnNumber !== session.txnNumber) {
    throw new ServerError(
      'NoSuchTransaction',
      `Given transaction number ${txnNumber} does not match any in-progress transactions. The active transaction number is ${session.txnNumber}`,
    );
  }
  if (transaction.state === 'aborted') throw new ServerError('NoSuchTransaction', `Transaction ${txnNumber} has been aborted.`);
  if (transaction.state === 'committed' && name !== 'commitTransaction') {
    throw new ServerError('TransactionCommitted', `Transaction ${txnNumber} has been committed.`);
  }
  return transaction;
}

/** The transaction a command is part of that was refused before it was looked at; any error ends it. */
export function presentTransaction(server: Server, body: Doc): Transaction | undefined {
  const { lsid, txnNumber, autocommit, startTransaction } = body;
  if (autocommit !== false || startTransaction === true || !isDoc(lsid) || !isNumber(txnNumber)) return undefined;
  const session = server.sessions.find(lsid);
  return session?.txnNumber === optionalLong(body, 'txnNumber') ? session?.transaction : undefined;
}
