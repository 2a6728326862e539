/** The entries of an index in order, in leaves of a few hundred, so that any change moves little. */

import { compare } from '../values/compare.js';
import type { Maybe } from '../values/value.js';

export type Key = readonly Maybe[];

export interface Entry {
  readonly key: Key;
  /** The stored document it leads to. */
  readonly id: number;
}

export type Direction = 1 | -1;

const LEAF = 256;

export class SortedEntries {
  readonly #directions: readonly Direction[];
  #leaves: Entry[][] = [];
  #size = 0;
  /** Grows with each change, so that a cursor knows that its position has moved. */
  changes = 0;

  /** @param directions of the key's fields */
  constructor(directions: readonly Direction[]) {
    this.#directions = directions;
  }

  get size(): number {
    return this.#size;
  }

  add(entry: Entry): void {
    const [leafAt, at] = this.#find((other) => this.#compare(other, entry) < 0);
    const leaf = this.#leaves[leafAt];
    const there = leaf?.[at];
    if (there !== undefined && this.#compare(there, entry) === 0) return;
    this.#insert(entry, leafAt, at);
    this.#size++;
    this.changes++;
  }

  #insert(entry: Entry, leafAt: number, at: number): void {
    const last = this.#leaves.length - 1;
    const leaf = this.#leaves[leafAt] ?? this.#leaves[last];
    if (leaf === undefined) {
      this.#leaves.push([entry]);
      return;
    }
    leaf.splice(leafAt > last ? leaf.length : at, 0, entry);
    if (leaf.length <= LEAF) return;
    const place = Math.min(leafAt, last);
    const cut = leafAt >= last && at >= leaf.length - 1 ? LEAF : LEAF / 2;
    this.#leaves.splice(place + 1, 0, leaf.splice(cut));
  }

  delete(entry: Entry): void {
    const [leafAt, at] = this.#find((other) => this.#compare(other, entry) < 0);
    const leaf = this.#leaves[leafAt];
    const there = leaf?.[at];
    if (leaf === undefined || there === undefined || this.#compare(there, entry) !== 0) return;
    leaf.splice(at, 1);
    if (leaf.length === 0) this.#leaves.splice(leafAt, 1);
    this.#size--;
    this.changes++;
  }

  /** The first entry, in this direction, that does not come before the wanted place. */
  seek(direction: Direction, isBefore: (entry: Entry) => boolean): Position | undefined {
    if (direction === 1) return this.#position(...this.#find(isBefore));
    const [leafAt, at] = this.#find((entry) => !isBefore(entry));
    return this.#stepBack(leafAt, at);
  }

  /** The entry after a position, in this direction. */
  next(position: Position, direction: Direction): Position | undefined {
    if (position.changes !== this.changes) {
      const passed = position.entry;
      return this.seek(direction, (entry) => this.#compare(entry, passed) * direction <= 0);
    }
    return direction === 1 ? this.#position(position.leafAt, position.at + 1) : this.#stepBack(position.leafAt, position.at);
  }

  #stepBack(leafAt: number, at: number): Position | undefined {
    if (at > 0) return this.#position(leafAt, at - 1);
    const before = this.#leaves[leafAt - 1];
    return before === undefined ? undefined : this.#position(leafAt - 1, before.length - 1);
  }

  #position(leafAt: number, at: number): Position | undefined {
    const leaf = this.#leaves[leafAt];
    if (leaf === undefined) return undefined;
    const entry = leaf[at];
    if (entry === undefined) return this.#position(leafAt + 1, 0);
    return { leafAt, at, entry, changes: this.changes };
  }

  /** Where the first entry stands for which `isBefore` is false. */
  #find(isBefore: (entry: Entry) => boolean): [leafAt: number, at: number] {
    const leafAt = partition(this.#leaves, (leaf) => {
      const last = leaf.at(-1);
      return last !== undefined && isBefore(last);
    });
    return [leafAt, partition(this.#leaves[leafAt] ?? [], isBefore)];
  }

  #compare(a: Entry, b: Entry): number {
    return this.compareKeys(a.key, b.key) || a.id - b.id;
  }

  /** Compares as many fields as `b` has. */
  compareKeys(a: Key, b: Key): number {
    for (let i = 0; i < b.length; i++) {
      const order = compare(a[i], b[i]);
      if (order !== 0) return this.#directions[i] === -1 ? -order : order;
    }
    return 0;
  }
}

export interface Position {
  readonly leafAt: number;
  readonly at: number;
  readonly entry: Entry;
  readonly changes: number;
}

/** The number of leading items for which `test` holds; it must hold for none after them. */
export function partition<T>(items: readonly T[], test: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
