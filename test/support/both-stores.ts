/** Runs scenarios on both stores: services that share a store, like processes that share a database, on a time that only the test moves. */

import { Container } from 'inversify';
import type { Collection, Db } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe } from 'vitest';
import { nextTurn } from '../../src/clock.js';
import { type AsyncModuleOptions, asyncModule, type IAsyncService, type Job, type JobStore, start } from '../../src/index.js';
import type { JobState } from '../../src/job/job-record.js';
import type { JobDocument } from '../../src/store/mongo/schema/documents.js';
import {
  type DocumentCollection,
  type PlainDocument,
  seededRandom,
  transactionalDocuments,
  type VirtualClock,
} from '../../src/testing/index.js';
import { memoryBench, type VirtualBench } from '../contract/memory-bench.js';
import { type MongoBenches, mongoBenches } from '../contract/mongo-bench.js';
import { mongoDocuments } from '../parity/mongo-documents.js';
import { afterEachTest } from './leak-check.js';
import { silent } from './silent.js';

/** How many turns of the event loop in a row nothing must happen in. */
const QUIET_TURNS = 5;
/** The same while a process has something under way: by then it waits for time to be moved, as before it tries again. */
const STALLED_TURNS = 50;

/** Rare, so that hours of virtual time cost little. */
const RARE_SIGNS = { leaseMs: 86_400_000, heartbeatMs: 21_600_000, pollMs: 21_600_000 } as const;

/** The times of dispatchers of which one is to die. */
export const MORTAL = { leaseMs: 30_000, heartbeatMs: 5_000, idleHeartbeatMs: 5_000, pollMs: 10_000 } as const;
/** Longer than it takes until the jobs of a mortal that died are with others. */
export const DEATH_MS = 60_000;

export interface ProcessOptions extends Omit<AsyncModuleOptions, 'store' | 'clock' | 'random'> {
  /** With what the application has bound. @default a new one */
  readonly container?: Container;
  /** Methods that its store replaces, for this process alone. */
  readonly faults?: (store: JobStore) => Partial<JobStore>;
}

export interface Process {
  readonly async: IAsyncService;
  readonly clock: VirtualClock;
  /** The store as all processes share it, without this one's faults. */
  readonly store: JobStore;
  /** Runs until nothing is left to do at this moment of virtual time, in any process; jobs that wait for the test are left running. */
  drain(): Promise<void>;
  /** Moves time by `ms` milliseconds; on the way, all processes run jobs that become due. */
  advance(ms: number): Promise<void>;
  /** Stops the service, moving time as far as that takes. */
  stop(): Promise<void>;
  /** From now on nothing that it does has an effect, and nothing is answered to it. */
  die(): void;
  /** The stored state of a job. */
  stateOf(job: Job<unknown>): Promise<JobState>;
}

export interface Stage {
  /** Starts one more process on the store of the test. */
  start(options?: ProcessOptions): Promise<Process>;
  /** The collection of jobs, once a process has been started, where the store has one. */
  readonly jobs: Collection<JobDocument> | undefined;
  /** Documents of the application, in transactions with the jobs of the test. */
  documents<D extends PlainDocument>(name: string): DocumentCollection<D>;
  /** Lets a process die, and starts another one, which has taken over when this resolves. */
  succeed(dead: Process, options: ProcessOptions): Promise<Process>;
}

interface Bench extends VirtualBench {
  readonly jobs?: Collection<JobDocument>;
  readonly database?: Db;
  readonly drop?: () => Promise<void>;
}

/** Declares the same tests on the memory store and on the MongoDB store. */
export function onBothStores(scenarios: (stage: Stage, store: 'memory' | 'MongoDB') => void): void {
  describe('in memory', () => scenarios(new SharedStage(memoryBench), 'memory'));
  describe('on MongoDB', () => {
    let benches: MongoBenches | undefined;
    beforeAll(async () => {
      benches = await mongoBenches();
    });
    afterAll(() => benches?.close());
    const make = (): Bench => {
      if (benches === undefined) throw new Error('a stage is for tests: call `start` in one');
      return benches.make();
    };
    scenarios(new SharedStage(make), 'MongoDB');
  });
}

/** The store, the time and the processes of the test that runs. */
class SharedStage implements Stage {
  #bench: Bench | undefined;
  #processes: OwnProcess[] = [];
  readonly #calls = { begun: 0, underWay: 0 };
  #documents = transactionalDocuments();

