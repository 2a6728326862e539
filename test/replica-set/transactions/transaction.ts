/** A transaction: its snapshot, what it has written, and how that becomes visible or is taken back. */

import type { Catalog } from '../documents/catalog.js';
import type { Collection } from '../documents/collection.js';
import type { History } from '../documents/history.js';
import type { Owner, Stored, View } from '../documents/stored.js';
import type { OpTime } from '../oplog/op-time.js';
import type { Change, Oplog } from '../oplog/oplog.js';
import type { Timer } from '../server-clock.js';
import type { Value } from '../values/value.js';

/** A change that a transaction writes into the oplog at its commit. */
export type PendingChange = Omit<Change, 'at' | 'place' | 'transaction' | 'wallTime'>;

/** The entry of the oplog that a change becomes. */
export function committed(change: PendingChange, when: Pick<Change, 'at' | 'place' | 'wallTime' | 'transaction'>): Change {
  const { kind, database, collection, uuid, id, doc, update, to } = change;
  const { at, place, wallTime, transaction } = when;
  return { at, place, kind, database, collection, uuid, id, doc, update, to, wallTime, transaction };
}

export type TransactionState = 'open' | 'committed' | 'aborted';

export interface TransactionGround {
  readonly history: History;
  readonly oplog: Oplog;
  readonly catalog: Catalog;
  readonly changeEvents: { readonly tellsWhole: boolean };
  now(): Date;
}

export class Transaction implements Owner {
  readonly txnNumber: Value;
  readonly lsid: Change['transaction'];
  readonly #ground: TransactionGround;
  readonly #snapshot: OpTime;
  readonly #touched = new Map<Stored, Collection>();
  readonly #created: Collection[] = [];
  readonly #changes: PendingChange[] = [];
  state: TransactionState = 'open';
  /** Ends it when it has been open for too long. */
  expiry: Timer | undefined;
  /** Collections it has read or written, which may not be dropped meanwhile. */
  readonly locked = new Set<Collection>();

  constructor(ground: TransactionGround, snapshot: OpTime, identity: NonNullable<Change['transaction']>) {
    this.#ground = ground;
    this.#snapshot = snapshot;
    this.lsid = identity;
    this.txnNumber = identity.txnNumber;
    ground.history.pin(this, snapshot);
  }

  get isOver(): boolean {
    return this.state !== 'open';
  }

  get hasWritten(): boolean {
    return this.#changes.length > 0;
  }

  get view(): View {
    return { at: this.#snapshot, owner: this };
  }

  touch(collection: Collection, stored: Stored): void {
    this.#touched.set(stored, collection);
  }

  hasCreated(collection: Collection): void {
    this.#created.push(collection);
  }

  record(change: PendingChange): void {
    this.#changes.push(change);
  }

  /** Makes everything visible at one time. */
  commit(): void {
    const { history, oplog } = this.#ground;
    this.state = 'committed';
    const at = this.hasWritten ? history.tick() : history.applied;
    this.expiry?.cancel();
    history.unpin(this);
    history.whenRolledBack(() => {
      this.state = 'aborted';
    });
    for (const [stored, collection] of this.#touched) this.#publish(stored, collection, at);
    const wallTime = this.#ground.now();
    for (const [place, change] of this.#changes.entries()) oplog.append(committed(change, { at, place, wallTime, transaction: this.lsid }));
  }

  #publish(stored: Stored, collection: Collection, at: OpTime): void {
    const [version] = stored.versions;
    if (version?.owner !== this) return;
    version.at = at;
    version.owner = undefined;
    this.#ground.history.supersede(collection, stored, at);
    this.#ground.history.whenRolledBack(() => collection.forget(stored, version));
  }

  abortIfOpen(): void {
    if (this.state === 'open') this.abort();
  }

  /** Takes everything back. */
  abort(): void {
    this.state = 'aborted';
    this.expiry?.cancel();
    for (const [stored, collection] of this.#touched) {
      const [version] = stored.versions;
      if (version?.owner === this) collection.forget(stored, version);
    }
    for (const collection of this.#created) {
      if (collection.documents.size === 0) this.#ground.catalog.drop(collection);
    }
    this.#ground.history.unpin(this);
  }
}
