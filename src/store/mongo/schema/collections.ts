/** The collections of the store, opened with the store's own concerns, not the client's. */

import { type Db, type Document, type MongoClient, ReadConcern, type WriteConcernSettings } from 'mongodb';
import { Causality } from '../driver/causality.js';
import type { CommandDeadline } from '../driver/command-deadline.js';
import type { Pipeline } from '../driver/expression.js';
import type { ControlDocument, DispatcherDocument, JobDocument, NoteDocument, QuotaDocument, ScheduleDocument } from './documents.js';
import { type Care, TimedCollection } from './timed-collection.js';

/** An acknowledged write is on the disks of a majority. */
const DURABLE: WriteConcernSettings = { w: 'majority', journal: true };
/** A read sees every acknowledged write, and nothing that can be rolled back. */
const CERTAIN = new ReadConcern('majority');

declare const isOfJobs: unique symbol;

/** An update of jobs: only [job-update.ts](../jobs/job-update.ts) makes one, so that each write of a status is a move. */
export type JobPipeline = Pipeline & { readonly [isOfJobs]: true };

export interface Collections {
  readonly database: Db;
  /** The server's description of itself. */
  readonly hello: () => Promise<Document>;
  readonly jobs: TimedCollection<JobDocument, JobPipeline>;
  readonly quotas: TimedCollection<QuotaDocument>;
  readonly dispatchers: TimedCollection<DispatcherDocument>;
  readonly control: TimedCollection<ControlDocument>;
  readonly schedules: TimedCollection<ScheduleDocument>;
  readonly notes: TimedCollection<NoteDocument>;
}

/** Repairs the damaged documents of each collection. */
export interface Cares {
  readonly jobs: Care<JobDocument>;
  readonly quotas: Care<QuotaDocument>;
  readonly dispatchers: Care<DispatcherDocument>;
  readonly schedules: Care<ScheduleDocument>;
  readonly notes: Care<NoteDocument>;
}

export interface CollectionsOptions {
  readonly database: string;
  /** Begins the names of all. */
  readonly prefix: string;
  readonly deadline: CommandDeadline;
  /** The commits that causal reads must not miss. @default none */
  readonly causality?: Causality;
  readonly cares?: Partial<Cares>;
}

export function openCollections(
  client: MongoClient,
  { database, prefix, deadline, causality = new Causality(), cares = {} }: CollectionsOptions,
): Collections {
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
  const table = <T extends Document>(name: string, care?: Care<T>): TimedCollection<T> =>
    new TimedCollection<T>(db.collection<T>(`${prefix}${name}`), deadline, { causally: (read) => causality.read(client, read), care });
  return {
    database: db,
    hello: () => deadline.of(() => db.command({ hello: 1 }), 'hello'),
    jobs: table('jobs', cares.jobs),
    quotas: table('quotas', cares.quotas),
    dispatchers: table('dispatchers', cares.dispatchers),
    control: table('control'),
    schedules: table('schedules', cares.schedules),
    notes: table('notes', cares.notes),
  };
}
