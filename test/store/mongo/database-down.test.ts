/** A database that is down at the start: the log says so, an error says what to do, and a second `start` works when it is back. */

import { EventEmitter } from 'node:events';
import { createServer } from 'node:net';
import { Container } from 'inversify';
import { MongoClient, type MongoClientOptions, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import {
  asyncModule,
  type Clock,
  DatabaseUnreachableError,
  IAsyncService,
  type JobStore,
  type Logger,
  NotRunningError,
  OptionError,
  StoreError,
  start,
  systemClock,
  task,
} from '../../../src/index.js';
import type { MongoStoreOptions } from '../../../src/store/mongo/mongo-options.js';
import { mongoStore } from '../../../src/store/mongo/mongo-store.js';
import { Members } from '../../../src/store/mongo/schema/members.js';
import { explainedAtStart } from '../../../src/store/mongo/schema/reaching.js';
import { memberProblem } from '../../../src/store/mongo/schema/store-check.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { type StandIn, startStandIn } from '../../replica-set/stand-in.js';

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);

/** A database that is not there yet, and a client that looks for it. */
async function away(clientOptions: MongoClientOptions = {}, storeOptions: Partial<MongoStoreOptions> = {}) {
  const port = await freePort();
  const log: string[] = [];
  const note = (message: string): void => void log.push(message);
  const logger: Logger = { debug: () => {}, info: () => {}, warn: note, error: note };
  const uri = `mongodb://ann:secret@127.0.0.1:${port}/?replicaSet=rs0&authSource=admin`;
  const { client, up } = site(uri.replace('ann:secret@', ''), port, clientOptions);
  const store = mongoStore({ client, database: 'away', ...storeOptions });
  const contained = (clock: Clock = systemClock, on: JobStore = store): Container => {
    const container = new Container();
    container.load(asyncModule({ store: on, tasks: [add], logger, clock }));
    return container;
  };
  return { port, host: `127.0.0.1:${port}`, client, store, log, up, contained };
}

