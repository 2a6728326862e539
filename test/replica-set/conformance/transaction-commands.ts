/** Facts about transactions in the words of the protocol: numbers, commit and abort, and what is refused inside. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { type Draft, fact, group } from './fact.js';
import { RawSession } from './raw-session.js';
import { codeOf, refusal } from './refusal.js';
import { twoThings } from './two-sessions.js';

const increment: Document = { update: 'things', updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] };
const TRANSIENT = { code: 251, labels: expect.arrayContaining(['TransientTransactionError']) };

const valueOfOne = async ({ things }: Bench): Promise<unknown> => (await things.findOne({ _id: 1 }))?.['n'];

async function begun(bench: Bench, number = 1): Promise<RawSession> {
  await twoThings(bench);
  const session = new RawSession(bench);
  await session.begin(number, increment);
  return session;
}

/** Inside a transaction this command is refused with this code. */
function refusedInside(title: string, codes: readonly number[], command: Document): Draft {
  return fact(
    title,
    async (bench) => {
      const session = await begun(bench);
      expect(codes).toContain(await codeOf(session.next(1, command)));
    },
    { source: 'manual: core/transactions-operations' },
  );
}

export const transactionCommands = group('transactions', 'spec: transactions', [
  fact(
    'commits, and answers the repeated commit alike',
    async (bench) => {
      const session = await begun(bench);
      expect(await session.commit(1)).toMatchObject({ ok: 1 });
      expect(await session.commit(1)).toMatchObject({ ok: 1 });
      expect(await valueOfOne(bench)).toBe(1);
    },
    { source: 'manual: reference/command/commitTransaction' },
  ),
  fact(
    'aborts, and knows of no transaction when told again',
    async (bench) => {
      const session = await begun(bench);
      expect(await session.abort(1)).toMatchObject({ ok: 1 });
      expect(await refusal(session.abort(1))).toMatchObject(TRANSIENT);
      expect(await valueOfOne(bench)).toBe(0);
    },
    { source: 'manual: reference/command/abortTransaction' },
  ),
  fact(
    'commits nothing that was aborted: 251, as transient',
    async (bench) => {
      const session = await begun(bench);
      await session.abort(1);
      expect(await refusal(session.commit(1))).toMatchObject(TRANSIENT);
    },
    { source: 'manual: reference/command/commitTransaction' },
  ),
  fact(
    'aborts nothing that was committed',
    async (bench) => {
      const session = await begun(bench);
      await session.commit(1);
      expect(await codeOf(session.abort(1))).toBe(256);
      expect(await valueOfOne(bench)).toBe(1);
    },
    { source: 'manual: reference/error-codes (TransactionCommitted)' },
  ),
  fact('knows of no transaction that was not begun: 251, as transient', async (bench) => {
    await twoThings(bench);
    expect(await refusal(new RawSession(bench).next(3, increment))).toMatchObject(TRANSIENT);
  }),
  fact('gives up the open transaction when a higher number begins', async (bench) => {
    const session = await begun(bench);
    await session.begin(2, { find: 'things' });
    await session.commit(2);
    expect(await codeOf(session.commit(1))).toBe(225);
    expect(await valueOfOne(bench)).toBe(0);
  }),
  fact('gives up the open transaction when a retryable write of a higher number comes', async (bench) => {
    const session = await begun(bench);
    await session.retryable(2, { update: 'things', updates: [{ q: { _id: 2 }, u: { $inc: { n: 5 } } }] });
    expect(await valueOfOne(bench)).toBe(0);
    expect(await codeOf(session.next(1, increment))).toBe(225);
  }),
  fact('takes many writes in one transaction', async (bench) => {
    const session = await begun(bench);
    const updates = [{ q: {}, u: [{ $set: { n: 7 } }], multi: true }];
    expect(await session.next(1, { update: 'things', updates })).toMatchObject({ n: 2, nModified: 2 });
    expect(await session.next(1, { delete: 'things', deletes: [{ q: { _id: 2 }, limit: 0 }] })).toMatchObject({ n: 1 });
    await session.commit(1);
    expect(await bench.things.find().toArray()).toEqual([{ _id: 1, n: 7 }]);
  }),
  fact(
    'gives the commit a later operationTime than its reads',
    async (bench) => {
      await twoThings(bench);
      const session = new RawSession(bench);
      const { operationTime } = await session.begin(1, increment);
      const committed = await session.commit(1);
      expect(committed['operationTime'].greaterThan(operationTime)).toBe(true);
    },
    { source: 'manual: reference/command/commitTransaction' },
  ),
  refusedInside('refuses to drop a collection with 263 OperationNotSupportedInTransaction', [263], { drop: 'things' }),
  refusedInside('refuses count with 263; an aggregation counts instead', [263], { count: 'things' }),
  refusedInside('refuses an index on a collection that has documents with 263', [263], {
    createIndexes: 'things',
    indexes: [{ key: { n: 1 }, name: 'n_1' }],
  }),
  refusedInside('refuses a write concern on a command with 72 InvalidOptions', [72], { ...increment, writeConcern: { w: 1 } }),
  refusedInside('refuses a read concern after the first command with 72 InvalidOptions', [72], {
    find: 'things',
    readConcern: { level: 'majority' },
  }),
  refusedInside('refuses an unknown command with 59 CommandNotFound inside as outside', [59], { noSuchCommandAtAll: 1 }),
]);
