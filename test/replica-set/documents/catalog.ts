/** The databases and their collections. */

import { UUID } from 'mongodb';
import { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';
import { Collection } from './collection.js';
import { CollectionIndex, type IndexSpec } from './collection-index.js';

const ID_INDEX: IndexSpec = {
  name: '_id_',
  fields: [{ path: '_id', direction: 1 }],
  isUnique: true,
  isSparse: false,
  isHidden: false,
  partial: undefined,
  expireAfterSeconds: undefined,
};

export class Catalog {
  readonly #databases = new Map<string, Map<string, Collection>>();

  find(database: string, name: string): Collection | undefined {
    return this.#databases.get(database)?.get(name);
  }

  databases(): string[] {
    return [...this.#databases.keys()].sort();
  }

  collections(database: string): Collection[] {
    return [...(this.#databases.get(database)?.values() ?? [])];
  }

  all(): Collection[] {
    return this.databases().flatMap((database) => this.collections(database));
  }

  create(database: string, name: string, options: Doc = {}): Collection {
    checkNamespace(database, name);
    const collection = new Collection({ database, name }, new UUID(), options);
    collection.indexes.set(ID_INDEX.name, new CollectionIndex(ID_INDEX));
    this.put(collection);
    return collection;
  }

  put(collection: Collection): void {
    const existing = this.#databases.get(collection.database);
    if (existing === undefined) this.#databases.set(collection.database, new Map([[collection.name, collection]]));
    else existing.set(collection.name, collection);
  }

  drop(collection: Collection): void {
    const all = this.#databases.get(collection.database);
    if (all?.get(collection.name) !== collection) return;
    all.delete(collection.name);
    if (all.size === 0) this.#databases.delete(collection.database);
  }
}

/** Refuses names the server refuses. */
export function checkNamespace(database: string, name: string): void {
  if (database === '' || /[\s"$./\\]/.test(database)) throw new ServerError('InvalidNamespace', `Invalid database name: '${database}'`);
  const bad = name === '' || name.includes('\0') || name.includes('$') || name.startsWith('.') || name.endsWith('.');
  if (bad) throw new ServerError('InvalidNamespace', `Invalid namespace specified '${database}.${name}'`);
  if (name.startsWith('system.') && !name.startsWith('system.js')) {
    throw new ServerError('InvalidNamespace', `Invalid system namespace: ${database}.${name}`);
  }
}
