/** Where the samples keep their jobs: in the database of `MONGODB_URI`, or without one in their process. */

import { type JobStore, memoryStore } from 'millrace';
import type { Db } from 'mongodb';

export interface SampleStore {
  readonly store: JobStore;
  /** The same database, for the data of a sample beside its jobs. */
  readonly database: Db | undefined;
  /** After the service was stopped. */
  close(): Promise<void>;
}

/** @param database - of a sample of its own */
export async function openStore(database: string): Promise<SampleStore> {
  const uri = process.env['MONGODB_URI'];
  if (uri === undefined || uri === '') return { store: memoryStore(), database: undefined, close: async () => {} };
  const { MongoClient } = await import('mongodb');
  const { mongoStore } = await import('millrace/mongo');
  const client = await new MongoClient(uri).connect();
  return { store: mongoStore({ client, database }), database: client.db(database), close: () => client.close() };
}
