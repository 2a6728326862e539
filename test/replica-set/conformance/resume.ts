/** Facts about going on where a change stream stopped. */

import { expect } from 'vitest';
import type { Bench, Thing } from './bench.js';
import { eventually } from './eventually.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';
import { brief, resumed, take, timeOf, watch } from './watching.js';

const insertAll = async ({ things }: Bench, ids: readonly number[]): Promise<void> => {
  for (const _id of ids) await things.insertOne({ _id });
};

export const resume = group('resume', 'manual: changeStreams (resume a change stream)', [
  fact('goes on after the token that resumeAfter names', async (bench) => {
    const stream = await watch(bench);
    await insertAll(bench, [1, 2, 3, 4]);
    const [, second] = await take(stream, 2);
    await stream.close();
    const again = resumed(bench, { options: { resumeAfter: second?.['_id'] } });
    expect(brief(await take(again, 2))).toEqual(['insert 3', 'insert 4']);
  }),
  fact('goes on after the token that startAfter names', async (bench) => {
    const stream = await watch(bench);
    await insertAll(bench, [1, 2, 3]);
    const [first] = await take(stream, 1);
    const again = resumed(bench, { options: { startAfter: first?.['_id'] } });
    expect(brief(await take(again, 2))).toEqual(['insert 2', 'insert 3']);
  }),
  fact('goes on from the same token as often as asked', async (bench) => {
    const stream = await watch(bench);
    await insertAll(bench, [1, 2]);
    const [first] = await take(stream, 1);
    for (let i = 0; i < 3; i += 1) {
      const again = resumed(bench, { options: { resumeAfter: first?.['_id'] } });
      expect(brief(await take(again, 1))).toEqual(['insert 2']);
    }
  }),
  fact(
    'gives tokens that sort as their events do',
    async (bench) => {
      const stream = await watch(bench, { of: bench.db });
      const session = bench.session();
      await insertAll(bench, [1, 2]);
      await session.withTransaction(async () => {
        await bench.things.insertMany([{ _id: 3 }, { _id: 4 }, { _id: 5 }], { session });
        await bench.db.collection<Thing>('others').insertOne({ _id: 6 }, { session });
      });
      await insertAll(bench, [7]);
      const tokens = (await take(stream, 7)).map(({ _id }) => _id._data);
      expect(tokens).toEqual([...new Set(tokens)].sort());
    },
    { source: 'manual: changeStreams (resume tokens)' },
  ),
  fact(
    'gives the same tokens to every stream of one kind',
    async (bench) => {
      const streams = [await watch(bench), await watch(bench)];
      await insertAll(bench, [1, 2, 3]);
      const tokens = await Promise.all(streams.map(async (stream) => (await take(stream, 3)).map(({ _id }) => _id._data)));
      expect(tokens[0]).toEqual(tokens[1]);
    },
    { source: 'manual: changeStreams (resume tokens)' },
  ),
  fact('goes on in the middle of a transaction', async (bench) => {
    const stream = await watch(bench);
    const session = bench.session();
    await insertAll(bench, [1]);
    await session.withTransaction(() => bench.things.insertMany([{ _id: 2 }, { _id: 3 }, { _id: 4 }], { session }));
    const events = await take(stream, 3);
    const again = resumed(bench, { options: { resumeAfter: events.at(-1)?.['_id'] } });
    expect(brief(await take(again, 1))).toEqual(['insert 4']);
  }),
  fact('sees nothing twice that came before its start, under a filter neither', async (bench) => {
    const pipeline = [{ $match: { 'fullDocument.n': { $gt: 0 } } }];
    const stream = await watch(bench, { pipeline });
    for (let i = 0; i < 6; i += 1) await bench.things.insertOne({ _id: i, n: i % 2 });
    const [first] = await take(stream, 1);
    const again = resumed(bench, { pipeline, options: { resumeAfter: first?.['_id'] } });
    expect(brief(await take(again, 2))).toEqual(['insert 3', 'insert 5']);
  }),
  fact(
    'refuses resumeAfter with the token of an invalidation, and takes it with startAfter',
    async (bench) => {
      await insertAll(bench, [1]);
      const stream = await watch(bench);
      await bench.things.drop();
      const [, invalidate] = await take(stream, 2);
      await insertAll(bench, [2]);
      expect(await codeOf(resumed(bench, { options: { resumeAfter: invalidate?.['_id'] } }).next())).toBe(260);
      const again = resumed(bench, { options: { startAfter: invalidate?.['_id'] } });
      expect(brief(await take(again, 1))).toEqual(['insert 2']);
    },
    { source: 'manual: changeStreams (startAfter)' },
  ),
  fact('refuses an invalid token', async (bench) => {
    const attempt = resumed(bench, { options: { resumeAfter: { _data: 'not a token' } } }).next();
    expect(await codeOf(attempt)).toEqual(expect.any(Number));
  }),
  fact(
    'refuses two beginnings at once with 50865',
    async (bench) => {
      const stream = await watch(bench);
      await insertAll(bench, [1]);
      const { _id: resumeAfter } = await stream.next();
      const pipeline = [{ $changeStream: { resumeAfter, startAfter: resumeAfter } }];
      expect(await codeOf(bench.db.command({ aggregate: 'things', pipeline, cursor: {} }))).toBe(50865);
    },
    { source: 'manual: reference/operator/aggregation/changeStream' },
  ),
  fact(
    'moves the token of an idle stream past what others write',
    async (bench) => {
      const stream = await watch(bench);
      await insertAll(bench, [1]);
      const { _id: last } = await stream.next();
      await bench.db.collection<Thing>('others').insertOne({ _id: 1 });
      const token = await eventually(
        async () => {
          expect(await stream.tryNext()).toBeNull();
          const { _data: now } = stream.resumeToken as { _data: string };
          return now > (last as { _data: string })._data ? stream.resumeToken : undefined;
        },
        { what: 'a later token of an idle stream' },
      );
      await insertAll(bench, [2]);
      const again = resumed(bench, { options: { resumeAfter: token } });
      expect(brief(await take(again, 1))).toEqual(['insert 2']);
    },
    { source: 'spec: change-streams (postBatchResumeToken)' },
  ),
  fact(
    'gives a token to resume from before anything has happened',
    async (bench) => {
      const stream = await watch(bench);
      await eventually(async () => ((await stream.tryNext()) === null && stream.resumeToken) || undefined, { what: 'a token' });
      const { resumeToken } = stream;
      await stream.close();
      await insertAll(bench, [1, 2]);
      const again = resumed(bench, { options: { resumeAfter: resumeToken } });
      expect(brief(await take(again, 2))).toEqual(['insert 1', 'insert 2']);
    },
    { source: 'spec: change-streams (postBatchResumeToken)' },
  ),
  fact(
    'moves the token of a stream while nothing at all is written, every 10 s',
    async (bench) => {
      const stream = await watch(bench, { of: bench.db });
      await insertAll(bench, [1]);
      await stream.next();
      const idle = async (): Promise<string> => {
        expect(await stream.tryNext()).toBeNull();
        return (stream.resumeToken as { _data: string })._data;
      };
      await idle();
      const still = await idle();
      const moved = async () => ((await idle()) > still ? true : undefined);
      await eventually(moved, { what: 'a no-op', withinMs: 25_000 });
    },
    { source: 'spec: change-streams (postBatchResumeToken)', needs: ['patience'], timeoutMs: 30_000 },
  ),
  fact(
    'begins again at the time of an event that it has shown',
    async (bench) => {
      const session = bench.session();
      await bench.things.insertOne({ _id: 1 }, { session });
      const options = { startAtOperationTime: timeOf(session) };
      await insertAll(bench, [2]);
      for (let i = 0; i < 2; i += 1) expect(brief(await take(resumed(bench, { options }), 2))).toEqual(['insert 1', 'insert 2']);
    },
    { source: 'manual: reference/operator/aggregation/changeStream (startAtOperationTime)' },
  ),
]);