  constructor(private readonly makeBench: () => Bench) {
    afterEachTest(() => this.#close());
  }

  async start({ faults = () => ({}), container = new Container(), dispatcher, ...options }: ProcessOptions = {}): Promise<Process> {
    this.#bench ??= this.makeBench();
    const bench = this.#bench;
    const process = new OwnProcess(bench, () => this.#drain());
    const counted = through(bench.store, (_method, call) => this.#counted(call));
    const store = through(withFaults(counted, faults(counted)), (method, call) => process.answered(method, call));
    const number = this.#processes.push(process);
    container.load(
      asyncModule({
        logger: silent,
        ...options,
        dispatcher: dispatcher === false ? false : { ...RARE_SIGNS, name: `process-${number}`, ...dispatcher },
        store,
        clock: bench.clock,
        random: seededRandom(number),
      }),
    );
    process.async = await start(container);
    return process;
  }

  get jobs(): Collection<JobDocument> | undefined {
    return this.#bench?.jobs;
  }

  documents<D extends PlainDocument>(name: string): DocumentCollection<D> {
    this.#bench ??= this.makeBench();
    const { database } = this.#bench;
    return database === undefined ? this.#documents.collection<D>(name) : mongoDocuments<D>(database, name);
  }

  async succeed(dead: Process, options: ProcessOptions): Promise<Process> {
    dead.die();
    const heir = await this.start(options);
    await heir.advance(DEATH_MS);
    return heir;
  }

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    this.#calls.begun++;
    this.#calls.underWay++;
    try {
      return await call();
    } finally {
      this.#calls.underWay--;
    }
  }

  async #drain(): Promise<void> {
    let begun = -1;
    for (let quiet = 0; quiet < (this.#isSettled ? QUIET_TURNS : STALLED_TURNS); ) {
      await this.#bench?.settled();
      await firstValueFrom(nextTurn());
      const isQuiet = this.#calls.begun === begun && this.#calls.underWay === 0;
      begun = this.#calls.begun;
      quiet = isQuiet ? quiet + 1 : 0;
    }
  }

  get #isSettled(): boolean {
    return this.#processes.every(({ isSettled }) => isSettled);
  }

  async #close(): Promise<readonly string[]> {
    const bench = this.#bench;
    if (bench === undefined) return [];
    for (const process of this.#processes) await process.stop();
    this.#bench = undefined;
    this.#processes = [];
    this.#documents = transactionalDocuments();
    await bench.drop?.();
    const timers = bench.clock.scheduler.actions.length;
    return timers > 0 ? [`${timers} timer(s) of virtual time`] : [];
  }
}

class OwnProcess implements Process {
  #async: IAsyncService | undefined;
  #isDead = false;
  readonly clock: VirtualClock;
  readonly store: JobStore;

  constructor(
    bench: Bench,
    readonly drain: () => Promise<void>,
  ) {
    this.clock = bench.clock;
    this.store = bench.store;
  }

  get async(): IAsyncService {
    if (this.#async === undefined) throw new Error('the process has not started');
    return this.#async;
  }

  set async(started: IAsyncService) {
    this.#async = started;
  }

  /** Whether no work is under way; of the dead nobody knows. */
  get isSettled(): boolean {
    if (this.#isDead || this.#async === undefined) return true;
    return (this.#async as { readonly isIdle?: boolean }).isIdle !== false && (this.#async.dispatcher?.isSettled ?? true);
  }

  readonly advance = (ms: number): Promise<void> => this.clock.advance(ms, this.drain);

  readonly stop = async (): Promise<void> => {
    let hasStopped = false;
    const stopping = Promise.resolve(this.#async?.stop()).finally(() => {
      hasStopped = true;
    });
    for (await this.drain(); !hasStopped; ) await this.advance(1_000);
    await stopping;
  };

  readonly die = (): void => {
    this.#isDead = true;
  };

  readonly stateOf = async ({ id }: Job<unknown>): Promise<JobState> => {
    const [record] = await this.store.find({ ids: [id] });
    if (record === undefined) throw new Error(`job ${id} is not there`);
    return record.state;
  };

  /** The store's answers to this process; the store must know when it is not used any more. */
  async answered<T>(method: string, call: () => Promise<T>): Promise<T> {
    if (this.#isDead && method !== 'stop') throw new Error('a dead process has no effect');
    const answer = await call();
    if (this.#isDead && method !== 'stop') throw new Error('a dead process is answered nothing');
    return answer;
  }
}

const ANSWERED = new Set<string | symbol>([
  'start',
  'stop',
  'insert',
  'claim',
  'report',
  'settle',
  'reschedule',
  'release',
  'cancel',
  'heartbeat',
  'recover',
  'find',
  'count',
] satisfies (keyof JobStore)[]);

/** A store whose calls go through something. */
function through(store: JobStore, go: <T>(method: string, call: () => Promise<T>) => Promise<T>): JobStore {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      if (!ANSWERED.has(key)) return value.bind(target);
      return (...args: unknown[]) => go(String(key), () => Reflect.apply(value, target, args) as Promise<unknown>);
    },
  });
}

function withFaults(store: JobStore, faults: Partial<JobStore>): JobStore {
  return new Proxy(store, { get: (target, key) => Reflect.get(faults, key) ?? Reflect.get(target, key) });
}
