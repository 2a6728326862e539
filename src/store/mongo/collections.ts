/** The collections of the store, opened with concerns of our own, whatever the client's are. */

import { type Collection, type Db, type MongoClient, ReadConcern, type WriteConcernSettings } from 'mongodb';
import type { ControlDocument, DispatcherDocument, JobDocument, QuotaDocument } from './documents.js';

/** What is answered is on the disks of a majority. */
const DURABLE: WriteConcernSettings = { w: 'majority', journal: true };
/** What is read can never be rolled back, and has all that was answered before. */
const CERTAIN = new ReadConcern('majority');

export interface Collections {
  readonly database: Db;
  readonly jobs: Collection<JobDocument>;
  readonly quotas: Collection<QuotaDocument>;
  readonly dispatchers: Collection<DispatcherDocument>;
  readonly control: Collection<ControlDocument>;
}

/** @param prefix - begins the names of all collections */
export function openCollections(client: MongoClient, database: string, prefix: string): Collections {
  const db = client.db(database, {
    readPreference: 'primary',
    readConcern: CERTAIN,
    writeConcern: DURABLE,
    ignoreUndefined: true,
    promoteValues: true,
    promoteLongs: true,
    promoteBuffers: false,
    bsonRegExp: false,
    serializeFunctions: false,
    useBigInt64: false,
  });
  return {
    database: db,
    jobs: db.collection(`${prefix}jobs`),
    quotas: db.collection(`${prefix}quotas`),
    dispatchers: db.collection(`${prefix}dispatchers`),
    control: db.collection(`${prefix}control`),
  };
}
