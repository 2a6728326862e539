/** One collection: its documents with their versions, and the indexes that are kept with them. */

import type { UUID } from 'mongodb';
import type { OpTime } from '../oplog/op-time.js';
import type { Doc } from '../values/value.js';
import type { CollectionIndex } from './collection-index.js';
import { refuseConflict, type Stored, type Version, type View } from './stored.js';

/** A writer of versions: a single write committed at once, or a transaction. */
export interface Writer {
  readonly view: View;
  /** When the version is committed; not used by a transaction, which knows only at its end. */
  readonly at: OpTime;
  /** Called after each version that was put; `before` is the version it supersedes. */
  hasPut(collection: Collection, stored: Stored, before: Version | undefined): void;
}

export class Collection {
  readonly database: string;
  /** Changes when it is renamed. */
  name: string;
  readonly uuid: UUID;
  readonly options: Doc;
  readonly documents = new Map<number, Stored>();
  readonly indexes = new Map<string, CollectionIndex>();
  #nextId = 1;

  constructor(namespace: { readonly database: string; readonly name: string }, uuid: UUID, options: Doc = {}) {
    this.database = namespace.database;
    this.name = namespace.name;
    this.uuid = uuid;
    this.options = options;
  }

  get namespace(): string {
    return `${this.database}.${this.name}`;
  }

  insert(doc: Doc, writer: Writer): Stored {
    this.#refuseDuplicates(doc, undefined, writer.view);
    const stored: Stored = { id: this.#nextId++, versions: [] };
    this.documents.set(stored.id, stored);
    this.#put(stored, doc, writer);
    return stored;
  }

  replace(stored: Stored, doc: Doc, writer: Writer): void {
    refuseConflict(stored, writer.view);
    this.#refuseDuplicates(doc, stored, writer.view);
    this.#put(stored, doc, writer);
  }

  remove(stored: Stored, writer: Writer): void {
    refuseConflict(stored, writer.view);
    this.#put(stored, undefined, writer);
  }

  #refuseDuplicates(doc: Doc, self: Stored | undefined, view: View): void {
    const check = { view, find: (id: number) => this.documents.get(id), namespace: this.namespace };
    for (const index of this.indexes.values()) index.refuseDuplicate(doc, self, check);
  }

  #put(stored: Stored, doc: Doc | undefined, writer: Writer): void {
    const [before] = stored.versions;
    const { owner } = writer.view;
    const version: Version = { doc, at: writer.at, owner };
    if (before?.owner !== undefined) {
      stored.versions[0] = version;
      this.#enterChanged(stored, before.doc, doc);
      this.#leave(stored, before.doc);
    } else {
      stored.versions.unshift(version);
      this.#enterChanged(stored, before?.doc, doc);
    }
    writer.hasPut(this, stored, before);
  }

  #enterChanged(stored: Stored, before: Doc | undefined, doc: Doc | undefined): void {
    if (doc === undefined || doc === before) return;
    for (const index of this.indexes.values()) index.enter(stored, doc);
  }

  /** Forgets a version, wherever it stands; a document without versions is gone. */
  forget(stored: Stored, version: Version): void {
    stored.versions = stored.versions.filter((other) => other !== version);
    this.#leave(stored, version.doc);
    this.#dropIfGone(stored);
  }

  /** Forgets what nobody can see who looks at `oldest` or later. */
  forgetBefore(stored: Stored, oldest: OpTime): void {
    const kept = stored.versions.findIndex((version) => version.owner === undefined && version.at <= oldest);
    if (kept < 0) return;
    const gone = stored.versions.splice(kept + 1);
    for (const version of gone) this.#leave(stored, version.doc);
    this.#dropIfGone(stored);
  }

  #leave(stored: Stored, doc: Doc | undefined): void {
    if (doc === undefined) return;
    for (const index of this.indexes.values()) index.leave(stored, doc);
  }

  /** A delete that everybody sees leaves nothing behind. */
  #dropIfGone(stored: Stored): void {
    const [only, second] = stored.versions;
    if (second !== undefined || (only !== undefined && (only.owner !== undefined || only.doc !== undefined))) return;
    if (this.documents.get(stored.id) === stored) this.documents.delete(stored.id);
  }
}
