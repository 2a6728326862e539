/** Facts about the clocks of the server: $$NOW, $$CLUSTER_TIME, and the timestamps that it fills in. */

import { Timestamp } from 'mongodb';
import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { fact, group } from './fact.js';
import { timeOf } from './watching.js';

/** How much the wall clock of a server may be set back within a case. */
const SLACK_MS = 1_000;

const zero = (): Timestamp => new Timestamp({ t: 0, i: 0 });

const ordersOf = async ({ things }: Bench): Promise<Timestamp[]> => {
  const stored = await things.find().sort({ _id: 1 }).toArray();
  return stored.map(({ order }) => order);
};

function expectRising(times: readonly Timestamp[]): void {
  const rising = times.every((time, i) => i === 0 || time.greaterThan(times[i - 1] ?? zero()));
  expect(rising, times.join(' < ')).toBe(true);
}

const localTime = async ({ client }: Bench): Promise<number> => (await client.db('admin').command({ hello: 1 }))['localTime'].getTime();

export const serverClock = group('server clock', 'manual: reference/aggregation-variables', [
  fact('$$NOW lies between what hello says before and after', async (bench) => {
    const before = await localTime(bench);
    await bench.things.updateOne({ _id: 1 }, [{ $set: { at: '$$NOW' } }], { upsert: true });
    const after = await localTime(bench);
    const thing = await bench.things.findOne();
    const at = thing?.['at'].getTime();
    expect(at).toBeGreaterThanOrEqual(before - SLACK_MS);
    expect(at).toBeLessThanOrEqual(after + SLACK_MS);
  }),
  fact('$$NOW is the same for all documents of an update', async ({ things }) => {
    await things.insertMany(Array.from({ length: 500 }, (_, i) => ({ _id: i })));
    await things.updateMany({}, [{ $set: { at: '$$NOW' } }]);
    const times = await things.distinct('at');
    expect(times).toEqual([expect.any(Date)]);
  }),
  fact('$$NOW takes sums and differences in milliseconds', async ({ things }) => {
    await things.insertOne({ _id: 1 });
    const update = [{ $set: { at: '$$NOW', until: { $add: ['$$NOW', 30_000] } } }, { $set: { lease: { $subtract: ['$until', '$at'] } } }];
    const updated = await things.findOneAndUpdate({ _id: 1 }, update, { returnDocument: 'after' });
    expect(updated?.['until'].getTime() - updated?.['at'].getTime()).toBe(30_000);
    expect(Number(updated?.['lease'])).toBe(30_000);
  }),
  fact('$$CLUSTER_TIME lies after earlier writes and before its own', async (bench) => {
    const session = bench.session();
    await bench.things.insertOne({ _id: 1 }, { session });
    const before = timeOf(session);
    await bench.things.updateOne({ _id: 1 }, [{ $set: { order: '$$CLUSTER_TIME' } }], { session });
    const [order] = await ordersOf(bench);
    expect(order?.greaterThanOrEqual(before)).toBe(true);
    expect(order?.lessThan(timeOf(session))).toBe(true);
  }),
  fact(
    'Timestamp(0,0) at the top of an inserted document becomes the time, rising in the order of the command',
    async (bench) => {
      const session = bench.session();
      await bench.db.command({ ping: 1 }, { session });
      const before = timeOf(session);
      const things = Array.from({ length: 50 }, (_, i) => ({ _id: i, order: zero() }));
      await bench.things.insertMany(things, { session });
      const orders = await ordersOf(bench);
      expectRising([before, ...orders]);
      expect(orders.at(-1)?.lessThanOrEqual(timeOf(session))).toBe(true);
    },
    { source: 'manual: reference/bson-types (timestamps)' },
  ),
  fact(
    'Timestamp(0,0) rises over commands and collections',
    async (bench) => {
      const orders: Timestamp[] = [];
      for (const name of ['a', 'b', 'a', 'b']) {
        const collection = bench.db.collection<Thing>(name);
        const { insertedId: _id } = await collection.insertOne({ _id: orders.length, order: zero() });
        orders.push((await collection.findOne({ _id }))?.['order']);
      }
      expectRising(orders);
    },
    { source: 'manual: reference/bson-types (timestamps)' },
  ),
  fact(
    'Timestamp(0,0) stays in _id and inside of documents',
    async (bench) => {
      await bench.db.command({ insert: 'things', documents: [{ _id: zero(), inner: { order: zero() }, list: [zero()] }] });
      const stored = await bench.things.findOne();
      expect([String(stored?.['_id']), String(stored?.['inner'].order), String(stored?.['list'][0])]).toEqual(['0', '0', '0']);
    },
    { source: 'manual: reference/bson-types (timestamps)' },
  ),
  fact(
    'Timestamp(0,0) is filled in inside a transaction too',
    async (bench) => {
      await bench.things.insertOne({ _id: 0, order: zero() });
      const session = bench.session();
      const things = Array.from({ length: 10 }, (_, i) => ({ _id: i + 1, order: zero() }));
      await session.withTransaction(() => bench.things.insertMany(things, { session }));
      expectRising(await ordersOf(bench));
    },
    { source: 'manual: reference/bson-types (timestamps)' },
  ),
  fact(
    'operationTime counts seconds since 1970 in its first half',
    async (bench) => {
      const { operationTime } = await bench.db.command({ insert: 'things', documents: [{ _id: 1 }] });
      const seconds = (await localTime(bench)) / 1_000;
      expect(Math.abs(operationTime.t - seconds)).toBeLessThan(3_600);
    },
    { source: 'manual: reference/bson-types (timestamps)' },
  ),
]);
