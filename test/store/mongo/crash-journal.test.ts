/** The journal of the crash tests notes what has changed, in whichever form the server tells it. */

import { MongoClient } from 'mongodb';
import { expect, it } from 'vitest';
import { Journal } from '../../crash/journal.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';

it('notes only the fields whose values have changed, also of documents that are told as a whole, and counts an end once', async () => {
  const set = await findReplicaSet();
  const client = await new MongoClient(set.uri).connect();
  const database = client.db(`journal-${process.pid}`);
  const jobs = database.collection<{ _id: number; status: string; token: string; owner?: string }>('millrace.jobs');
  const journal = await Journal.of(database);
  await jobs.insertOne({ _id: 1, status: 'active', token: 't', owner: 'a' });
  await jobs.updateOne({ _id: 1 }, [{ $set: { status: 'completed' } }]);
  await jobs.replaceOne({ _id: 1 }, { status: 'completed', token: 't', owner: 'b' });
  await jobs.updateOne({ _id: 1 }, [{ $unset: ['owner'] }]);
  await journal.upToDate();
  expect(journal.entries.slice(0, 4).map(({ set, unset }) => ({ set, unset }))).toEqual([
    { set: { _id: 1, status: 'active', token: 't', owner: 'a' }, unset: [] },
    { set: { status: 'completed' }, unset: [] },
    { set: { owner: 'b' }, unset: [] },
    { set: {}, unset: ['owner'] },
  ]);
  expect(journal.ended).toBe(1);
  await journal.close();
  await database.dropDatabase();
  await client.close();
  await set.stop();
});
