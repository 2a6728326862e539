/** Facts about databases and collections coming and going. */

import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

async function databaseNames({ client }: Bench): Promise<string[]> {
  const { databases } = await client.db('admin').command({ listDatabases: 1, nameOnly: true });
  return databases.map(({ name }: { name: string }) => name);
}

export const namespaces = group('crud', 'manual: core/databases-and-collections', [
  fact('creates database and collection with the first insert', async (bench) => {
    expect(await databaseNames(bench)).not.toContain(bench.db.databaseName);
    await bench.things.insertOne({ _id: 1 });
    expect(await databaseNames(bench)).toContain(bench.db.databaseName);
    expect(await bench.db.listCollections({}, { nameOnly: true }).toArray()).toMatchObject([{ name: 'things', type: 'collection' }]);
  }),
  fact(
    'finds nothing in a collection that does not exist',
    async ({ things }) => {
      expect(await things.find().toArray()).toEqual([]);
      expect(await things.countDocuments()).toBe(0);
      expect(await things.updateOne({ _id: 1 }, { $set: { n: 1 } })).toMatchObject({ matchedCount: 0 });
    },
    { source: 'manual: reference/command/find' },
  ),
  fact(
    'drops a database, and again without complaint',
    async (bench) => {
      await bench.things.insertOne({ _id: 1 });
      expect(await bench.db.command({ dropDatabase: 1 })).toMatchObject({ ok: 1 });
      expect(await bench.db.command({ dropDatabase: 1 })).toMatchObject({ ok: 1 });
      expect(await databaseNames(bench)).not.toContain(bench.db.databaseName);
    },
    { source: 'manual: reference/command/dropDatabase' },
  ),
  fact(
    'drops a collection; a missing one is refused with 26 before 7.0 and accepted since',
    async ({ db, things, version }) => {
      await things.insertOne({ _id: 1 });
      await db.command({ drop: 'things' });
      expect(await things.countDocuments()).toBe(0);
      const again = db.command({ drop: 'things' });
      if (version >= 7) expect(await again).toMatchObject({ ok: 1 });
      else expect(await codeOf(again)).toBe(26);
    },
    { source: 'manual: reference/command/drop' },
  ),
  fact(
    'creates a collection, and refuses to do it again with 48 NamespaceExists; since 7.0 it may agree',
    async ({ db, version }) => {
      expect(await db.command({ create: 'plain' })).toMatchObject({ ok: 1 });
      const code = await codeOf(db.command({ create: 'plain' })).catch(() => undefined);
      expect(version < 7 ? [48] : [48, undefined]).toContain(code);
    },
    { source: 'manual: reference/command/create' },
  ),
  fact(
    'lists the indexes of no collection with 26 NamespaceNotFound',
    async ({ db }) => {
      expect(await codeOf(db.command({ listIndexes: 'nothing' }))).toBe(26);
    },
    { source: 'manual: reference/command/listIndexes' },
  ),
  fact(
    'refuses an empty collection name with 73 InvalidNamespace',
    async ({ db }) => {
      expect(await codeOf(db.command({ find: '' }))).toBe(73);
      expect(await codeOf(db.command({ insert: '', documents: [{ _id: 1 }] }))).toBe(73);
    },
    { source: 'manual: reference/limits (naming restrictions)' },
  ),
  fact(
    'refuses to insert into a collection with $ in its name with 73 InvalidNamespace',
    async ({ db }) => {
      expect(await codeOf(db.command({ insert: 'a$b', documents: [{ _id: 1 }] }))).toBe(73);
    },
    { source: 'manual: reference/limits (naming restrictions)' },
  ),
]);
