/** Facts about cursors: batches, getMore, killCursors. */

import { type Document, Long } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { RawSession } from './raw-session.js';
import { codeOf } from './refusal.js';

const seven = async ({ things }: Bench): Promise<void> => {
  await things.insertMany(Array.from({ length: 7 }, (_, i) => ({ _id: i })));
};

/** The cursor of a find; its id is a long whatever its value, since getMore takes nothing else. */
async function opened(session: RawSession, options: Document = {}): Promise<Document> {
  const { cursor } = await session.command({ find: 'things', sort: { _id: 1 }, batchSize: 2, ...options });
  return { ...cursor, id: Long.fromString(String(cursor.id)) };
}

const more = (id: unknown, options: Document = {}): Document => ({ getMore: id, collection: 'things', ...options });

export const crudCursors = group('crud', 'manual: reference/command/getMore', [
  fact('gives a first batch and an id, then the rest and no id', async (bench) => {
    await seven(bench);
    const session = new RawSession(bench);
    const { id, ns, firstBatch } = await opened(session);
    expect([ns, firstBatch]).toEqual([`${bench.db.databaseName}.things`, [{ _id: 0 }, { _id: 1 }]]);
    const second = (await session.command(more(id, { batchSize: 3 })))['cursor'];
    expect(second.nextBatch).toEqual([{ _id: 2 }, { _id: 3 }, { _id: 4 }]);
    expect(String(second.id)).toBe(String(id));
    const last = (await session.command(more(id)))['cursor'];
    expect(last.nextBatch).toEqual([{ _id: 5 }, { _id: 6 }]);
    expect(String(last.id)).toBe('0');
  }),
  fact('gives an empty first batch of size 0, and an id', async (bench) => {
    await seven(bench);
    const { id, firstBatch } = await opened(new RawSession(bench), { batchSize: 0 });
    expect(firstBatch).toEqual([]);
    expect(String(id)).not.toBe('0');
  }),
  fact(
    'closes after a single batch that was asked for',
    async (bench) => {
      await seven(bench);
      const { id, firstBatch } = await opened(new RawSession(bench), { singleBatch: true });
      expect([String(id), firstBatch.length]).toEqual(['0', 2]);
    },
    { source: 'manual: reference/command/find (singleBatch)' },
  ),
  fact('refuses an unknown cursor with 43 CursorNotFound', async (bench) => {
    await seven(bench);
    const session = new RawSession(bench);
    const { id } = await opened(session);
    await session.command({ killCursors: 'things', cursors: [id] });
    expect(await codeOf(session.command(more(id)))).toBe(43);
  }),
  fact(
    'kills cursors, and says which it killed and which it did not find',
    async (bench) => {
      await seven(bench);
      const session = new RawSession(bench);
      const { id } = await opened(session);
      const first = await session.command({ killCursors: 'things', cursors: [id] });
      expect(first['cursorsKilled'].map(String)).toEqual([String(id)]);
      const second = await session.command({ killCursors: 'things', cursors: [id] });
      expect(second['cursorsKilled']).toEqual([]);
      expect(second['cursorsNotFound'].map(String)).toEqual([String(id)]);
    },
    { source: 'manual: reference/command/killCursors' },
  ),
  fact(
    'goes on with a cursor only in the session that opened it (50738)',
    async (bench) => {
      await seven(bench);
      const { id } = await opened(new RawSession(bench));
      expect(await codeOf(new RawSession(bench).command(more(id)))).toBe(50738);
    },
    { source: 'spec: sessions/driver-sessions (cursors)' },
  ),
  fact(
    'feeds the driver batch by batch',
    async (bench) => {
      await seven(bench);
      const cursor = bench.things.find({}, { sort: { _id: -1 }, batchSize: 2 });
      bench.after(() => cursor.close());
      const seen: unknown[] = [];
      for await (const { _id } of cursor) seen.push(_id);
      expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0]);
    },
    { source: 'spec: find_getmore_killcursors_commands' },
  ),
]);
