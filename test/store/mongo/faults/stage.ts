/** Where a scenario plays: a stand-in of its own on virtual time, two processes that work, and somebody who looks on. */

import { Container } from 'inversify';
import { type Db, type Document, MongoClient } from 'mongodb';
import { firstValueFrom, timer } from 'rxjs';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, start } from '../../../../src/index.js';
import { mongoStore } from '../../../../src/store/mongo/mongo-store.js';
import type { JobDocument, QuotaDocument } from '../../../../src/store/mongo/schema/documents.js';
import { seededRandom } from '../../../../src/testing/seeded-random.js';
import { VirtualClock } from '../../../../src/testing/virtual-clock.js';
import { type StandIn, startStandIn } from '../../../replica-set/stand-in.js';
import { silent } from '../../../support/silent.js';
import type { StrikePlan } from './cell.js';
import { Strike } from './strike.js';
import { Traffic } from './traffic.js';

const SENDERS = ['a', 'b'] as const;
const DATABASE = 'app';
const STEP_MS = 1_000;
/** A scenario that has not ended by then never will. */
const PATIENCE_MS = 900_000;
const RETRY_MS = 1_000;

type ServiceOptions = Omit<AsyncModuleOptions, 'store' | 'clock' | 'random' | 'logger'>;

/** The collections that a verdict reads. */
interface StoredDocuments {
  readonly jobs: JobDocument;
  readonly quotas: QuotaDocument;
}

export class Stage {
  readonly #traffic: Traffic;
  readonly #services: IAsyncService[] = [];
  readonly #outcomes: string[] = [];

  private constructor(
    readonly clock: VirtualClock,
    readonly strike: Strike,
    private readonly standIn: StandIn,
    private readonly clients: readonly MongoClient[],
    private readonly observer: MongoClient,
  ) {
    this.#traffic = new Traffic(() => strike.isHolding);
    for (const client of [...clients, observer]) this.#traffic.watch(client);
  }

  static async open(plan: StrikePlan): Promise<Stage> {
    const clock = new VirtualClock();
    const limit = (ms: number, act: () => void) => {
      const watch = timer(ms, clock.scheduler).subscribe(act);
      return { cancel: () => watch.unsubscribe() };
    };
    const standIn = await startStandIn({ now: () => clock.now(), limit });
    const connect = (appName: string) =>
      new MongoClient(standIn.uri, { appName, monitorCommands: true, heartbeatFrequencyMS: 500 }).connect();
    const observer = await connect('observer');
    const clients = await Promise.all(SENDERS.map(connect));
    const stage = new Stage(clock, new Strike(standIn.faults, clock, plan, new Set(SENDERS)), standIn, clients, observer);
    await stage.#observe();
    return stage;
  }

  /**
   * Starts both processes, with options that may need the database of their own clients; one that could not be started is started again, as
   * its operator would do.
   */
  async start(options: ServiceOptions | ((data: Db, index: number) => ServiceOptions)): Promise<readonly IAsyncService[]> {
    const optionsOf = typeof options === 'function' ? options : () => options;
    const starting = this.clients.map((client, index) => this.#start(client, optionsOf(client.db(DATABASE), index), index));
    this.#services.push(...(await this.play(Promise.all(starting))));
    return this.#services;
  }

  async #start(client: MongoClient, options: ServiceOptions, index: number): Promise<IAsyncService> {
    for (let seed = index + 1; ; seed += this.clients.length) {
      const container = new Container();
      const store = mongoStore({ client, database: DATABASE });
      container.load(asyncModule({ ...options, store, clock: this.clock, random: seededRandom(seed), logger: silent }));
      const started = await start(container).catch(() => undefined);
      if (started !== undefined) return started;
      await this.wait(RETRY_MS);
    }
  }

  /** Virtual time. */
  async wait(ms: number): Promise<void> {
    await firstValueFrom(timer(ms, this.clock.scheduler));
  }

  /** Moves time until something has happened. @throws Error when it never does */
  async play<T>(act: Promise<T>, what = 'something'): Promise<T> {
    let isOver = false;
    const over = act.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    const until = this.clock.now() + PATIENCE_MS;
    await this.#traffic.quiet();
    while (!isOver) {
      if (this.clock.now() >= until) throw new Error(`${what} does not come to its end; open: ${JSON.stringify(await this.#open())}`);
      await this.advance(STEP_MS);
    }
    return over;
  }

  /** Moves time until the fault is over, if it has come. */
  async outlast(): Promise<void> {
    do await this.advance(STEP_MS);
    while (this.strike.isUnderWay);
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms, () => this.#traffic.quiet());
  }

  /** The database of the jobs, past every fault. */
  get data(): Db {
    return this.observer.db(DATABASE);
  }

  /** The documents of one of their collections, past every fault. */
  async documents<C extends keyof StoredDocuments>(collection: C): Promise<readonly StoredDocuments[C][]> {
    const found = await this.observer.db(DATABASE).collection(`millrace.${collection}`).find().sort({ _id: 1 }).toArray();
    return found as readonly Document[] as readonly StoredDocuments[C][];
  }

  /** At how many moments commands followed each other without end. */
  get restless(): number {
    return this.#traffic.restless;
  }

  /** The ids of jobs whose outcome was written, once for each time. */
  get outcomes(): readonly string[] {
    return this.#outcomes;
  }

  async stopServices(): Promise<void> {
    await this.play(Promise.all(this.#services.map((service) => service.stop())), 'the stop of a service');
  }

  async close(): Promise<void> {
    this.standIn.faults.thaw();
    await Promise.all([...this.clients, this.observer].map((client) => client.close(true)));
    await this.standIn.stop();
  }

  async #observe(): Promise<void> {
    const stream = this.observer
      .db(DATABASE)
      .collection('millrace.jobs')
      .watch([{ $match: { 'updateDescription.updatedFields.outcome': { $exists: true } } }], { maxAwaitTimeMS: 600_000 });
    stream.on('error', () => undefined);
    stream.on('change', (change) => {
      if ('documentKey' in change) this.#outcomes.push(String(change.documentKey._id));
    });
    await new Promise<void>((resolve) => void stream.once('resumeTokenChanged', () => resolve()));
  }

  async #open(): Promise<readonly object[]> {
    const jobs = await this.documents('jobs');
    return jobs
      .filter(({ isOpen }) => isOpen === true)
      .map(({ name, taskName, status, owner, attempts }) => ({ name, taskName, status, owner, attempts }));
  }
}
