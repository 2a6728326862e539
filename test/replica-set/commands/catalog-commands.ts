/** Commands on collections and databases: `create`, `drop`, `dropDatabase`, `renameCollection`, `listCollections`, `listDatabases`. */

import { checkNamespace } from '../documents/catalog.js';
import type { Collection } from '../documents/collection.js';
import { environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import type { ChangeKind } from '../oplog/oplog.js';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import { wholeNumber } from '../values/numbers.js';
import { sizeOf } from '../values/size.js';
import type { Doc } from '../values/value.js';
import { beginCursor, FIRST_BATCH, sourceFrom } from './batches.js';
import type { Call, Command } from './command.js';
import { collectionName, optionalBoolean, optionalDoc, refuseUnsupported, requiredString } from './fields.js';

const UNSUPPORTED = [
  'capped',
  'size',
  'max',
  'validator',
  'validationLevel',
  'validationAction',
  'viewOn',
  'pipeline',
  'collation',
  'storageEngine',
  'indexOptionDefaults',
  'timeseries',
  'expireAfterSeconds',
  'clusteredIndex',
  'idIndex',
  'autoIndexId',
  'encryptedFields',
];

export const create: Command = {
  kind: 'write',
  options: ['changeStreamPreAndPostImages', ...UNSUPPORTED],
  inTransaction: true,
  onCollection: true,
  run: (call) => {
    const { server, database, body } = call;
    const name = collectionName(call);
    if (server.catalog.find(database, name) !== undefined)
      throw new ServerError('NamespaceExists', `Collection ${database}.${name} already exists.`);
    refuseUnsupported(body, 'create', UNSUPPORTED);
    const images = optionalDoc(body, 'changeStreamPreAndPostImages');
    if (images?.['enabled'] === true) throw new ServerError('NotImplemented', 'the stand-in does not keep pre-images');
    const created = server.catalog.create(database, name);
    call.transaction?.hasCreated(created);
    server.history.whenRolledBack(() => server.catalog.drop(created));
    record(server, created, 'create');
    return {};
  },
};

function record(server: Server, collection: Collection, kind: ChangeKind, to?: { readonly db: string; readonly coll: string }): void {
  server.oplog.append({
    at: server.history.tick(),
    place: 0,
    kind,
    database: collection.database,
    collection: kind === 'dropDatabase' ? '' : collection.name,
    uuid: collection.uuid,
    id: undefined,
    doc: undefined,
    update: undefined,
    to,
    wallTime: server.now(),
    transaction: undefined,
  });
}

/** Changes of the catalog wait for transactions that use the collection. */
export async function whenUnlocked({ server, operation }: Call, collection: Collection): Promise<void> {
  const isFree = (): boolean =>
    server.sessions.all().every(({ transaction }) => transaction?.state !== 'open' || !transaction.locked.has(collection));
  const timeoutMs = operation.deadline === undefined ? undefined : operation.deadline - server.clock.monotonic();
  if (!(await server.waiting.until(isFree, { timeoutMs, interruption: () => operation.interruption }))) {
    throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
  }
}

function dropNow(server: Server, collection: Collection): void {
  server.catalog.drop(collection);
  server.history.whenRolledBack(() => server.catalog.put(collection));
  server.cursors.closeWhere(({ namespace, source }) => namespace === collection.namespace && !source.isAwaiting);
  record(server, collection, 'drop');
}

export const drop: Command = {
  kind: 'write',
  options: [],
  onCollection: true,
  run: async (call) => {
    const { server, database } = call;
    const collection = server.catalog.find(database, collectionName(call));
    if (collection === undefined) return {};
    await whenUnlocked(call, collection);
    dropNow(server, collection);
    return { nIndexesWas: wholeNumber(collection.indexes.size), ns: collection.namespace };
  },
};

export const dropDatabase: Command = {
  kind: 'write',
  options: [],
  run: async (call) => {
    const { server, database } = call;
    const [first] = server.catalog.collections(database);
    for (const collection of server.catalog.collections(database)) {
      await whenUnlocked(call, collection);
      dropNow(server, collection);
    }
    if (first !== undefined) record(server, first, 'dropDatabase');
    return first === undefined ? {} : { dropped: database };
  },
};

export const renameCollection: Command = {
  kind: 'write',
  options: ['to', 'dropTarget'],
  onlyAdmin: true,
  run: async (call) => {
    const { server, body } = call;
    const [fromDatabase, fromName] = splitNamespace(requiredString(body, 'renameCollection'));
    const [toDatabase, toName] = splitNamespace(requiredString(body, 'to'));
    checkNamespace(toDatabase, toName);
    if (fromDatabase !== toDatabase) throw new ServerError('NotImplemented', 'the stand-in renames collections only within a database');
    const collection = server.catalog.find(fromDatabase, fromName);
    if (collection === undefined)
      throw new ServerError('NamespaceNotFound', `Source collection ${fromDatabase}.${fromName} does not exist`);
    const target = server.catalog.find(toDatabase, toName);
    if (target !== undefined && !optionalBoolean(body, 'dropTarget')) throw new ServerError('NamespaceExists', 'target namespace exists');
    await whenUnlocked(call, collection);
    if (target !== undefined) dropNow(server, target);
    server.catalog.drop(collection);
    record(server, collection, 'rename', { db: toDatabase, coll: toName });
    collection.name = toName;
    server.catalog.put(collection);
    return {};
  },
};

function splitNamespace(namespace: string): [database: string, name: string] {
  const dot = namespace.indexOf('.');
  return [namespace.slice(0, dot), namespace.slice(dot + 1)];
}

export const listCollections: Command = {
  kind: 'read',
  options: ['filter', 'cursor', 'nameOnly', 'authorizedCollections'],
  run: (call) => {
    const { server, database, body } = call;
    const nameOnly = optionalBoolean(body, 'nameOnly') ?? false;
    const predicate = parseFilter(optionalDoc(body, 'filter') ?? {}, { env: environment(), allowsExpr: true });
    const all = server.catalog.collections(database).map((collection) => describe(collection));
    const found = all.filter((doc) => predicate.matches(doc)).map((doc) => (nameOnly ? { name: doc['name'], type: doc['type'] } : doc));
    return beginCursor(call, sourceFrom(found.values()), { namespace: `${database}.$cmd.listCollections`, size: batchSize(body) });
  },
};

export function batchSize(body: Doc): number {
  const size = optionalDoc(body, 'cursor')?.['batchSize'];
  return size === undefined ? FIRST_BATCH : Number(size);
}

function describe({ name, uuid, options }: Collection): Doc {
  return {
    name,
    type: 'collection',
    options,
    info: { readOnly: false, uuid },
    idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
  };
}

export const listDatabases: Command = {
  kind: 'read',
  options: ['filter', 'nameOnly', 'authorizedDatabases'],
  onlyAdmin: true,
  run: ({ server, body }) => {
    const predicate = parseFilter(optionalDoc(body, 'filter') ?? {}, { env: environment(), allowsExpr: true });
    const all: Doc[] = server.catalog
      .databases()
      .map((name) => ({ name, sizeOnDisk: wholeNumber(databaseSize(server, name)), empty: false }));
    const databases = all.filter((doc) => predicate.matches(doc));
    if (optionalBoolean(body, 'nameOnly')) return { databases: databases.map(({ name }) => ({ name })) };
    return { databases, totalSize: wholeNumber(databases.reduce((sum, { sizeOnDisk }) => sum + Number(sizeOnDisk), 0)) };
  },
};

function databaseSize({ catalog }: Server, database: string): number {
  let bytes = 0;
  for (const { documents } of catalog.collections(database)) {
    for (const { versions } of documents.values()) bytes += versions[0]?.doc === undefined ? 0 : sizeOf(versions[0].doc);
  }
  return bytes;
}
