/** Facts about sessions: how they begin and end, and what they remember. */

import { Binary, Long, Timestamp, UUID } from 'mongodb';
import { expect } from 'vitest';
import { fact, group } from './fact.js';
import { RawSession } from './raw-session.js';
import { refusal } from './refusal.js';
import { transaction, twoThings } from './two-sessions.js';

export const sessions = group('sessions', 'spec: sessions/driver-sessions', [
  fact(
    'makes a session on demand, with its time to live',
    async ({ db, hello }) => {
      const answer = await db.command({ startSession: 1 });
      expect(answer['id'].id).toBeInstanceOf(Binary);
      expect(answer['timeoutMinutes']).toBe(hello['logicalSessionTimeoutMinutes']);
    },
    { source: 'manual: reference/command/startSession' },
  ),
  fact('takes any UUID for a session', async (bench) => {
    const { session } = new RawSession(bench);
    expect(await bench.things.insertOne({ _id: 1 }, { session })).toMatchObject({ insertedId: 1 });
  }),
  fact(
    'ends and refreshes sessions, known or not',
    async ({ client }) => {
      const ids = [{ id: new UUID() }, { id: new UUID() }];
      expect(await client.db('admin').command({ refreshSessions: ids })).toMatchObject({ ok: 1 });
      expect(await client.db('admin').command({ endSessions: ids })).toMatchObject({ ok: 1 });
    },
    { source: 'manual: reference/command/endSessions' },
  ),
  fact(
    'remembers the time of its last operation, which only grows',
    async ({ session, things }) => {
      const own = session();
      await things.insertOne({ _id: 1 }, { session: own });
      const first = own.operationTime;
      await things.insertOne({ _id: 2 }, { session: own });
      expect(first).toBeInstanceOf(Timestamp);
      expect(first !== undefined && own.operationTime?.greaterThan(first)).toBe(true);
    },
    { source: 'spec: causal-consistency' },
  ),
  fact(
    'reads its own write through another client that was told its time',
    async (bench) => {
      const own = bench.session({ causalConsistency: true });
      await bench.things.insertOne({ _id: 1 }, { session: own, writeConcern: { w: 1 } });
      const { operationTime, clusterTime } = own;
      if (operationTime === undefined || clusterTime === undefined) throw new Error('The session knows no time');
      const other = await bench.connect();
      const theirs = other.startSession({ causalConsistency: true });
      bench.after(() => theirs.endSession());
      theirs.advanceClusterTime(clusterTime);
      theirs.advanceOperationTime(operationTime);
      const things = other.db(bench.db.databaseName).collection('things', { readConcern: { level: 'majority' } });
      expect(await things.countDocuments({}, { session: theirs })).toBe(1);
    },
    { source: 'spec: causal-consistency' },
  ),
  fact(
    'gives up its transaction when it is killed',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
      const kill = bench.db.command({ killSessions: [session.id] });
      await kill.catch((error: Error) => bench.skip(`may not kill sessions (${error.message})`));
      const refused = await refusal(bench.things.findOne({ _id: 1 }, { session }));
      expect(refused).toMatchObject({ code: 251, labels: expect.arrayContaining(['TransientTransactionError']) });
      expect(await bench.things.updateOne({ _id: 1 }, { $set: { n: 2 } })).toMatchObject({ modifiedCount: 1 });
    },
    { source: 'manual: reference/command/killSessions' },
  ),
  fact(
    'gives up its transaction when the driver ends it',
    async (bench) => {
      await twoThings(bench);
      const session = transaction(bench);
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
      await session.endSession();
      expect(await bench.things.updateOne({ _id: 1 }, { $set: { n: 2 } })).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
    },
    { source: 'spec: transactions (endSession)' },
  ),
  fact(
    'can be used on after a kill, with a higher number',
    async (bench) => {
      const session = new RawSession(bench);
      await session.retryable(1, { insert: 'things', documents: [{ _id: 1 }] });
      const kill = bench.db.command({ killSessions: [session.session.id] });
      await kill.catch((error: Error) => bench.skip(`may not kill sessions (${error.message})`));
      expect(await session.retryable(2, { insert: 'things', documents: [{ _id: 2 }] })).toMatchObject({ n: 1 });
    },
    { source: 'manual: reference/command/killSessions' },
  ),
  fact(
    'reads in one snapshot outside transactions',
    async (bench) => {
      await twoThings(bench);
      const snapshot = bench.session({ snapshot: true });
      expect(await bench.things.countDocuments({}, { session: snapshot })).toBe(2);
      await bench.things.insertOne({ _id: 3, n: 0 });
      expect(await bench.things.countDocuments({}, { session: snapshot })).toBe(2);
      expect(await bench.things.distinct('n', {}, { session: snapshot })).toEqual([0]);
    },
    { source: 'spec: sessions/snapshot-sessions', since: 5 },
  ),
  fact('takes long numbers for transactions', async (bench) => {
    const session = new RawSession(bench);
    const insert = { insert: 'things', documents: [{ _id: 1 }], txnNumber: Long.fromString('4611686018427387904') };
    expect(await session.command(insert)).toMatchObject({ n: 1 });
    expect(await session.command(insert)).toMatchObject({ n: 1 });
  }),
]);
