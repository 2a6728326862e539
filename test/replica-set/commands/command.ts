/** A command, and its input when it runs. */

import type { Server } from '../server.js';
import type { Session } from '../sessions/session.js';
import type { Operation } from '../transactions/operations.js';
import type { Transaction } from '../transactions/transaction.js';
import type { Doc } from '../values/value.js';

export interface Call {
  readonly name: string;
  readonly body: Doc;
  readonly database: string;
  readonly server: Server;
  /** The member of the set that was asked. */
  readonly member: number;
  readonly session: Session | undefined;
  readonly transaction: Transaction | undefined;
  readonly operation: Operation;
  readonly isRetryable: boolean;
  readonly client: { readonly id: number; appName: string | undefined; readonly isClosed: boolean };
}

export interface Command {
  /** Fields it takes beside those that every command takes. */
  readonly options: readonly string[];
  /** 'write' needs the primary and takes a write concern, 'read' takes a read concern, 'any' is answered by every member. */
  readonly kind: 'read' | 'write' | 'any';
  /** Whether it may be part of a transaction; `false` unless said. */
  readonly inTransaction?: boolean;
  /** Whether its first argument is a collection's name. */
  readonly onCollection?: boolean;
  /** Whether it is only answered in the database `admin`. */
  readonly onlyAdmin?: boolean;
  run(call: Call): Promise<Doc> | Doc;
}

/** Fields that every command takes. */
export const GENERIC_FIELDS: ReadonlySet<string> = new Set([
  '$db',
  '$clusterTime',
  '$readPreference',
  'apiDeprecationErrors',
  'apiStrict',
  'apiVersion',
  'autocommit',
  'comment',
  'lsid',
  'maxTimeMS',
  'readConcern',
  'startTransaction',
  'txnNumber',
  'writeConcern',
]);