function site(uri: string, port: number, clientOptions: MongoClientOptions) {
  const client = new MongoClient(uri, clientOptions);
  const standIns: StandIn[] = [];
  onTestFinished(async () => {
    for (const { faults } of standIns) faults.thaw();
    await client.close();
    for (const standIn of standIns) await standIn.stop();
  });
  const up = async (): Promise<StandIn> => {
    const standIn = await startStandIn({ port });
    standIns.push(standIn);
    return standIn;
  };
  return { client, up };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function works(container: Container): Promise<void> {
  const async = await start(container);
  expect(await (await async.queueJob(add, 40, 2)).waitForResult()).toBe(42);
  await async.stop();
}

function failure(starting: Promise<unknown>): Promise<unknown> {
  return starting.then(
    () => 'it has started',
    (error: unknown) => error,
  );
}

const soon = { serverSelectionTimeoutMS: 200 };

describe('a start while the database is down', () => {
  it('fails with an error that names the host and says what to do, and keeps the error of the driver', async () => {
    const { contained, host } = await away(soon);
    const error = await failure(start(contained()));
    expect(error).toBeInstanceOf(DatabaseUnreachableError);
    expect(error).toMatchObject({ code: 'MILLRACE_DATABASE_UNREACHABLE', cause: expect.any(MongoServerSelectionError) });
    expect(String(error)).toContain(`MongoDB at ${host} cannot be reached: connect ECONNREFUSED ${host}. See that it runs`);
  });

  it('logs after two seconds, then less and less often, the host and why, and no credentials', async () => {
    const clock = new VirtualClock();
    const { contained, host, log, client } = await away();
    const failed = new Promise((resolve) => client.once('serverHeartbeatFailed', resolve));
    const container = contained(clock);
    const starting = failure(start(container));
    await failed;
    const turn = () => firstValueFrom(nextTurn());
    await clock.advance(1_999, turn);
    expect(log).toEqual([]);
    await clock.advance(1, turn);
    expect(log).toEqual([`after 2 s MongoDB at ${host} cannot be reached: connect ECONNREFUSED ${host}. \`start\` goes on trying`]);
    await clock.advance(300_000, turn);
    expect(log.map((line) => Number(/after (\d+) s/.exec(line)?.[1]))).toEqual([2, 4, 8, 16, 32, 64, 124, 184, 244]);
    await container.get(IAsyncService).stop();
    expect(await starting).toBeInstanceOf(NotRunningError);
    expect(clock.scheduler.actions).toEqual([]);
  });

  it('never says who connects, or with which password', () => {
    const client = new MongoClient('mongodb://ann:secret@db1.example:27017,db2.example:27018/?replicaSet=rs0');
    const members = new Members([client, client]);
    expect(members.hosts).toBe('db1.example:27017, db2.example:27018');
    expect(new Members([new MongoClient('mongodb+srv://ann:secret@cluster.example/')]).hosts).toBe('cluster.example');
  });

  it('tries as long as `connectTimeoutMs` says', async () => {
    const clock = new VirtualClock();
    const { contained, host, client } = await away({}, { connectTimeoutMs: 90_000 });
    const failed = new Promise((resolve) => client.once('serverHeartbeatFailed', resolve));
    const starting = failure(start(contained(clock)));
    await failed;
    const turn = () => firstValueFrom(nextTurn());
    let error: unknown;
    void starting.then((thrown) => {
      error = thrown;
    });
    await clock.advance(89_999, turn);
    expect(error).toBeUndefined();
    await clock.advance(1, turn);
    await starting;
    expect(error).toMatchObject({ code: 'MILLRACE_DATABASE_UNREACHABLE', cause: expect.any(Error) });
    expect(String(error)).toContain(`connect ECONNREFUSED ${host}`);
    expect(clock.scheduler.actions).toEqual([]);
  });

  it('succeeds as soon as the database is there, also after the driver has given up', async () => {
    const { contained, client, up } = await away({ serverSelectionTimeoutMS: 100 }, { connectTimeoutMs: 60_000 });
    const gaveUp = new Promise((resolve) => client.once('topologyClosed', resolve));
    const starting = works(contained());
    await gaveUp;
    await up();
    await starting;
  });

  it('ends soon when the service is stopped', async () => {
    const { contained, client } = await away({}, { connectTimeoutMs: 3_600_000 });
    const failed = new Promise((resolve) => client.once('serverHeartbeatFailed', resolve));
    const container = contained();
    const starting = failure(start(container));
    await failed;
    await container.get(IAsyncService).stop();
    expect(await starting).toBeInstanceOf(NotRunningError);
  });

  it('that is stopped leaves alone another one that waits for the same store', async () => {
    const { contained, client, up } = await away({}, { connectTimeoutMs: 60_000 });
    const failed = new Promise((resolve) => client.once('serverHeartbeatFailed', resolve));
    const [unwanted, wanted] = [contained(), contained()];
    const [starting, other] = [failure(start(unwanted)), works(wanted)];
    await failed;
    await unwanted.get(IAsyncService).stop();
    expect(await starting).toBeInstanceOf(NotRunningError);
    await up();
    await other;
  });
});

describe('when the database is back', () => {
  it.each(['the same container', 'a new container', 'a new store'])('a second start works, with the same client and %s', async (what) => {
    const { contained, client, up } = await away(soon);
    const first = contained();
    expect(await failure(start(first))).toBeInstanceOf(DatabaseUnreachableError);
    await up();
    const again = {
      'the same container': () => first,
      'a new container': () => contained(),
      'a new store': () => contained(systemClock, mongoStore({ client, database: 'away' })),
    }[what];
    await works(again?.() ?? new Container());
  });

  it('a start works whose client the application could not connect', async () => {
    const { contained, client, up } = await away(soon);
    await expect(client.connect()).rejects.toThrow(MongoServerSelectionError);
    await up();
    await works(contained());
  });
});

describe('a start while the database is frozen', () => {
  it('says so, and goes on when it answers again', async () => {
    const clock = new VirtualClock();
    const { contained, client, host, log, up } = await away();
    const { faults } = await up();
    await client.connect();
    faults.freeze();
    const container = contained(clock);
    const starting = start(container);
    const turn = () => firstValueFrom(nextTurn());
    await clock.advance(2_000, turn);
    expect(log).toEqual([`after 2 s MongoDB at ${host} cannot be reached: there is no answer. \`start\` goes on trying`]);
    faults.thaw();
    await (await starting).stop();
  });

  it('gives up when a command has not been answered in time', async () => {
    const clock = new VirtualClock();
    const { contained, client, host, up } = await away();
    const { faults } = await up();
    await client.connect();
    faults.freeze();
    const starting = failure(start(contained(clock)));
    await clock.advance(40_000, () => firstValueFrom(nextTurn()));
    const error = await starting;
    expect(error).toBeInstanceOf(DatabaseUnreachableError);
    expect(String(error)).toContain(`MongoDB at ${host} cannot be reached: there is no answer. See that it runs`);
  });
});

describe('what waiting cannot cure is said at once', () => {
  it('another name of the replica set', async () => {
    const port = await freePort();
    const { client, up } = site(`mongodb://127.0.0.1:${port}/?replicaSet=rs9`, port, {});
    await up();
    const container = new Container();
    container.load(asyncModule({ store: mongoStore({ client, database: 'away' }) }));
    const error = await failure(start(container));
    expect(error).toBeInstanceOf(StoreError);
    expect(String(error)).toContain('looks for the replica set `rs9`, but MongoDB belongs to `rs0`: correct `replicaSet`');
  });

  it.each<[string, object, string | undefined, string | undefined]>([
    ['of the set', { setName: 'rs0', maxWireVersion: 21 }, 'rs0', undefined],
    ['of another set', { setName: 'rs1', maxWireVersion: 21 }, 'rs0', 'belongs to `rs1`'],
    ['that stands alone', { maxWireVersion: 21 }, 'rs0', '`mongod --replSet rs0`'],
    ['that may be initiated yet', { isreplicaset: true, maxWireVersion: 21 }, 'rs0', undefined],
    ['that routes to shards', { msg: 'isdbgrid', maxWireVersion: 21 }, 'rs0', 'remove `replicaSet`'],
    ['that is too old', { setName: 'rs0', maxWireVersion: 8 }, 'rs0', 'older than 4.4'],
    ['of any set, where none is asked for', { setName: 'rs1', maxWireVersion: 21 }, undefined, undefined],
  ])('a server %s', (_what, hello, replicaSet, problem) => {
    if (problem === undefined) expect(memberProblem(hello, replicaSet)).toBeUndefined();
    else expect(memberProblem(hello, replicaSet)).toContain(problem);
  });

  it('a refused password', () => {
    const cause = new MongoServerError({ message: 'Authentication failed.', code: 18 });
    const error = explainedAtStart(cause, { hosts: 'db1:27017', reason: undefined });
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ cause, message: expect.stringContaining('MongoDB at db1:27017 refuses the user or the password') });
  });

  it.each(['', 'a.b', 'a b', 'a/b', 'a$b', 'a"b', 'admin', 'local', 'config', 'ä'.repeat(32)])('the database name %j', (database) => {
    const client = new MongoClient('mongodb://127.0.0.1:1');
    expect(() => mongoStore({ client, database })).toThrow(OptionError);
    expect(() => mongoStore({ client, database })).toThrow('`database` of `mongoStore` must be the name of a database');
  });
});

