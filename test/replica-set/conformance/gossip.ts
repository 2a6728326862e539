/** Facts about the times that travel with every answer. */

import { type CommandStartedEvent, MongoClient, Timestamp } from 'mongodb';
import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

export const gossip = group('handshake and topology', 'spec: sessions/driver-sessions (gossipping the cluster time)', [
  fact('carries operationTime and $clusterTime in every answer', async ({ db }) => {
    const { operationTime, $clusterTime } = await db.command({ ping: 1 });
    expect(operationTime).toBeInstanceOf(Timestamp);
    expect($clusterTime.clusterTime).toBeInstanceOf(Timestamp);
    expect(operationTime.lessThanOrEqual($clusterTime.clusterTime)).toBe(true);
  }),
  fact('gives each write a later operationTime than everything before', async ({ db }) => {
    const before = await db.command({ ping: 1 });
    const first = await db.command({ insert: 'things', documents: [{ _id: 1 }] });
    const second = await db.command({ insert: 'things', documents: [{ _id: 2 }] });
    expect(first['operationTime'].greaterThan(before['operationTime'])).toBe(true);
    expect(second['operationTime'].greaterThan(first['operationTime'])).toBe(true);
  }),
  fact('never moves operationTime back', async ({ db, things }) => {
    await things.insertOne({ _id: 1 });
    const seen: Timestamp[] = [];
    for (let i = 0; i < 5; i += 1) seen.push((await db.command({ find: 'things' }))['operationTime']);
    const sorted = [...seen].sort((a, b) => a.compare(b));
    expect(seen).toEqual(sorted);
  }),
  fact(
    'is told the latest cluster time by the driver, which names a session and numbers its retryable writes',
    async (bench) => {
      const client = new MongoClient(bench.uri, { monitorCommands: true });
      bench.after(() => client.close());
      const sent: CommandStartedEvent[] = [];
      client.on('commandStarted', (event) => sent.push(event));
      await client.connect();
      const things = client.db(bench.db.databaseName).collection('things');
      await things.insertOne({ n: 1 });
      await things.findOne({ n: 1 });
      const [insert, find] = ['insert', 'find'].map((name) => sent.find(({ commandName }) => commandName === name)?.command);
      expect(insert).toMatchObject({ lsid: { id: expect.anything() }, txnNumber: expect.anything() });
      expect(find?.['$clusterTime'].clusterTime).toBeInstanceOf(Timestamp);
      expect(find?.['lsid']).toBeDefined();
      expect(find?.['txnNumber']).toBeUndefined();
    },
    { source: 'spec: sessions/driver-sessions' },
  ),
  fact(
    'reads no earlier than afterClusterTime',
    async ({ db }) => {
      const { operationTime } = await db.command({ insert: 'things', documents: [{ _id: 1 }] });
      const { cursor } = await db.command({ find: 'things', readConcern: { level: 'majority', afterClusterTime: operationTime } });
      expect(cursor.firstBatch).toEqual([{ _id: 1 }]);
    },
    { source: 'manual: reference/read-concern (afterClusterTime)' },
  ),
  fact(
    'refuses an afterClusterTime in the future with 72 InvalidOptions',
    async ({ db }) => {
      const { $clusterTime } = await db.command({ ping: 1 });
      const future = new Timestamp({ t: $clusterTime.clusterTime.t + 10_000, i: 1 });
      const attempt = db.command({ find: 'things', readConcern: { level: 'local', afterClusterTime: future } });
      expect(await codeOf(attempt)).toBe(72);
    },
    { source: 'manual: core/read-isolation-consistency-recency (causal consistency)' },
  ),
]);
