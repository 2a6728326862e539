/** Processes that share a database, each with a client, a store and a service of its own; their commands are counted. */

import { Container } from 'inversify';
import { type Collection, type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, type JobStore, start } from '../../../src/index.js';
import type { MongoStoreOptions } from '../../../src/store/mongo/mongo-options.js';
import { mongoStore } from '../../../src/store/mongo/mongo-store.js';
import type { Interception } from '../../replica-set/faults/stand-in-faults.js';
import { findReplicaSet, type ReplicaSet, type StandInFaults } from '../../replica-set/find-replica-set.js';
import { silent } from '../../support/silent.js';
import { CommandsSent } from './commands-sent.js';

/** This number of turns without a command counts as quiet. */
const QUIET_TURNS = 50;

export interface Process {
  readonly async: IAsyncService;
  readonly store: JobStore;
}

/** The commands that all of them sent during an action. */
export interface Cost {
  readonly names: readonly string[];
  readonly commands: readonly Document[];
  /** How many documents were written. */
  readonly documents: number;
}

export class Processes {
  readonly uri: string;
  readonly #running: { readonly async: IAsyncService; readonly client: MongoClient }[] = [];
  #database = '';
  readonly #sent = new CommandsSent();

  private constructor(private readonly set: ReplicaSet) {
    this.uri = set.uri;
  }

  static async find(): Promise<Processes> {
    return new Processes(await findReplicaSet());
  }

  /** Of the stand-in; a real server has none. */
  get faults(): StandInFaults | undefined {
    return this.set.faults;
  }

  /** For the tests of one file: each in a database of its own, and after none is anything left, faults included. */
  static async forTests(name: string): Promise<Processes> {
    const processes = await Processes.find();
    let tests = 0;
    beforeEach(() => processes.useFreshDatabase(`${name}-${tests++}`));
    afterEach(async () => {
      processes.#endFaults();
      await processes.stopAll();
    });
    afterAll(() => processes.close());
    return processes;
  }

  /** Has this happen to the next command that passes, on the stand-in; resolves when such a one has arrived. */
  strike(passes: (command: Document) => boolean, how: Interception): Promise<void> {
    const { faults } = this;
    if (faults === undefined) throw new Error('a real server has no faults');
    return new Promise((resolve) => {
      faults.intercept = (command) => {
        if (!passes(command)) return undefined;
        faults.intercept = undefined;
        resolve();
        return how;
      };
    });
  }

  #endFaults(): void {
    if (this.faults === undefined) return;
    this.faults.intercept = undefined;
    this.faults.changeEvents.release();
    this.faults.changeEvents.tellsWhole = false;
    this.faults.releaseMajority();
    this.faults.oldSnapshots = false;
  }

  /** From now on in a database of their own. */
  useFreshDatabase(name: string): void {
    this.#database = `${name}-${process.pid}`;
  }

  async start(
    options: Omit<AsyncModuleOptions, 'store'>,
    storeOptions: Partial<MongoStoreOptions> = {},
    clientOptions: MongoClientOptions = {},
  ): Promise<Process> {
    const client = new MongoClient(this.uri, { monitorCommands: true, ...clientOptions });
    this.#sent.watch(client);
    await client.connect();
    const store = mongoStore({ client, database: this.#database, ...storeOptions });
    const container = new Container();
    container.load(asyncModule({ logger: silent, ...options, store }));
    const async = await start(container).catch(async (error: unknown) => {
      await client.close();
      throw error;
    });
    this.#running.push({ async, client });
    return { async, store };
  }

  /** The client of the first of them that was started. */
  get client(): MongoClient {
    const [first] = this.#running;
    if (first === undefined) throw new Error('no process has been started');
    return first.client;
  }

  /** One of their collections, to look into. */
  collection(name: string): Collection {
    return this.database.collection(`millrace.${name}`);
  }

  get database(): Db {
    return this.client.db(this.#database);
  }

  /** Looks again and again until it is so: what follows from an end is done soon after it, and nobody is told. */
  async until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds()));
  }

  /** The commands that all of them send during an action and its follow-ups; earlier commands have ended by then. */
  async costOf(act: () => Promise<unknown>): Promise<Cost> {
    await this.quiet();
    this.#sent.reset();
    await act();
    await this.quiet();
    const { names, commands, documents } = this.#sent;
    return { names, commands, documents };
  }

  /** Writes something, and waits until a stream shows it: by then the stream has been opened, and its follow-ups are over. */
  async untilHeard(act: () => Promise<unknown>): Promise<void> {
    const before = this.#sent.heard;
    await act();
    await this.until(async () => this.#sent.heard > before);
    await this.quiet();
  }

  /** The names of the commands alone. */
  async during(act: () => Promise<unknown>): Promise<readonly string[]> {
    return (await this.costOf(act)).names;
  }

  /** Waits until no command is under way, and none has been sent for many turns of the event loop. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const before = this.#sent.count;
      await firstValueFrom(nextTurn());
      if (this.#sent.count > before || this.#sent.isUnderWay) turns = 0;
    }
  }

  /** Stops all, and drops their database. */
  async stopAll(): Promise<void> {
    const running = this.#running.splice(0);
    for (const { async } of running) await async.stop();
    await running[0]?.client.db(this.#database).dropDatabase();
    for (const { client } of running) await client.close();
  }

  async close(): Promise<void> {
    await this.stopAll();
    await this.set.stop();
  }
}
