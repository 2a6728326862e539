/** Two services on one stand-in, in virtual time that is the server's as well, with a fault for one of the commands that they send. */

import { Container } from 'inversify';
import { type Document, MongoClient } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../../../src/clock.js';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, start } from '../../../../src/index.js';
import { mongoStore } from '../../../../src/store/mongo/mongo-store.js';
import { VirtualClock } from '../../../../src/testing/index.js';
import { type StandIn, startStandIn } from '../../../replica-set/stand-in.js';
import { fingerprintOf, OURS } from './fingerprint.js';

export const FAULTS = ['refused', 'closed before', 'answer lost', 'applied late', 'frozen', 'rolled back'] as const;
export type Fault = (typeof FAULTS)[number];

/** The fault is for so many commands of a kind from this one on, so that the driver's own second try fails as well. */
export interface Cell {
  readonly command: string;
  readonly at: number;
  readonly fault: Fault;
}

const AGAIN = 2;
/** Turns of the event loop without a command sent or answered, after which nothing is under way. */
const STILL_TURNS = 40;
/** Longer than the deadline of a command, and than a lease. */
const STUCK_MS = 60_000;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export class World {
  readonly clock = new VirtualClock();
  readonly services: IAsyncService[] = [];
  /** How often each kind of command was sent. */
  readonly seen = new Map<string, number>();
  #standIn: StandIn | undefined;
  readonly #clients: MongoClient[] = [];
  #moved = 0;
  #underWay = 0;
  /** How many commands wait for the fault to pass: one, or any number of them. */
  #stuck = 0;
  #pass: (() => Promise<void>) | undefined;
  hasFailed = false;
  /** A dispatcher has lost its lease, so that others may have run its jobs as well. */
  hasLostLease = false;

  constructor(private readonly cell: Cell | undefined) {}

  async open(options: Omit<AsyncModuleOptions, 'store' | 'clock'>): Promise<void> {
    this.#standIn = await startStandIn({ now: () => this.clock.now() });
    for (const name of ['a', 'b']) {
      const client = await this.#connect();
      const container = new Container();
      const dispatcher = { ...(options.dispatcher === false ? {} : options.dispatcher), name };
      container.load(asyncModule({ logger: silent, ...options, dispatcher, store: this.#store(client), clock: this.clock }));
      const service = await start(container);
      service.dispatcher?.events.subscribe(({ type }) => {
        if (type === 'lease lost') this.hasLostLease = true;
      });
      this.services.push(service);
    }
    this.#standIn.faults.intercept = (command) => this.#intercept(command);
  }

  /** Of the database, once everything is over, to look into. */
  documents(collection: string): Promise<Document[]> {
    const [client] = this.#clients;
    return client === undefined
      ? Promise.resolve([])
      : client.db('faults').collection(`millrace.${collection}`).find({}, { comment: OURS }).toArray();
  }

  /** Lets time pass until it is so. @throws after so many milliseconds of virtual time */
  async until(holds: () => Promise<boolean>, withinMs: number): Promise<void> {
    const end = this.clock.now() + withinMs;
    while (this.clock.now() < end) {
      await this.#quiet();
      await this.#endFault();
      if (await holds()) return;
      await this.clock.advance(1_000, () => this.#quiet());
    }
    throw new Error(`it is not so after ${withinMs} ms of virtual time`);
  }

  async close(): Promise<void> {
    await this.#endFault();
    if (this.#standIn !== undefined) this.#standIn.faults.intercept = undefined;
    let hasStopped = false;
    const stopping = Promise.all(this.services.map((service) => service.stop())).finally(() => {
      hasStopped = true;
    });
    while (!hasStopped) await this.clock.advance(1_000, () => firstValueFrom(nextTurn()));
    await stopping;
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#standIn?.stop();
  }

  #store(client: MongoClient) {
    return mongoStore({ client, database: 'faults' });
  }

  async #connect(): Promise<MongoClient> {
    const client = new MongoClient(this.#standIn?.uri ?? '', { monitorCommands: true });
    const moved = (by: number) => (event: { readonly commandName: string }) => {
      if (event.commandName === 'getMore') return;
      this.#underWay += by;
      this.#moved++;
    };
    client.on('commandStarted', moved(1));
    client.on('commandSucceeded', moved(-1));
    client.on('commandFailed', moved(-1));
    this.#clients.push(client);
    return client.connect();
  }

  /** Nothing is sent or answered any more, and every client finds its server. */
  async #quiet(): Promise<void> {
    for (let turns = 0, moved = this.#moved; turns < STILL_TURNS; turns++) {
      await firstValueFrom(nextTurn());
      if (this.#moved > moved || this.#underWay > this.#stuck) turns = 0;
      moved = this.#moved;
    }
    if (this.#stuck === 0) await Promise.all(this.#clients.map((client) => client.db('faults').command({ ping: 1 })));
  }

  /** A command that waits has waited for longer than anybody listens. */
  async #endFault(): Promise<void> {
    const pass = this.#pass;
    if (pass === undefined) return;
    this.#pass = undefined;
    await this.clock.advance(STUCK_MS, () => this.#quiet());
    await pass();
    this.#stuck = 0;
  }

  #intercept(command: Document): 'refuse' | 'close' | 'lose answer' | Promise<void> | undefined {
    const kind = fingerprintOf(command);
    if (kind === undefined) return undefined;
    const count = (this.seen.get(kind) ?? 0) + 1;
    this.seen.set(kind, count);
    if (this.cell?.command !== kind || count < this.cell.at || count >= this.cell.at + AGAIN) return this.#waiting();
    this.hasFailed = true;
    switch (this.cell.fault) {
      case 'refused':
        return 'refuse';
      case 'closed before':
        return 'close';
      case 'answer lost':
        return 'lose answer';
      case 'applied late':
        return count === this.cell.at ? this.#wait(1) : undefined;
      case 'frozen':
        this.#frozen ??= this.#wait(Number.POSITIVE_INFINITY);
        return this.#frozen;
      case 'rolled back':
        if (count === this.cell.at) this.#holdMajority();
        return undefined;
    }
  }

  #frozen: Promise<void> | undefined;

  /** While everything is frozen, all wait. */
  #waiting(): Promise<void> | undefined {
    return this.#frozen;
  }

  #wait(commands: number): Promise<void> {
    this.#stuck = commands;
    return new Promise((resolve) => {
      this.#pass = async () => {
        this.#frozen = undefined;
        resolve();
      };
    });
  }

  #holdMajority(): void {
    const faults = this.#standIn?.faults;
    this.#stuck = Number.POSITIVE_INFINITY;
    faults?.holdMajority();
    this.#pass = async () => faults?.stepDown();
  }
}
