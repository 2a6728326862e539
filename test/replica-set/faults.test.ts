/** The stand-in's own faults, where the conformance suite does not show them. */

import { MongoClient, MongoNetworkError } from 'mongodb';
import { expect, it, onTestFinished } from 'vitest';
import { deferred } from '../support/deferred.js';
import type { Interception } from './faults/stand-in-faults.js';
import { ownStandIn } from './own-stand-in.js';

it('applies a write whose answer is lost; the driver sends it again, and it counts once', async () => {
  const { standIn, things } = await ownStandIn();
  standIn.faults.loseAnswer('update');
  await things.insertOne({ _id: 1, n: 0 } as object);
  standIn.faults.resetCommandCounts();
  await things.updateOne({ _id: 1 as never }, { $inc: { n: 1 } });
  expect(standIn.faults.commandCounts()['update']).toBe(2);
  expect(await things.findOne()).toEqual({ _id: 1, n: 1 });
});

it('applies a command that was held back after its client has gone', async () => {
  const { standIn, things } = await ownStandIn();
  const gone = new MongoClient(standIn.uri);
  const held = standIn.faults.holdBack('insert');
  const insert = gone
    .db('test')
    .collection('things')
    .insertOne({ n: 1 })
    .catch(() => 'given up');
  await held.arrived;
  await gone.close();
  expect(await insert).toBe('given up');
  expect(await things.countDocuments()).toBe(0);
  await held.apply();
  expect(await things.countDocuments()).toBe(1);
});

it('serves what arrived while it was frozen', async () => {
  const { standIn, things } = await ownStandIn();
  await things.insertOne({ n: 1 });
  standIn.faults.freeze();
  const count = things.countDocuments();
  standIn.faults.thaw();
  expect(await count).toBe(1);
});

it('tells the time by its own clock, in $$NOW and hello', async () => {
  const { standIn, client, things } = await ownStandIn();
  const hour = 3_600_000;
  standIn.faults.clockOffsetMs = hour;
  await things.updateOne({}, [{ $set: { at: '$$NOW' } }], { upsert: true });
  const { localTime } = await client.db('admin').command({ hello: 1 });
  const doc = await things.findOne();
  for (const time of [localTime, doc?.['at']]) expect(Math.round((time.getTime() - Date.now()) / hour)).toBe(1);
});

it('deletes by TTL when told to sweep, and tells streams', async () => {
  const { standIn, things } = await ownStandIn();
  await things.createIndex({ at: 1 }, { expireAfterSeconds: 0, partialFilterExpression: { at: { $exists: true } } });
  await things.insertMany([{ at: new Date(0) }, { at: new Date(4e12) }, { at: 'never' }, {}]);
  const stream = things.watch([], { maxAwaitTimeMS: 1 });
  onTestFinished(() => stream.close());
  await stream.tryNext();
  expect(standIn.faults.sweepTtl()).toBe(1);
  expect(await stream.next()).toMatchObject({ operationType: 'delete' });
  expect(await things.countDocuments()).toBe(3);
});

it('drops and repeats change events when told to', async () => {
  const { standIn, things } = await ownStandIn();
  const stream = things.watch([], { maxAwaitTimeMS: 1 });
  onTestFinished(() => stream.close());
  await stream.tryNext();
  standIn.faults.changeEvents.drop(1);
  standIn.faults.changeEvents.repeat(1);
  await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }] as object[]);
  const seen: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const event = await stream.next();
    if (event.operationType === 'insert') seen.push(event.documentKey._id);
  }
  expect(seen).toEqual([2, 2, 3]);
});

it('forgets a commit that only the old primary had', async () => {
  const { standIn, client, things } = await ownStandIn();
  await things.insertOne({ _id: 1, n: 0 } as object);
  standIn.faults.holdMajority();
  await client.withSession(async (session) => {
    session.startTransaction();
    await things.updateOne({ _id: 1 as never }, { $set: { n: 1 } }, { session });
    await things.insertOne({ n: 2 }, { session });
    const commit = session.commitTransaction().catch((error: unknown) => error);
    await things.find({ n: 1 }).next();
    standIn.faults.stepDown();
    expect(await commit).toBeInstanceOf(Error);
  });
  expect(await things.find().toArray()).toEqual([{ _id: 1, n: 0 }]);
});

it('does to each command what the test says on its arrival', async () => {
  const { standIn, things } = await ownStandIn({}, { appName: 'victim', retryWrites: false, minHeartbeatFrequencyMS: 1 });
  await things.insertOne({ _id: 0, n: 0 } as object);
  const held = deferred();
  const fates: Interception[] = ['refuse', 'close', 'lose answer', held.promise];
  const seen: unknown[] = [];
  standIn.faults.intercept = ({ update }, appName) => {
    if (update === undefined) return undefined;
    seen.push([update, appName]);
    return fates.shift();
  };
  const add = (n: number) => things.updateOne({ _id: 0 as never }, { $inc: { n } });
  await expect(add(1)).rejects.toMatchObject({ code: 50 });
  await expect(add(10)).rejects.toBeInstanceOf(MongoNetworkError);
  await expect(add(100)).rejects.toBeInstanceOf(MongoNetworkError);
  const last = add(1_000);
  expect(await things.findOne()).toEqual({ _id: 0, n: 100 });
  held.resolve();
  await last;
  standIn.faults.intercept = undefined;
  await add(10_000);
  expect(await things.findOne()).toEqual({ _id: 0, n: 11_100 });
  expect(seen).toEqual(Array(4).fill(['things', 'victim']));
});

it('may be frozen by what the test does on an arrival', async () => {
  const { standIn, things } = await ownStandIn();
  await things.insertOne({ n: 1 });
  const arrived = deferred();
  standIn.faults.intercept = ({ aggregate }) => {
    if (aggregate === undefined) return undefined;
    standIn.faults.freeze();
    arrived.resolve();
    return undefined;
  };
  const count = things.countDocuments();
  await arrived.promise;
  standIn.faults.thaw();
  expect(await count).toBe(1);
});

it('goes by the time of the test, where that has one', async () => {
  let now = Date.UTC(2030, 0, 1);
  const { things } = await ownStandIn({ now: () => now });
  const write = () => things.updateOne({}, [{ $set: { at: '$$NOW' } }], { upsert: true });
  await write();
  now += 60_000;
  await write();
  expect(await things.findOne()).toMatchObject({ at: new Date(now) });
});
