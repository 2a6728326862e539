/** Processes that share a database, each with a client, a store and a service of its own; their commands are counted. */

import { Container } from 'inversify';
import { type Collection, type CommandStartedEvent, MongoClient } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../../src/clock.js';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, type JobStore, start } from '../../../src/index.js';
import type { MongoStoreOptions } from '../../../src/store/mongo/mongo-options.js';
import { mongoStore } from '../../../src/store/mongo/mongo-store.js';
import { findReplicaSet } from '../../replica-set/find-replica-set.js';

/** Asked for by the driver itself, or for as long as somebody listens. */
const NOT_COUNTED = new Set(['hello', 'ismaster', 'ping', 'endSessions', 'getMore']);

/** So many turns without a command are taken for quiet. */
const QUIET_TURNS = 50;

export interface Process {
  readonly async: IAsyncService;
  readonly store: JobStore;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export class Processes {
  readonly uri: string;
  readonly #stopSet: () => Promise<void>;
  readonly #running: { readonly async: IAsyncService; readonly client: MongoClient }[] = [];
  #database = '';
  #commands: CommandStartedEvent[] = [];
  #underWay = 0;

  private constructor(uri: string, stopSet: () => Promise<void>) {
    this.uri = uri;
    this.#stopSet = stopSet;
  }

  static async find(): Promise<Processes> {
    const set = await findReplicaSet();
    return new Processes(set.uri, () => set.stop());
  }

  /** From now on in a database of their own. */
  useFreshDatabase(name: string): void {
    this.#database = `${name}-${process.pid}`;
  }

  async start(options: Omit<AsyncModuleOptions, 'store'>, storeOptions: Partial<MongoStoreOptions> = {}): Promise<Process> {
    const client = new MongoClient(this.uri, { monitorCommands: true });
    client.on('commandStarted', (event) => {
      this.#commands.push(event);
      if (!NOT_COUNTED.has(event.commandName)) this.#underWay++;
    });
    const ended = ({ commandName }: { readonly commandName: string }): void => {
      if (!NOT_COUNTED.has(commandName)) this.#underWay--;
    };
    client.on('commandSucceeded', ended);
    client.on('commandFailed', ended);
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
    return this.client.db(this.#database).collection(`millrace.${name}`);
  }

  /** Looks again and again until it is so: what follows from an end is done soon after it, and nobody is told. */
  async until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds()));
  }

  /** The names of the commands that all of them send while something is done; what was under way before has ended by then. */
  async during(act: () => Promise<unknown>): Promise<readonly string[]> {
    await this.#quiet();
    this.#commands = [];
    await act();
    return this.#commands.map(({ commandName }) => commandName).filter((name) => !NOT_COUNTED.has(name));
  }

  /** Waits until no command is under way, and none has been sent for many turns of the event loop. */
  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const before = this.#commands.length;
      await firstValueFrom(nextTurn());
      if (this.#commands.length > before || this.#underWay > 0) turns = 0;
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
    await this.#stopSet();
  }
}
