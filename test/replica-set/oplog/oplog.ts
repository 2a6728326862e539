/** The changes of the set in order, as many as it remembers. */

import type { UUID } from 'mongodb';
import type { Doc, Value } from '../values/value.js';
import type { OpTime } from './op-time.js';

/** The changes of an update, as change streams show them. */
export interface UpdateDescription {
  readonly updatedFields: Doc;
  readonly removedFields: readonly string[];
  readonly truncatedArrays: readonly Doc[];
}

export type ChangeKind = 'insert' | 'update' | 'replace' | 'delete' | 'create' | 'drop' | 'rename' | 'dropDatabase';

export interface Change {
  readonly at: OpTime;
  /** Its place within a transaction; 0 outside. */
  readonly place: number;
  readonly kind: ChangeKind;
  readonly database: string;
  readonly collection: string;
  readonly uuid: UUID | undefined;
  readonly id: Value | undefined;
  /** The whole document after an insert or replace. */
  readonly doc: Doc | undefined;
  readonly update: UpdateDescription | undefined;
  /** The new namespace of a rename. */
  readonly to: { readonly db: string; readonly coll: string } | undefined;
  readonly wallTime: Date;
  /** The session and number of a transaction. */
  readonly transaction: { readonly lsid: Doc; readonly txnNumber: Value } | undefined;
}

export class Oplog {
  readonly #limit: number;
  #changes: Change[] = [];
  #first = 0;
  /** The time of the last change that was forgotten. */
  #cutAt: OpTime = 0;

  /** @param limit how many changes are remembered */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#changes.length - this.#first;
  }

  append(change: Change): void {
    this.#changes.push(change);
    if (this.size > this.#limit) this.#forget(1);
  }

  /** Forgets every change up to now. */
  cut(now: OpTime): void {
    this.#forget(this.size);
    this.#cutAt = now;
  }

  #forget(count: number): void {
    const last = this.#changes[this.#first + count - 1];
    if (last !== undefined) this.#cutAt = Math.max(this.#cutAt, last.at);
    this.#first += count;
    if (this.#first < 1024 || this.#first * 2 < this.#changes.length) return;
    this.#changes = this.#changes.slice(this.#first);
    this.#first = 0;
  }

  /** Takes back what came after a time. */
  truncateAfter(time: OpTime): void {
    while (this.size > 0 && (this.#changes.at(-1)?.at ?? 0) > time) this.#changes.pop();
  }

  /** Whether this time is still within the oplog, so that one can begin there. */
  reachesBackTo(time: OpTime): boolean {
    return time > this.#cutAt;
  }

  /** Whether every change after this time is remembered. */
  remembersAfter(time: OpTime): boolean {
    return time >= this.#cutAt;
  }

  /** The first change after a place in time. */
  after(at: OpTime, place: number): Change | undefined {
    let low = this.#first;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const change = this.#changes[middle];
      if (change !== undefined && (change.at < at || (change.at === at && change.place <= place))) low = middle + 1;
      else high = middle;
    }
    return this.#changes[low];
  }
}
