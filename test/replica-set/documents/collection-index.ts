/** One index of a collection: which documents it holds, its entries in order, and whether it is unique. */

import type { Predicate } from '../matching/predicate.js';
import { ServerError } from '../server-error.js';
import type { Doc, Draft, Value } from '../values/value.js';
import { compareKeys, type KeySet, keysOf } from './index-keys.js';
import { type Direction, type Key, SortedEntries } from './sorted-entries.js';
import { HeldByTransaction, type Stored, type View, visible, writeConflict } from './stored.js';

export interface IndexField {
  readonly path: string;
  readonly direction: Direction;
}

/** An index as `createIndexes` described it. */
export interface IndexSpec {
  readonly name: string;
  readonly fields: readonly IndexField[];
  readonly isUnique: boolean;
  readonly isSparse: boolean;
  readonly isHidden: boolean;
  readonly partial: { readonly filter: Doc; readonly predicate: Predicate } | undefined;
  readonly expireAfterSeconds: number | undefined;
}

const NO_KEYS: KeySet = { keys: [], arrays: [], isEmpty: true };

export class CollectionIndex {
  /** Changed only by `collMod`. */
  spec: IndexSpec;
  readonly entries: SortedEntries;
  /** Paths under which an array was ever indexed. */
  readonly multikeyPaths = new Set<string>();
  readonly #paths: readonly string[];

  constructor(spec: IndexSpec) {
    this.spec = spec;
    this.#paths = spec.fields.map(({ path }) => path);
    this.entries = new SortedEntries(spec.fields.map(({ direction }) => direction));
  }

  get isMultikey(): boolean {
    return this.multikeyPaths.size > 0;
  }

  /** The key pattern, such as `{status: 1, lane: 1}`. */
  get pattern(): Doc {
    return Object.fromEntries(this.spec.fields.map(({ path, direction }) => [path, direction]));
  }

  keysOf(doc: Doc | undefined): readonly Key[] {
    return this.#keySet(doc).keys;
  }

  #keySet(doc: Doc | undefined): KeySet {
    if (doc === undefined || this.spec.partial?.predicate.matches(doc) === false) return NO_KEYS;
    const set = keysOf(doc, this.#paths);
    return this.spec.isSparse && set.isEmpty ? NO_KEYS : set;
  }

  /** Enters a document's keys that it did not have before. */
  enter(stored: Stored, doc: Doc): void {
    const { keys, arrays } = this.#keySet(doc);
    for (const path of arrays) this.multikeyPaths.add(path);
    for (const key of keys) this.entries.add({ key, id: stored.id });
  }

  /** Removes the keys of a version that no other version of the document has. */
  leave(stored: Stored, doc: Doc): void {
    const gone = this.keysOf(doc);
    if (gone.length === 0) return;
    const kept = stored.versions.flatMap((version) => this.keysOf(version.doc));
    for (const key of gone) {
      if (!kept.some((other) => compareKeys(other, key) === 0)) this.entries.delete({ key, id: stored.id });
    }
  }

  /** Whether a version of a document stands under a key. */
  holds(doc: Doc, key: Key): boolean {
    return this.keysOf(doc).some((other) => compareKeys(other, key) === 0);
  }

  /** Refuses a document whose key another one has; `find` leads from an entry to its document. */
  refuseDuplicate(doc: Doc, self: Stored | undefined, { view, find, namespace }: UniqueCheck): void {
    if (!this.spec.isUnique) return;
    for (const key of this.keysOf(doc)) {
      for (const other of this.#under(key, find)) {
        if (other !== self) this.#refuseTaken(key, other, { view, find, namespace });
      }
    }
  }

  *#under(key: Key, find: (id: number) => Stored | undefined): Generator<Stored> {
    let position = this.entries.seek(1, (entry) => this.entries.compareKeys(entry.key, key) < 0);
    while (position !== undefined && this.entries.compareKeys(position.entry.key, key) === 0) {
      const stored = find(position.entry.id);
      if (stored !== undefined) yield stored;
      position = this.entries.next(position, 1);
    }
  }

  #refuseTaken(key: Key, other: Stored, { view, namespace }: UniqueCheck): void {
    const [newest] = other.versions;
    if (newest === undefined) return;
    if (newest.owner !== undefined && newest.owner !== view.owner) throw new HeldByTransaction(newest.owner);
    const isLater = view.owner !== undefined && newest.owner === undefined && newest.at > view.at;
    const has = newest.doc !== undefined && this.holds(newest.doc, key);
    if (isLater && (has || this.#hadBefore(other, view, key))) throw writeConflict();
    if (has) throw this.#duplicate(key, namespace);
  }

  #hadBefore(other: Stored, view: View, key: Key): boolean {
    const before = visible(other, view);
    return before !== undefined && this.holds(before, key);
  }

  #duplicate(key: Key, namespace: string): ServerError {
    const keyValue: Draft = {};
    this.spec.fields.forEach(({ path }, i) => {
      keyValue[path] = key[i] ?? null;
    });
    const text = this.spec.fields.map(({ path }, i) => `${path}: ${inMessage(key[i] ?? null)}`).join(', ');
    const message = `E11000 duplicate key error collection: ${namespace} index: ${this.spec.name} dup key: { ${text} }`;
    return new ServerError('DuplicateKey', message, { keyPattern: this.pattern, keyValue });
  }
}

export interface UniqueCheck {
  readonly view: View;
  readonly find: (id: number) => Stored | undefined;
  readonly namespace: string;
}

function inMessage(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value);
  const type = (value as { _bsontype?: string } | null)?._bsontype;
  return type === 'ObjectId' ? `ObjectId('${String(value)}')` : type === undefined ? JSON.stringify(value) : String(value);
}
