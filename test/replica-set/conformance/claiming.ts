/** Facts about compare-and-set on many documents at once, fenced by the server's clock. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';

const HOUR_MS = 3_600_000;

async function fivePending({ things }: Bench): Promise<void> {
  await things.insertMany([1, 2, 3, 4, 5].map((_id) => ({ _id, status: 'pending', attempts: 0, pendingSignal: 'lane' })));
}

/** Sets an owner on those that are still pending, if the lease has not run out. */
const claim = ({ things }: Bench, owner: string, leaseUntil: Date) =>
  things.updateMany(
    { _id: { $in: [2, 3, 4] }, status: 'pending', $expr: { $lt: ['$$NOW', leaseUntil] } },
    [
      { $set: { status: { $cond: [{ $in: ['$_id', [2]] }, 'active', 'assigned'] }, owner: { $literal: owner }, claimedAt: '$$NOW' } },
      { $unset: ['pendingSignal'] },
    ],
    { hint: '_id_' },
  );

export const claiming = group('pipeline updates', 'manual: reference/command/update (aggregation pipeline)', [
  fact('gives each document to one of many that want it at once', async (bench) => {
    await fivePending(bench);
    const until = new Date(Date.now() + HOUR_MS);
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => claim(bench, owner, until)));
    expect(results.reduce((sum, { modifiedCount }) => sum + modifiedCount, 0)).toBe(3);
    const claimed = await bench.things.find({ owner: { $exists: true } }, { sort: { _id: 1 } }).toArray();
    expect(claimed.map(({ _id, status, pendingSignal }) => [_id, status, pendingSignal])).toEqual([
      [2, 'active', undefined],
      [3, 'assigned', undefined],
      [4, 'assigned', undefined],
    ]);
  }),
  fact('changes nothing once the fence lies in the past', async (bench) => {
    await fivePending(bench);
    expect(await claim(bench, 'late', new Date(Date.now() - HOUR_MS))).toMatchObject({ matchedCount: 0, modifiedCount: 0 });
  }),
  fact('changes nothing under a token that is no longer there', async ({ things }) => {
    await things.insertOne({ _id: 1, token: 't2', status: 'active' });
    const settle = [{ $set: { status: 'completed', endedAt: '$$NOW' } }, { $unset: ['owner'] }];
    expect(await things.updateOne({ _id: 1, token: 't1' }, settle)).toMatchObject({ matchedCount: 0 });
    expect(await things.updateOne({ _id: 1, token: 't2' }, settle)).toMatchObject({ matchedCount: 1 });
  }),
  fact(
    'is read back by a majority read in a session that knows of it',
    async (bench) => {
      await fivePending(bench);
      const session = bench.session({ causalConsistency: true });
      await bench.things.updateMany({ status: 'pending' }, [{ $set: { token: 't1' } }], { session, writeConcern: { w: 1 } });
      const found = await bench.things.find({ token: 't1' }, { session, readConcern: { level: 'majority' } }).toArray();
      expect(found).toHaveLength(5);
    },
    { source: 'manual: core/causal-consistency-read-write-concerns' },
  ),
]);
