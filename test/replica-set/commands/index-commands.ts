/** Commands on indexes: `createIndexes`, `listIndexes`, `dropIndexes`, `collMod`. */

import type { Collection } from '../documents/collection.js';
import { CollectionIndex } from '../documents/collection-index.js';
import { END_OF_TIME } from '../oplog/op-time.js';
import { samePattern } from '../planning/choose-plan.js';
import { ServerError } from '../server-error.js';
import { wholeNumber } from '../values/numbers.js';
import { type Doc, isArray, isDoc, type Value } from '../values/value.js';
import { beginCursor, sourceFrom } from './batches.js';
import { batchSize, whenUnlocked } from './catalog-commands.js';
import type { Call, Command } from './command.js';
import { collectionName, optionalNumber, refuseUnknown, requiredDoc, requiredDocs } from './fields.js';
import { alreadyExists, describeIndex, parseIndexSpec } from './index-spec.js';

export const createIndexes: Command = {
  kind: 'write',
  options: ['indexes', 'commitQuorum', 'ignoreUnknownIndexOptions'],
  onCollection: true,
  run: async (call) => {
    const { server, database, body } = call;
    const specs = requiredDocs(body, 'indexes').map(parseIndexSpec);
    if (specs.length === 0) throw new ServerError('BadValue', 'Must specify at least one index to create');
    const existing = server.catalog.find(database, collectionName(call));
    const collection = existing ?? server.catalog.create(database, collectionName(call));
    await whenUnlocked(call, collection);
    const before = collection.indexes.size;
    for (const spec of specs) {
      if (!alreadyExists(collection, spec)) build(collection, new CollectionIndex(spec));
    }
    server.history.tick();
    const after = collection.indexes.size;
    return {
      numIndexesBefore: wholeNumber(before),
      numIndexesAfter: wholeNumber(after),
      createdCollectionAutomatically: existing === undefined,
      ...(after === before ? { note: 'all indexes already exist' } : { commitQuorum: 'votingMembers' }),
    };
  },
};

/** Enters every document, or leaves the collection as it was. */
function build(collection: Collection, index: CollectionIndex): void {
  const check = {
    view: { at: END_OF_TIME, owner: undefined },
    find: (id: number) => collection.documents.get(id),
    namespace: collection.namespace,
  };
  for (const stored of collection.documents.values()) {
    const [newest] = stored.versions;
    if (newest?.doc !== undefined) index.refuseDuplicate(newest.doc, stored, check);
    for (const { doc } of stored.versions) if (doc !== undefined) index.enter(stored, doc);
  }
  collection.indexes.set(index.spec.name, index);
}

export const listIndexes: Command = {
  kind: 'read',
  options: ['cursor'],
  onCollection: true,
  run: (call) => {
    const collection = existingCollection(call);
    const all = [...collection.indexes.values()].map(describeIndex);
    return beginCursor(call, sourceFrom(all.values()), { namespace: collection.namespace, size: batchSize(call.body) });
  },
};

function existingCollection(call: Call): Collection {
  const name = collectionName(call);
  const collection = call.server.catalog.find(call.database, name);
  if (collection === undefined) throw new ServerError('NamespaceNotFound', `ns does not exist: ${call.database}.${name}`);
  return collection;
}

export const dropIndexes: Command = {
  kind: 'write',
  options: ['index'],
  onCollection: true,
  run: async (call) => {
    const collection = existingCollection(call);
    await whenUnlocked(call, collection);
    const nIndexesWas = wholeNumber(collection.indexes.size);
    for (const index of named(collection, call.body['index'] ?? null)) {
      if (index.spec.name === '_id_') throw new ServerError('InvalidOptions', 'cannot drop _id index');
      collection.indexes.delete(index.spec.name);
    }
    call.server.history.tick();
    return { nIndexesWas };
  },
};

function named(collection: Collection, which: Value): CollectionIndex[] {
  const all = [...collection.indexes.values()];
  if (which === '*') return all.filter(({ spec }) => spec.name !== '_id_');
  return (isArray(which) ? which : [which]).map((name) => {
    const found = all.find((index) => (isDoc(name) ? samePattern(index.pattern, name) : index.spec.name === name));
    if (found === undefined)
      throw new ServerError('IndexNotFound', isDoc(name) ? "can't find index with key" : `index not found with name [${String(name)}]`);
    return found;
  });
}

export const collMod: Command = {
  kind: 'write',
  options: ['index'],
  onCollection: true,
  run: (call): Doc => {
    const collection = existingCollection(call);
    const change = requiredDoc(call.body, 'index');
    refuseUnknown(change, 'collMod.index', ['keyPattern', 'name', 'expireAfterSeconds', 'hidden']);
    const [index] = named(collection, change['keyPattern'] ?? change['name'] ?? null);
    if (index === undefined) return {};
    const { spec } = index;
    const expireAfterSeconds = optionalNumber(change, 'expireAfterSeconds') ?? spec.expireAfterSeconds;
    const isHidden = change['hidden'] === undefined ? spec.isHidden : change['hidden'] === true;
    index.spec = { ...spec, expireAfterSeconds, isHidden };
    return {};
  },
};
