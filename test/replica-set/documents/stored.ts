/** A document as it is stored: its latest versions, newest first, each with the time it was committed at. */

import type { OpTime } from '../oplog/op-time.js';
import { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';

/** An open transaction, as far as documents know it. */
export interface Owner {
  /** Whether the transaction has committed or aborted. */
  readonly isOver: boolean;
}

export interface Version {
  /** Undefined after a delete. */
  readonly doc: Doc | undefined;
  /** Meaningless while a transaction owns it. */
  at: OpTime;
  /** The transaction that wrote it and has not ended. */
  owner: Owner | undefined;
}

/** The documents visible to a reader: everything committed up to a time, and its own transaction's writes. */
export interface View {
  readonly at: OpTime;
  readonly owner: Owner | undefined;
}

export interface Stored {
  /** Its place in natural order. */
  readonly id: number;
  versions: Version[];
}

export function visible(stored: Stored, view: View): Doc | undefined {
  for (const version of stored.versions) {
    if (version.owner === undefined ? version.at <= view.at : version.owner === view.owner) return version.doc;
  }
  return undefined;
}

/** Another transaction has written the document; who is not in a transaction waits for it and tries again. */
export class HeldByTransaction extends ServerError {
  readonly owner: Owner;

  constructor(owner: Owner) {
    super(
      'WriteConflict',
      'Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.',
    );
    this.owner = owner;
  }
}

/** Refuses a write that conflicts with an open transaction, or with a change after the writer's snapshot. */
export function refuseConflict(stored: Stored, view: View): void {
  const [newest] = stored.versions;
  if (newest === undefined) return;
  if (newest.owner !== undefined && newest.owner !== view.owner) throw new HeldByTransaction(newest.owner);
  if (view.owner !== undefined && newest.owner === undefined && newest.at > view.at) throw writeConflict();
}

export function writeConflict(): ServerError {
  return new ServerError(
    'WriteConflict',
    'Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.',
  );
}
