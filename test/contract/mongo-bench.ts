/** Fresh stores on the replica set of the run; their time is that of a virtual clock, which stands still. */

import { type Collection, type Db, MongoClient, Timestamp } from 'mongodb';
import { firstValueFrom } from 'rxjs';
import { nextTurn } from '../../src/clock.js';
import type { Expression } from '../../src/store/mongo/driver/expression.js';
import { ServerTime } from '../../src/store/mongo/driver/server-time.js';
import { checkMongoOptions } from '../../src/store/mongo/mongo-options.js';
import { MongoStore } from '../../src/store/mongo/mongo-store.js';
import type { JobDocument } from '../../src/store/mongo/schema/documents.js';
import { VirtualClock } from '../../src/testing/index.js';
import { findReplicaSet, type StandInFaults } from '../replica-set/find-replica-set.js';
import type { StandInOptions } from '../replica-set/stand-in.js';
import type { VirtualBench } from './memory-bench.js';

/** Sends the time of the virtual clock where the server would take its own. */
class StandingTime extends ServerTime {
  #ticks = 0;
  #tickedAt = 0;

  override async begin(): Promise<void> {
    // Nothing moves this time but the clock.
  }

  override get now(): Expression {
    return new Date(this.clock.now());
  }

  /** Exact to the millisecond, as the memory store is. */
  override get order(): Timestamp {
    const now = this.clock.now();
    this.#ticks = now === this.#tickedAt ? this.#ticks + 1 : 1;
    this.#tickedAt = now;
    return this.#at(now, this.#ticks);
  }

  override orderAt(due: Date): Timestamp {
    return this.#at(due.getTime(), 0);
  }

  #at(ms: number, ticks: number): Timestamp {
    return new Timestamp({ t: Math.floor(ms / 1_000), i: (ms % 1_000) * 4_000_000 + ticks });
  }
}

/** Each store has a database of its own, which can be dropped. */
export interface MongoBench extends VirtualBench {
  readonly database: Db;
  readonly drop: () => Promise<void>;
  /** The jobs in the database, for code that bypasses the store. */
  readonly jobs: Collection<JobDocument>;
  /** Another store on the same database, as another process has one. */
  readonly another: () => MongoStore;
}

export interface MongoBenches {
  /** Of the stand-in; a real server has none. */
  readonly faults: StandInFaults | undefined;
  readonly make: () => MongoBench;
  readonly close: () => Promise<void>;
}

export async function mongoBenches(options: StandInOptions = {}): Promise<MongoBenches> {
  const replicaSet = await findReplicaSet(options);
  const client = await new MongoClient(replicaSet.uri).connect();
  let databases = 0;
  return {
    faults: replicaSet.faults,
    make: () => bench(client, `contract-${process.pid}-${databases++}`),
    close: async () => {
      await client.close();
      await replicaSet.stop();
    },
  };
}

const KEEP_MS = 1_000_000;

function bench(client: MongoClient, database: string): MongoBench {
  const clock = new VirtualClock();
  const another = (): MongoStore => new MongoStore(checkMongoOptions({ client, database }), () => new StandingTime(clock, KEEP_MS));
  const store = another();
  const settled = async (): Promise<void> => {
    await store.idle();
    await firstValueFrom(nextTurn());
  };
  const db = client.db(database);
  const drop = async (): Promise<void> => {
    await db.dropDatabase();
  };
  const jobs = db.collection<JobDocument>('millrace.jobs');
  return { store, clock, jobs, settled, advance: (ms) => clock.advance(ms, settled), database: db, drop, another };
}
