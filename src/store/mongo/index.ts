/** `millrace/mongo`: the store on MongoDB, apart from the rest, so that only those who use it need its driver. */

import type { ClientSession } from 'mongodb';

declare module '../../job/register.js' {
  interface Register {
    session: ClientSession;
  }
}

export { mongoStore } from './deferred-store.js';
export { type MongoDocumentsOptions, mongoDocuments } from './mongo-document-source.js';
export type { MongoStoreOptions } from './mongo-options.js';
