/** Facts about a primary that steps down by command and is elected again. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { eventually } from './eventually.js';
import { type Draft, fact, group } from './fact.js';
import { refusal } from './refusal.js';
import { transaction, twoThings } from './two-sessions.js';
import { brief, take, watch } from './watching.js';

const STEP_DOWN = { replSetStepDown: 1, secondaryCatchUpPeriodSecs: 0, force: true };

/** The primary steps down; resolves when it has, whether it could still say so or not. */
const stepsDown = ({ client }: Bench): Promise<unknown> =>
  client
    .db('admin')
    .command(STEP_DOWN)
    .catch((error: Error) => error);

/** Waits until the set has a primary again. */
const elected = ({ client }: Bench): Promise<Document> => {
  const hello = async () => {
    const answer = await client
      .db('admin')
      .command({ hello: 1 })
      .catch(() => undefined);
    return answer?.['isWritablePrimary'] === true ? answer : undefined;
  };
  return eventually(hello, { what: 'a primary', withinMs: 25_000 });
};

const stepping = (title: string, source: string, show: Draft['show']): Draft => {
  const thenElected = async (bench: Bench) => {
    bench.after(() => elected(bench));
    await show(bench);
  };
  return fact(title, thenElected, { source, needs: ['step-downs'], timeoutMs: 40_000 });
};

export const stepDown = group('faults', 'manual: reference/command/replSetStepDown', [
  stepping('lets a write wait for the next primary, which has what the majority had', 'spec: retryable-writes', async (bench) => {
    await bench.things.insertOne({ _id: 1, n: 0 }, { writeConcern: { w: 'majority' } });
    await stepsDown(bench);
    expect(await bench.things.updateOne({ _id: 1 }, { $inc: { n: 1 } })).toMatchObject({ modifiedCount: 1 });
    expect(await bench.things.findOne()).toEqual({ _id: 1, n: 1 });
  }),
  stepping('loses the open transaction, as transient', 'manual: core/transactions-production-consideration', async (bench) => {
    await twoThings(bench);
    const session = transaction(bench);
    await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
    await stepsDown(bench);
    await elected(bench);
    expect((await refusal(bench.things.findOne({ _id: 1 }, { session }))).labels).toContain('TransientTransactionError');
    expect(await bench.things.distinct('n')).toEqual([0]);
  }),
  stepping('goes on with a change stream under the next primary, and misses nothing', 'spec: change-streams', async (bench) => {
    const stream = await watch(bench);
    await bench.things.insertMany([{ _id: 1 }, { _id: 2 }]);
    await take(stream, 1);
    await stepsDown(bench);
    await elected(bench);
    await bench.things.insertOne({ _id: 3 });
    expect(brief(await take(stream, 2))).toEqual(['insert 2', 'insert 3']);
  }),
]);
