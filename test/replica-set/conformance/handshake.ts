/** Facts about `hello` and the first words between driver and server. */

import { type Document, MongoClient, ObjectId, Timestamp } from 'mongodb';
import { expect } from 'vitest';
import type { Bench } from './bench.js';
import { fact, group } from './fact.js';
import { codeOf } from './refusal.js';

const WIRE_VERSIONS = new Map([
  [4.4, 9],
  [5, 13],
  [6, 17],
  [7, 21],
  [8, 25],
]);

const hello = ({ client }: Bench): Promise<Document> => client.db('admin').command({ hello: 1 });

export const handshake = group('handshake and topology', 'manual: reference/command/hello', [
  fact('answers hello as the writable primary of a named set', async (bench) => {
    const { isWritablePrimary, secondary, setName, hosts, primary, me } = await hello(bench);
    expect([isWritablePrimary, secondary]).toEqual([true, false]);
    expect(setName).toEqual(expect.any(String));
    expect(hosts).toContain(me);
    expect(primary).toBe(me);
  }),
  fact('answers the legacy hello with ismaster in its old spelling', async ({ client }) => {
    const answer = await client.db('admin').command({ isMaster: 1 });
    expect(answer).toMatchObject({ ok: 1, ismaster: true });
    expect(answer['isWritablePrimary']).toBeUndefined();
  }),
  fact(
    'says helloOk since 5.0 to a client that says so in its legacy hello',
    async ({ client }) => {
      expect(await client.db('admin').command({ isMaster: 1, helloOk: true })).toMatchObject({ helloOk: true });
    },
    { source: 'spec: mongodb-handshake', since: 5 },
  ),
  fact('gives its election an id and its configuration a version', async (bench) => {
    const { electionId, setVersion } = await hello(bench);
    expect(electionId).toBeInstanceOf(ObjectId);
    expect(setVersion).toBeGreaterThanOrEqual(1);
  }),
  fact('speaks the wire version of its release', async (bench) => {
    const { minWireVersion, maxWireVersion } = await hello(bench);
    expect(minWireVersion).toBeLessThanOrEqual(maxWireVersion);
    const expected = WIRE_VERSIONS.get(bench.version) ?? bench.skip('a release between major versions');
    expect(maxWireVersion).toBe(expected);
  }),
  fact('gives its limits: 16 MiB a document, 48,000,000 bytes a message, 100,000 writes a command', async (bench) => {
    expect(await hello(bench)).toMatchObject({
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
    });
  }),
  fact('says how many minutes a session lives', async (bench) => {
    const { logicalSessionTimeoutMinutes } = await hello(bench);
    expect(logicalSessionTimeoutMinutes).toBeGreaterThan(0);
  }),
  fact('says what its last write was and what the majority has', async (bench) => {
    const { lastWrite } = await hello(bench);
    expect(lastWrite.opTime.ts).toBeInstanceOf(Timestamp);
    expect(lastWrite.majorityOpTime.ts).toBeInstanceOf(Timestamp);
    expect(lastWrite.majorityOpTime.ts.lessThanOrEqual(lastWrite.opTime.ts)).toBe(true);
    expect(lastWrite.lastWriteDate).toBeInstanceOf(Date);
  }),
  fact('tells its time, the number of the connection, and that it can write', async (bench) => {
    const { localTime, connectionId, readOnly } = await hello(bench);
    expect(localTime).toBeInstanceOf(Date);
    expect(connectionId).toEqual(expect.any(Number));
    expect(readOnly).toBe(false);
  }),
  fact(
    'tells its version as text and as numbers',
    async ({ client }) => {
      const { version, versionArray } = await client.db('admin').command({ buildInfo: 1 });
      expect(version.startsWith(versionArray.slice(0, 3).join('.'))).toBe(true);
    },
    { source: 'manual: reference/command/buildInfo' },
  ),
  fact(
    'answers ping on any database',
    async ({ db }) => {
      expect(await db.command({ ping: 1 })).toMatchObject({ ok: 1 });
    },
    { source: 'manual: reference/command/ping' },
  ),
  fact(
    'refuses an unknown command with 59 CommandNotFound',
    async ({ db }) => {
      expect(await codeOf(db.command({ noSuchCommandAtAll: 1 }))).toBe(59);
    },
    { source: 'manual: reference/error-codes' },
  ),
  fact(
    'is seen by the driver as ReplicaSetWithPrimary under its name',
    async (bench) => {
      const client = new MongoClient(bench.uri);
      bench.after(() => client.close());
      const seen: { type: string; setName: string | null }[] = [];
      client.on('topologyDescriptionChanged', ({ newDescription: { type, setName } }) => seen.push({ type, setName }));
      await client.connect();
      expect(seen.at(-1)).toEqual({ type: 'ReplicaSetWithPrimary', setName: bench.hello['setName'] });
    },
    { source: 'spec: server-discovery-and-monitoring', needs: ['discovery'] },
  ),
  fact(
    'is not selected by a driver that looks for a set of another name',
    async (bench) => {
      const attempt = bench.connect({ replicaSet: 'no-such-set', serverSelectionTimeoutMS: 300 });
      await expect(attempt).rejects.toMatchObject({ name: 'MongoServerSelectionError' });
    },
    { source: 'spec: server-discovery-and-monitoring', needs: ['discovery'] },
  ),
]);
