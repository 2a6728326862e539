/** Documents of the application in MongoDB, as `transactionalDocuments` has them in memory. */

import type { ClientSession, Db } from 'mongodb';
import type { DocumentCollection, PlainDocument } from '../../src/testing/index.js';

export function mongoDocuments<D extends PlainDocument>(database: Db, name: string): DocumentCollection<D> {
  const collection = database.collection<PlainDocument>(name);
  const within = (session: unknown) => (session === undefined ? {} : { session: session as ClientSession });
  return {
    get: async (id, session) => ((await collection.findOne({ _id: id }, within(session))) ?? undefined) as D | undefined,
    all: async (session) => (await collection.find({}, within(session)).toArray()) as PlainDocument[] as D[],
    put: async ({ _id, ...document }, session) => {
      await collection.replaceOne({ _id }, document, { upsert: true, ...within(session) });
    },
    delete: async (id, session) => {
      await collection.deleteOne({ _id: id }, within(session));
    },
  };
}
