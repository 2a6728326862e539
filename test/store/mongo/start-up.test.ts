/** The errors before anything is stored, if a database cannot keep the store's promises. */

import { Container } from 'inversify';
import { MongoClient } from 'mongodb';
import { afterAll, describe, expect, it } from 'vitest';
import { asyncModule, currentTask, makeJob, StoreError, start, systemClock, task } from '../../../src/index.js';
import { CommandDeadline } from '../../../src/store/mongo/driver/command-deadline.js';
import { mongoStore } from '../../../src/store/mongo/mongo-store.js';
import { openCollections } from '../../../src/store/mongo/schema/collections.js';
import { checkPool, checkStore, problemOf, STORE_VERSION } from '../../../src/store/mongo/schema/store-check.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';
import { ownStandIn } from '../../replica-set/own-stand-in.js';

const set = await findReplicaSet();
const client = await new MongoClient(set.uri).connect();
let databases = 0;

afterAll(async () => {
  await client.close();
  await set.stop();
});

function fresh() {
  const database = `start-up-${process.pid}-${databases++}`;
  return {
    collections: openCollections(client, { database, prefix: '', deadline: new CommandDeadline(systemClock) }),
    drop: () => client.db(database).dropDatabase(),
  };
}

describe('a server', () => {
  it.each<[string, object, string | undefined]>([
    ['that stands alone', { maxWireVersion: 21 }, '`mongod --replSet rs0`'],
    ['that is too old', { setName: 'rs0', maxWireVersion: 8 }, 'older than 4.4'],
    ['of a replica set', { setName: 'rs0', maxWireVersion: 21 }, undefined],
    ['that routes to shards', { msg: 'isdbgrid', maxWireVersion: 21 }, undefined],
  ])('%s', (_what, hello, problem) => {
    if (problem === undefined) expect(problemOf(hello)).toBeUndefined();
    else expect(problemOf(hello)).toContain(problem);
  });
});

describe('a pool of connections', () => {
  it.each([1, 2])('of %i is too small: change streams would hold all of it while they wait', (maxPoolSize) => {
    expect(() => checkPool(maxPoolSize)).toThrow(StoreError);
    expect(() => checkPool(maxPoolSize)).toThrow('but 3 are needed');
  });

  it.each([0, 3, 100, undefined])('of %s is large enough', (maxPoolSize) => {
    checkPool(maxPoolSize);
  });

  it('that is too small is refused at the start', async () => {
    const { client } = await ownStandIn({}, { maxPoolSize: 1 });
    const container = new Container();
    container.load(asyncModule({ store: mongoStore({ client, database: 'small' }) }));
    await expect(start(container)).rejects.toThrow('a pool of 1 connection (`maxPoolSize`), but 3 are needed');
  });

  it('of 3 is enough for everything at once, and one of 1 for sessions', async () => {
    const { client, standIn } = await ownStandIn({}, { maxPoolSize: 3 });
    const sessions = new MongoClient(standIn.uri, { maxPoolSize: 1 });
    const pay = task('pay', { quotas: [], transactional: true }, async (n: number) => {
      await sessions.db('small').collection('paid').insertOne({ n }, { session: currentTask().session });
      return n;
    });
    const container = new Container();
    container.load(asyncModule({ store: mongoStore({ client, sessions, database: 'small' }), tasks: [pay] }));
    const async = await start(container);
    const seen: unknown[] = [];
    const listening = async.outcomes().subscribe(({ outcome }) => seen.push(outcome));
    const jobs = await async.queueJobs(Array.from({ length: 20 }, (_, n) => makeJob(pay, n)));
    expect(await Promise.all(jobs.map((job) => job.waitForResult()))).toEqual(jobs.map((_, n) => n));
    listening.unsubscribe();
    await async.stop();
    await sessions.close();
    expect(seen).toHaveLength(20);
  });
});

describe('a store', () => {
  it('is made ready once, and found ready from then on', async () => {
    const { collections, drop } = fresh();
    await checkStore(collections);
    const first = await collections.control.findOne({ _id: 'store' });
    await checkStore(collections);
    expect(await collections.control.findOne({ _id: 'store' })).toEqual(first);
    expect(first?.version).toBe(STORE_VERSION);
    await drop();
  });

  it('that a later version has written is left alone', async () => {
    const { collections, drop } = fresh();
    await collections.control.raw.insertOne({ _id: 'store', version: STORE_VERSION + 1 });
    await expect(checkStore(collections)).rejects.toThrow('upgrade this process');
    await expect(checkStore(collections)).rejects.toBeInstanceOf(StoreError);
    await drop();
  });

  it('that an earlier version has written is left alone', async () => {
    const { collections, drop } = fresh();
    await collections.control.raw.insertOne({ _id: 'store', version: STORE_VERSION - 1 });
    await expect(checkStore(collections)).rejects.toThrow(/written by an earlier version of Millrace .* another `prefix`$/);
    expect(await collections.control.find({})).toEqual([{ _id: 'store', version: STORE_VERSION - 1 }]);
    await drop();
  });

  it('whose index is there with other options is refused, naming it', async () => {
    const { collections, drop } = fresh();
    await collections.jobs.raw.createIndex({ root: 1 }, { name: 'root' });
    await expect(checkStore(collections)).rejects.toThrow(/an index of jobs is there with other options: .*root/);
    await drop();
  });

  it.skipIf(set.faults === undefined)('without a majority is refused', async () => {
    const { collections, drop } = fresh();
    set.faults?.holdMajority();
    await expect(checkStore(collections, 200)).rejects.toThrow('no majority of the replica set');
    set.faults?.releaseMajority();
    await drop();
  });
});
