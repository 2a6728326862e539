/** Documents that arguments refer to, from a MongoDB database. */

import { MongoClient, ObjectId } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OptionError } from '../../../src/index.js';
import { mongoDocuments } from '../../../src/store/mongo/index.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';

const set = await findReplicaSet();
const client = new MongoClient(set.uri);
const database = `document-source-${new ObjectId().toHexString()}`;
const folders = client.db(database).collection('folders');
const source = mongoDocuments({ client, database });

beforeAll(async () => {
  await folders.insertMany([{ _id: new ObjectId('a'.repeat(24)), title: 'Inbox' }, { title: 'Other' }]);
});

afterAll(async () => {
  await client.db(database).dropDatabase();
  await client.close();
  await set.stop();
});

describe('a source of the documents of a database', () => {
  it('loads each by its id, and nothing for one that is gone', async () => {
    const load = (id: unknown) => source.load({ collection: 'folders', id, session: undefined });
    expect(await load(new ObjectId('a'.repeat(24)))).toMatchObject({ title: 'Inbox' });
    expect(await load('a'.repeat(24))).toBeNull();
  });

  it('reads in the transaction of a session', async () => {
    await client.withSession((session) =>
      session.withTransaction(async () => {
        const id = new ObjectId('b'.repeat(24));
        await folders.insertOne({ _id: id, title: 'New' }, { session });
        expect(await source.load({ collection: 'folders', id, session })).toMatchObject({ title: 'New' });
        expect(await source.load({ collection: 'folders', id, session: undefined })).toBeNull();
      }),
    );
  });

  it('needs a client and a database', () => {
    expect(() => mongoDocuments({ client: {} as never, database })).toThrow(OptionError);
    expect(() => mongoDocuments({ client, database: '' })).toThrow('`database` of `mongoDocuments` must be a non-empty');
  });
});
