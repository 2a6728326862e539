/** Facts about what change streams show, in which order, and how they wait. */

import type { Document } from 'mongodb';
import { expect } from 'vitest';
import type { Thing } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';
import { transaction, twoThings } from './two-sessions.js';
import { brief, resumed, take, timeOf, watch } from './watching.js';

export const changeStreams = group('change streams', 'manual: changeStreams', [
  fact('shows the changes of all collections of a database in one order', async (bench) => {
    const stream = await watch(bench, { of: bench.db });
    const others = bench.db.collection<Thing>('others');
    await bench.things.insertOne({ _id: 1 });
    await others.insertOne({ _id: 1 });
    await bench.things.deleteOne({ _id: 1 });
    await others.updateOne({ _id: 1 }, { $set: { n: 1, text: 'a text' } });
    const events = await take(stream, 4);
    expect(events.map(({ ns, operationType }) => `${ns.coll} ${operationType}`)).toEqual([
      'things insert',
      'others insert',
      'things delete',
      'others update',
    ]);
    const times = events.map(({ clusterTime }) => clusterTime);
    expect(times).toEqual([...times].sort((a, b) => a.compare(b)));
  }),
  fact('shows the whole cluster to a stream on the client', async (bench) => {
    const pipeline = [{ $match: { 'ns.db': bench.db.databaseName } }];
    const stream = await watch(bench, { of: bench.client, pipeline }).catch((error: Error) =>
      bench.skip(`may not watch all (${error.message})`),
    );
    await bench.things.insertOne({ _id: 1 });
    expect(brief(await take(stream, 1))).toEqual(['insert 1']);
  }),
  fact('shows only its own collection to a stream on one', async (bench) => {
    const stream = await watch(bench);
    await bench.db.collection<Thing>('others').insertOne({ _id: 1 });
    await bench.things.insertOne({ _id: 2 });
    expect(brief(await take(stream, 1))).toEqual(['insert 2']);
  }),
  fact('shows every document of an updateMany in the order it was written', async (bench) => {
    await bench.things.insertMany(Array.from({ length: 20 }, (_, i) => ({ _id: i, n: 0 })));
    const stream = await watch(bench, { options: { batchSize: 3 } });
    await bench.things.updateMany({}, { $inc: { n: 1 } });
    const events = await take(stream, 20);
    expect(new Set(events.map(({ documentKey }) => documentKey._id)).size).toBe(20);
  }),
  fact('matches by fields of the event', async (bench) => {
    const pendingSignal = {
      $or: [{ 'fullDocument.pendingSignal': { $exists: true } }, { 'updateDescription.updatedFields.pendingSignal': { $exists: true } }],
    };
    const stream = await watch(bench, { pipeline: [{ $match: pendingSignal }] });
    await bench.things.insertMany([{ _id: 1 }, { _id: 2, pendingSignal: 'lane' }]);
    await bench.things.updateOne({ _id: 1 }, { $set: { pendingSignal: 'lane' } });
    await bench.things.updateOne({ _id: 2 }, { $unset: { pendingSignal: '' } });
    await bench.things.replaceOne({ _id: 2 }, { pendingSignal: 'again' });
    expect(brief(await take(stream, 3))).toEqual(['insert 2', 'update 1', 'replace 2']);
  }),
  fact('projects events, whose token stays', async (bench) => {
    const stream = await watch(bench, { pipeline: [{ $project: { 'fullDocument.pendingSignal': 1, operationType: 1 } }] });
    await bench.things.insertOne({ _id: 1, pendingSignal: 'lane', secret: true });
    const event = await stream.next();
    expect(event).toEqual({ _id: event._id, operationType: 'insert', fullDocument: { pendingSignal: 'lane' } });
  }),
  fact('ends with 280 ChangeStreamFatalError where the pipeline changes the token', async (bench) => {
    const stream = await watch(bench, { pipeline: [{ $project: { _id: 0 } }] });
    await bench.things.insertOne({ _id: 1 });
    expect(await codeOf(stream.next())).toBe(280);
  }),
  fact('shows a transaction when it is committed, in order and under one time', async (bench) => {
    await twoThings(bench);
    const others = bench.db.collection<Thing>('others');
    await others.insertOne({ _id: 0 });
    const stream = await watch(bench, { of: bench.db });
    const session = transaction(bench);
    await bench.things.insertOne({ _id: 3 }, { session });
    await others.insertOne({ _id: 4 }, { session });
    await bench.things.deleteOne({ _id: 1 }, { session });
    await bench.things.insertOne({ _id: 5 });
    await session.commitTransaction();
    const [before, ...events] = await take(stream, 4);
    expect(before).toMatchObject({ documentKey: { _id: 5 } });
    expect(brief(events)).toEqual(['insert 3', 'insert 4', 'delete 1']);
    expect(new Set(events.map(({ clusterTime }) => clusterTime.toString())).size).toBe(1);
    expect(new Set(events.map(({ txnNumber }) => String(txnNumber))).size).toBe(1);
    expect(events[0]?.['lsid'].id.toString('hex')).toBe(session.id?.id.toString('hex'));
    expect(before).not.toHaveProperty('txnNumber');
  }),
  fact('shows nothing of a transaction that was given up', async (bench) => {
    await twoThings(bench);
    const stream = await watch(bench);
    const session = transaction(bench);
    await bench.things.insertOne({ _id: 3 }, { session });
    await session.abortTransaction();
    await bench.things.insertOne({ _id: 4 });
    expect(brief(await take(stream, 1))).toEqual(['insert 4']);
  }),
  fact('may be opened on a collection that does not exist yet', async (bench) => {
    const stream = await watch(bench, { of: bench.db });
    await bench.db.createCollection('empty');
    await bench.things.insertOne({ _id: 1 });
    expect(brief(await take(stream, 1))).toEqual(['insert 1']);
  }),
  fact('answers a waiting read when something comes', async (bench) => {
    const session = bench.session();
    await bench.things.insertOne({ _id: 1 }, { session });
    const stream = resumed(bench, { options: { startAtOperationTime: timeOf(session), maxAwaitTimeMS: 8_000 } });
    await stream.next();
    const began = performance.now();
    const waiting = stream.next();
    await bench.things.insertOne({ _id: 2 });
    expect(brief([await waiting])).toEqual(['insert 2']);
    expect(performance.now() - began).toBeLessThan(8_000);
  }),
  fact('answers an idle read with nothing after maxAwaitTimeMS', async (bench) => {
    const stream = await watch(bench, { options: { maxAwaitTimeMS: 50 } });
    expect(await stream.tryNext()).toBeNull();
  }),
  fact('keeps apart streams that read at their own pace', async (bench) => {
    const [fast, slow] = [await watch(bench), await watch(bench)];
    await bench.things.insertOne({ _id: 1 });
    const first = await fast.next();
    await bench.things.insertOne({ _id: 2 });
    const events: Document[] = await take(slow, 2);
    expect(brief(events)).toEqual(['insert 1', 'insert 2']);
    expect(events[0]?.['_id']).toEqual(first._id);
  }),
  fact(
    'begins at a given time, that of the change included',
    async (bench) => {
      const session = bench.session();
      await bench.things.insertOne({ _id: 1 });
      await bench.things.insertOne({ _id: 2 }, { session });
      await bench.things.insertOne({ _id: 3 });
      const stream = resumed(bench, { options: { startAtOperationTime: timeOf(session) } });
      expect(brief(await take(stream, 2))).toEqual(['insert 2', 'insert 3']);
    },
    { source: 'manual: reference/operator/aggregation/changeStream (startAtOperationTime)' },
  ),
]);
