/** A Mongo store that is started again has everything that it had in its first life: it is not the parts of that one. */

import { MongoClient } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { afterAll, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { mongoStore } from '../../../src/store/mongo/mongo-store.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';

const set = await findReplicaSet();
const client = await new MongoClient(set.uri).connect();

afterAll(async () => {
  await client.close();
  await set.stop();
});

it('looks at what it watches as often in each life, and leaves no timer when it stops', async () => {
  const clock = new VirtualClock();
  const database = `restart-${process.pid}`;
  const store = mongoStore({ client, database });
  const polls = () => clock.scheduler.actions.filter(({ delay }) => delay === clock.now() + 5_000).length;
  const seen: number[] = [];
  for (let life = 0; life < 2; life++) {
    await store.start({ clock, quotas: new Map() });
    const listening = store.changes({ work: '' }).subscribe();
    await firstValueFrom(nextTurn());
    seen.push(polls());
    await store.stop();
    expect([listening.closed, clock.scheduler.actions.length]).toEqual([true, 0]);
  }
  expect(seen).toEqual([1, 1]);
  await client.db(database).dropDatabase();
});