describe('the reason for which it cannot be reached', () => {
  const at = (connectionId: string, answer: object): object => ({ connectionId, ...answer });

  it.each<[string, string, readonly [string, object][], string | undefined]>([
    ['is unknown before any answer', 'rs0', [], undefined],
    ['is that nothing listens', 'rs0', [['serverHeartbeatFailed', at('a:1', { failure: new Error('refused') })]], 'refused'],
    [
      'is that the set is not initiated',
      'rs0',
      [['serverHeartbeatSucceeded', at('a:1', { reply: { isreplicaset: true } })]],
      'run `rs.initiate()`',
    ],
    ['is that there is no primary', 'rs0', [['serverHeartbeatSucceeded', at('a:1', { reply: { setName: 'rs0' } })]], 'has no primary'],
    [
      'is not a member that is primary',
      'rs0',
      [['serverHeartbeatSucceeded', at('a:1', { reply: { setName: 'rs0', ismaster: true } })]],
      undefined,
    ],
  ])('%s', (_what, replicaSet, events, reason) => {
    const client = Object.assign(new EventEmitter(), { options: { hosts: ['a:1', 'b:2'], replicaSet } });
    const members = new Members([client as unknown as MongoClient]);
    const listening = members.refusals.subscribe();
    for (const [name, event] of events) client.emit(name, event);
    if (reason === undefined) expect(members.reason).toBeUndefined();
    else expect(members.reason).toContain(reason);
    listening.unsubscribe();
    expect(client.eventNames()).toEqual([]);
  });
});
