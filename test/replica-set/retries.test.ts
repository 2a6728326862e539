/** A write that is sent again while the first still waits, or long after its session has ended, counts once. */

import { Binary, type Document, Long } from 'mongodb';
import { expect, it } from 'vitest';
import { type OwnServer, ownServer } from './own-server.js';

type Run = OwnServer['run'];

async function serverWithThing(): Promise<Run> {
  const { run } = ownServer();
  await run({ insert: 'things', documents: [{ _id: 1, n: 0 }] });
  return run;
}

const session = (id: number): Document => ({ lsid: { id: new Binary(Buffer.alloc(16, id), 4) }, txnNumber: Long.fromNumber(1) });

const increment = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] };

const n = async (run: Run): Promise<number> => Number((await run({ find: 'things' }))['cursor'].firstBatch[0].n);

it('gives a write that is sent again while it waits for a transaction the answer of the first', async () => {
  const run = await serverWithThing();
  const transaction = { ...session(1), autocommit: false };
  await run({ update: 'things', updates: [{ q: { _id: 1 }, u: { $set: { other: 1 } } }], ...transaction, startTransaction: true });
  const waiting = [run({ ...increment, ...session(2) }), run({ ...increment, ...session(2) })];
  expect(await n(run)).toBe(0);
  await run({ commitTransaction: 1, ...transaction, $db: 'admin' });
  expect((await Promise.all(waiting)).map(({ nModified }) => Number(nModified))).toEqual([1, 1]);
  expect(await n(run)).toBe(1);
});

it('knows a write again after its session was ended', async () => {
  const run = await serverWithThing();
  await run({ ...increment, ...session(1) });
  await run({ endSessions: [session(1)['lsid']], $db: 'admin' });
  expect(await run({ ...increment, ...session(1) })).toHaveProperty('retriedStmtIds');
  expect(await n(run)).toBe(1);
});

it('aborts the open transaction of a session whose client goes on to a newer number', async () => {
  const run = await serverWithThing();
  await run({ ...increment, ...session(1), autocommit: false, startTransaction: true });
  await run({ ...increment, ...session(1), txnNumber: Long.fromNumber(2) });
  expect(await n(run)).toBe(1);
});
