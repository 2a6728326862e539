/** The set-up of a case: a client, a database of its own, and everything that is closed after it. */

import type {
  ClientSession,
  ClientSessionOptions,
  Collection,
  Db,
  Document,
  MongoClient,
  MongoClientOptions,
  ObjectId,
  Timestamp,
} from 'mongodb';
import type { StandInFaults } from '../find-replica-set.js';

/** A document of the collections that cases work on. */
export interface Thing extends Document {
  _id: string | number | ObjectId | Timestamp | Date;
}

export interface Bench {
  readonly client: MongoClient;
  /** Fresh for each case, and dropped after it. */
  readonly db: Db;
  /** `db.collection('things')`, which does not exist yet. */
  readonly things: Collection<Thing>;
  /** Version of the server, as major.minor: 4.4, 5, 7, 8.1. */
  readonly version: number;
  readonly uri: string;
  /** The name of all clients of the suite; fail points are bound to it. */
  readonly appName: string;
  /** Answer of `hello` when the suite began. */
  readonly hello: Document;
  /** The stand-in's own faults; asks for the need 'stand-in'. */
  readonly faults: StandInFaults;
  /** Another client, closed after the case. */
  connect(options?: MongoClientOptions): Promise<MongoClient>;
  /** A session, ended after the case. */
  session(options?: ClientSessionOptions): ClientSession;
  /** Does this after the case, last come first. */
  after(close: () => Promise<unknown>): void;
  /** Ends the case as skipped. */
  skip(reason: string): never;
}
