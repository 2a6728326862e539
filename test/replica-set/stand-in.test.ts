/** A stand-in leaves nothing behind when it stops, and uses little while it runs. */

import { Binary, type Document, Long, MongoClient, UUID } from 'mongodb';
import { expect, it } from 'vitest';
import { ownServer } from './own-server.js';
import { ownStandIn } from './own-stand-in.js';
import { ServerClock } from './server-clock.js';
import { startStandIn } from './stand-in.js';

it('starts and stops a hundred times, in less than 50 ms each', async () => {
  const began = process.hrtime.bigint();
  for (let i = 0; i < 100; i++) await (await startStandIn()).stop();
  expect(Number(process.hrtime.bigint() - began) / 1e6 / 100).toBeLessThan(50);
});

it('leaves no timer, socket or listener open', async () => {
  const before = await openNow();
  const standIn = await startStandIn();
  const client = new MongoClient(standIn.uri);
  const things = client.db('test').collection('things');
  const stream = things.watch();
  const next = stream.next().catch(() => undefined);
  await client.withSession(async (session) => {
    session.startTransaction();
    await things.insertOne({ n: 1 }, { session });
  });
  await stream.close();
  await next;
  await client.close();
  await standIn.stop();
  const after = await openNow();
  expect(after.sockets).toEqual(before.sockets);
  expect(after.timers).toBeLessThanOrEqual(before.timers);
});

/** The sockets and timers that are open once all that is closing is closed; one or two timers belong to the test runner. */
async function openNow(): Promise<{ readonly sockets: readonly string[]; readonly timers: number }> {
  const clock = new ServerClock();
  for (let i = 0; i < 3; i++) await clock.turn();
  const all = process.getActiveResourcesInfo();
  return { sockets: all.filter((name) => name.startsWith('TCP')), timers: all.filter((name) => name === 'Timeout').length };
}

it('serves three members, of which the next becomes primary after a step-down', async () => {
  const { client, things, standIn } = await ownStandIn({ members: 3 });
  await things.insertOne({ n: 1 });
  const primary = async (): Promise<string> => (await client.db('admin').command({ hello: 1 }))['me'];
  const before = await primary();
  standIn.faults.stepDown();
  await things.insertOne({ n: 2 });
  expect(await primary()).not.toBe(before);
  expect(await things.countDocuments({}, { readPreference: 'secondary' })).toBe(2);
});

it('keeps nothing of ten thousand updates, inserts and deletes but the documents and a bounded oplog', async () => {
  const { server, run: plain } = ownServer();
  const lsid = { id: new Binary(new UUID().buffer, 4) };
  const run = (command: Document) => plain({ ...command, lsid });
  await run({ createIndexes: 'things', indexes: [{ key: { n: 1 }, name: 'n' }] });
  for (let i = 0; i < 10_000; i++) {
    const txnNumber = Long.fromNumber(i);
    if (i % 3 === 0) await run({ insert: 'things', documents: [{ _id: i, n: i }], txnNumber });
    if (i % 3 === 1) await run({ update: 'things', updates: [{ q: { _id: i - 1 }, u: { $inc: { n: 1 } } }], txnNumber });
    if (i % 3 === 2 && i > 300) await run({ delete: 'things', deletes: [{ q: { n: i - 298 }, limit: 1 }], txnNumber });
  }
  const things = server.catalog.find('test', 'things');
  const left = things?.documents.size ?? 0;
  expect(left).toBeLessThan(250);
  expect([...(things?.indexes.values() ?? [])].map(({ entries }) => entries.size)).toEqual([left, left]);
  expect([...(things?.documents.values() ?? [])].every(({ versions }) => versions.length === 1)).toBe(true);
  const { oplog, history, sessions, cursors, operations, waiting } = server;
  expect([oplog.size, history.waiting, sessions.size, cursors.size, operations.size, waiting.size]).toEqual([500, 0, 1, 0, 0, 0]);
});
