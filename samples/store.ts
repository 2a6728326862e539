/** Where the samples keep their jobs: in the database of `MONGODB_URI`, or without one in their process. */

import { type JobStore, memoryStore } from 'millrace';

export interface SampleStore {
  readonly store: JobStore;
  /** After the service was stopped. */
  close(): Promise<void>;
}

/** @param database - of a sample of its own */
export async function openStore(database: string): Promise<SampleStore> {
  const uri = process.env['MONGODB_URI'];
  if (uri === undefined || uri === '') return { store: memoryStore(), close: async () => {} };
  const { MongoClient } = await import('mongodb');
  const { mongoStore } = await import('millrace/mongo');
  const client = await new MongoClient(uri).connect();
  return { store: mongoStore({ client, database }), close: () => client.close() };
}
