/** A replica set and a database of a test's own, a crew that works on it, a service that only queues, and a journal of all. */

import { Container } from 'inversify';
import { type Collection, type Db, MongoClient } from 'mongodb';
import { asyncModule, type IAsyncService, start } from '../../src/index.js';
import { mongoStore } from '../../src/store/mongo/index.js';
import { findReplicaSet } from '../replica-set/find-replica-set.js';
import { afterEachTest } from '../support/leak-check.js';
import { bundleWorker } from './bundle-worker.js';
import { type CrashTasks, crashTasks, QUOTAS } from './crash-tasks.js';
import { Crew } from './crew.js';
import { Journal } from './journal.js';

export interface Scene {
  readonly async: IAsyncService;
  readonly crew: Crew;
  readonly database: Db;
  readonly journal: Journal;
  readonly tasks: CrashTasks;
  collection(name: string): Collection;
}

let scenes = 0;

export async function setTheScene(): Promise<Scene> {
  const set = await findReplicaSet();
  const client = await new MongoClient(set.uri).connect();
  const database = client.db(`crash-${process.pid}-${scenes++}`);
  const program = await bundleWorker();
  const crew = new Crew(program.file, set.uri, database.databaseName);
  const journal = await Journal.of(database);
  const tasks = crashTasks(database, 'nobody');
  const container = new Container();
  const store = mongoStore({ client, database: database.databaseName });
  container.load(asyncModule({ store, tasks: Object.values(tasks), quotas: QUOTAS, dispatcher: false }));
  const async = await start(container);
  let isOpen = true;
  afterEachTest(async () => {
    if (!isOpen) return [];
    isOpen = false;
    await crew.killAll();
    await async.stop();
    await journal.close();
    await database.dropDatabase();
    await client.close();
    await set.stop();
    await program.remove();
    return [];
  });
  return { async, crew, database, journal, tasks, collection: (name) => database.collection(`millrace.${name}`) };
}
