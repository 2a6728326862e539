/**
 * Accounts and transfers, beside the jobs: in the database of the sample, or without one in documents that the memory store's transactions
 * hold.
 */

import { type DocumentCollection, type PlainDocument, transactionalDocuments } from 'millrace/testing';
import type { ClientSession, Db } from 'mongodb';

export interface Account extends PlainDocument {
  readonly balance: number;
}

/** One transfer; its `_id` is the id of its job. */
export interface Transfer extends PlainDocument {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

export interface Bank {
  readonly accounts: DocumentCollection<Account>;
  readonly transfers: DocumentCollection<Transfer>;
}

/** A new one: whatever an earlier run has left is removed, its jobs included. */
export async function openBank(database: Db | undefined): Promise<Bank> {
  if (database === undefined) {
    const documents = transactionalDocuments();
    return { accounts: documents.collection('accounts'), transfers: documents.collection('transfers') };
  }
  await database.dropDatabase();
  return { accounts: inMongo(database, 'accounts'), transfers: inMongo(database, 'transfers') };
}

/** As little of MongoDB's driver as both can do. */
function inMongo<D extends PlainDocument>(database: Db, name: string): DocumentCollection<D> {
  const collection = database.collection<PlainDocument>(name);
  const within = (session: unknown) => (session === undefined ? {} : { session: session as ClientSession });
  return {
    get: async (_id, session) => (await collection.findOne<D>({ _id }, within(session))) ?? undefined,
    all: (session) => collection.find<D>({}, within(session)).toArray(),
    put: async ({ _id, ...document }, session) => {
      await collection.replaceOne({ _id }, document, { upsert: true, ...within(session) });
    },
    delete: async (_id, session) => {
      await collection.deleteOne({ _id }, within(session));
    },
  };
}
