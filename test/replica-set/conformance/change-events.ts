/** Facts about the shape of change events. */

import { type Document, Timestamp } from 'mongodb';
import { expect } from 'vitest';
import type { Thing } from './bench.js';
import { fact, group } from './fact.js';
import { brief, resumed, take, timeOf, watch } from './watching.js';

export const changeEvents = group('change streams', 'manual: reference/change-events', [
  fact(
    'reports an insert with key, document, time and token',
    async (bench) => {
      const stream = await watch(bench);
      await bench.things.insertOne({ _id: 1, a: 'x' });
      const event: Document = await stream.next();
      expect(event).toMatchObject({
        operationType: 'insert',
        ns: { db: bench.db.databaseName, coll: 'things' },
        documentKey: { _id: 1 },
        fullDocument: { _id: 1, a: 'x' },
        _id: { _data: expect.any(String) },
      });
      expect(event['clusterTime']).toBeInstanceOf(Timestamp);
    },
    { source: 'manual: reference/change-events/insert' },
  ),
  fact(
    'reports an update by its changed and removed fields, without the document',
    async (bench) => {
      await bench.things.insertOne({ _id: 1, a: 1, b: { c: 1, d: 2 }, e: 1 });
      const stream = await watch(bench);
      await bench.things.updateOne({ _id: 1 }, { $set: { a: 2, 'b.c': 3 }, $unset: { e: '' } });
      const event: Document = await stream.next();
      expect(event).toMatchObject({
        operationType: 'update',
        documentKey: { _id: 1 },
        updateDescription: { updatedFields: { a: 2, 'b.c': 3 }, removedFields: ['e'] },
      });
      expect(event).not.toHaveProperty('fullDocument');
    },
    { source: 'manual: reference/change-events/update' },
  ),
  fact(
    'reports a replacement with the new document',
    async (bench) => {
      await bench.things.insertOne({ _id: 1, a: 1 });
      const stream = await watch(bench);
      await bench.things.replaceOne({ _id: 1 }, { b: 2 });
      expect(await stream.next()).toMatchObject({ operationType: 'replace', documentKey: { _id: 1 }, fullDocument: { _id: 1, b: 2 } });
    },
    { source: 'manual: reference/change-events/replace' },
  ),
  fact(
    'reports a delete by its key alone',
    async (bench) => {
      await bench.things.insertOne({ _id: 1, a: 1 });
      const stream = await watch(bench);
      await bench.things.deleteOne({ a: 1 });
      const event: Document = await stream.next();
      expect(event).toMatchObject({ operationType: 'delete', documentKey: { _id: 1 } });
      expect(event).not.toHaveProperty('fullDocument');
    },
    { source: 'manual: reference/change-events/delete' },
  ),
  fact(
    'reports an upsert as insert',
    async (bench) => {
      const stream = await watch(bench);
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { upsert: true });
      await bench.things.findOneAndUpdate({ _id: 2 }, { $set: { n: 1 } }, { upsert: true });
      expect(brief(await take(stream, 2))).toEqual(['insert 1', 'insert 2']);
    },
    { source: 'manual: reference/change-events/insert' },
  ),
  fact(
    'reports nothing for an update that changes nothing',
    async (bench) => {
      await bench.things.insertOne({ _id: 1, n: 1 });
      const stream = await watch(bench);
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } });
      await bench.things.deleteOne({ _id: 1 });
      expect(brief(await take(stream, 1))).toEqual(['delete 1']);
    },
    { source: 'manual: reference/change-events/update' },
  ),
  fact(
    'looks up the document as it is now when told so',
    async (bench) => {
      await bench.things.insertMany([
        { _id: 1, n: 0, kept: true },
        { _id: 2, n: 0 },
      ]);
      const stream = await watch(bench, { options: { fullDocument: 'updateLookup' } });
      await bench.things.updateMany({}, { $set: { n: 1 } });
      await bench.things.deleteOne({ _id: 2 });
      const [first, second, third] = await take(stream, 3);
      expect(first).toMatchObject({ operationType: 'update', fullDocument: { _id: 1, n: 1, kept: true } });
      expect([second, third]).toMatchObject([{ operationType: 'update', documentKey: { _id: 2 } }, { operationType: 'delete' }]);
    },
    { source: 'manual: changeStreams (lookup full document)' },
  ),
  fact(
    'looks up null where the document has gone',
    async (bench) => {
      await bench.things.insertOne({ _id: 1, n: 0 });
      const session = bench.session();
      await bench.things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session });
      await bench.things.deleteOne({ _id: 1 });
      const stream = resumed(bench, { options: { fullDocument: 'updateLookup', startAtOperationTime: timeOf(session) } });
      expect(await stream.next()).toMatchObject({ operationType: 'update', fullDocument: null });
    },
    { source: 'manual: changeStreams (lookup full document)' },
  ),
  fact('reports a pipeline update of a small document as replace, with the document', async (bench) => {
    await bench.things.insertOne({ _id: 1, n: 1 });
    const stream = await watch(bench);
    await bench.things.updateOne({ _id: 1 }, [{ $set: { n: { $add: ['$n', 1] } } }]);
    expect(await stream.next()).toMatchObject({ operationType: 'replace', documentKey: { _id: 1 }, fullDocument: { _id: 1, n: 2 } });
  }),
  fact('reports a pipeline update of a large document by its difference since 5.0', async (bench) => {
    await bench.things.insertOne({ _id: 1, n: 1, text: 'x'.repeat(2_000), gone: true });
    const stream = await watch(bench);
    await bench.things.updateOne({ _id: 1 }, [{ $set: { n: 2 } }, { $unset: ['gone'] }]);
    const event: Document = await stream.next();
    if (event['operationType'] === 'replace' && bench.version < 5) return;
    expect(event).toMatchObject({ operationType: 'update', updateDescription: { updatedFields: { n: 2 }, removedFields: ['gone'] } });
  }),
  fact(
    'reports the time of day of a change since 6.0',
    async (bench) => {
      const stream = await watch(bench);
      await bench.things.insertOne({ _id: 1 });
      expect((await stream.next()) as Document).toHaveProperty('wallTime', expect.any(Date));
    },
    { since: 6 },
  ),
  fact(
    'reports the drop of a collection, then invalidates and closes a stream on it',
    async (bench) => {
      await bench.things.insertOne({ _id: 1 });
      const stream = await watch(bench);
      await bench.things.drop();
      expect(brief(await take(stream, 2))).toEqual(['drop', 'invalidate']);
      await expect(stream.next()).rejects.toThrow();
      expect(stream.closed).toBe(true);
    },
    { source: 'manual: reference/change-events/invalidate' },
  ),
  fact(
    'reports a drop to a stream on the database, and goes on',
    async (bench) => {
      await bench.things.insertOne({ _id: 1 });
      const stream = await watch(bench, { of: bench.db });
      await bench.things.drop();
      await bench.db.collection<Thing>('others').insertOne({ _id: 2 });
      expect(brief(await take(stream, 2))).toEqual(['drop', 'insert 2']);
    },
    { source: 'manual: reference/change-events/drop' },
  ),
  fact(
    'reports the drop of a database after that of its collections, then invalidates',
    async (bench) => {
      await bench.things.insertOne({ _id: 1 });
      const stream = await watch(bench, { of: bench.db });
      await bench.db.dropDatabase();
      expect(brief(await take(stream, 3))).toEqual(['drop', 'dropDatabase', 'invalidate']);
    },
    { source: 'manual: reference/change-events/dropDatabase' },
  ),
]);
