/** Where the suite runs: the replica set that was found, one client for all cases, and a bench for each. */

import { randomBytes } from 'node:crypto';
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { findReplicaSet, type ReplicaSet, type StandInFaults } from '../find-replica-set.js';
import type { Bench, Thing } from './bench.js';
import { eventually } from './eventually.js';
import type { Fact, Need } from './fact.js';

type Skip = (reason: string) => never;

/** How a case is run: how it is skipped, and how it learns that its time is over. */
export interface Run {
  readonly skip: Skip;
  readonly signal: AbortSignal;
}

/** Facts about the replica set that are read before the first case. */
interface Found {
  readonly set: ReplicaSet;
  readonly client: MongoClient;
  readonly appName: string;
  readonly version: number;
  readonly hello: Document;
  readonly lacks: ReadonlyMap<Need, string>;
}

/** Looks for a lost server more often than drivers do by themselves, so that cases go on sooner. */
const DEFAULTS: MongoClientOptions = { writeConcern: { w: 'majority' }, minHeartbeatFrequencyMS: 50 };

const named = (uri: string, appName: string, options: MongoClientOptions = {}): MongoClient =>
  new MongoClient(uri, { appName, ...DEFAULTS, ...options });

export class Place {
  readonly #found: Found;
  readonly #skipped = new Map<string, number>();
  #shown = 0;

  private constructor(found: Found) {
    this.#found = found;
  }

  static async open(): Promise<Place> {
    const set = await findReplicaSet();
    const appName = `conformance-${randomBytes(4).toString('hex')}`;
    const client = await named(set.uri, appName).connect();
    const admin = client.db('admin');
    const { versionArray } = await admin.command({ buildInfo: 1 });
    const version = Number(`${versionArray[0]}.${versionArray[1]}`);
    const hello = await admin.command({ hello: 1 });
    return new Place({ set, client, appName, version, hello, lacks: await findLacks(set, client) });
  }

  /** Shows one fact on a fresh database, or skips it with the reason; gives up, and closes everything, when the signal comes. */
  async show(fact: Fact, { skip, signal }: Run): Promise<void> {
    const counted: Skip = (reason) => {
      this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
      return skip(reason);
    };
    const reason = this.#obstacle(fact);
    if (reason !== undefined) counted(reason);
    const closings: (() => Promise<unknown>)[] = [];
    const bench = this.#bench(closings, counted);
    closings.push(() => bench.db.dropDatabase());
    try {
      await Promise.race([fact.show(bench), aborted(signal)]);
      this.#shown += 1;
    } finally {
      mend(this.#found.set.faults);
      await closeAll(closings.reverse());
    }
  }

  /** The cases that ran, and those that were skipped, with the reason. */
  summary(): string {
    const { set, version } = this.#found;
    const skipped = [...this.#skipped].map(([reason, times]) => `${times} skipped: ${reason}`);
    return [`${this.#shown} facts shown on ${set.kind} ${version}`, ...skipped].join('; ');
  }

  /** Closes the client and the set; fails if a case has left a connection open. */
  async close(): Promise<void> {
    const { client, set } = this.#found;
    await client.close();
    const allClosed = async () => ((set.faults?.openConnections() ?? 0) === 0 ? true : undefined);
    await eventually(allClosed, { what: 'the connections of all clients to be closed' }).finally(() => set.stop());
  }

  #obstacle({ since, needs }: Fact): string | undefined {
    const { version, lacks } = this.#found;
    if (version < since) return `needs MongoDB ${since}`;
    return needs.map((need) => lacks.get(need)).find((reason) => reason !== undefined);
  }

  #bench(closings: (() => Promise<unknown>)[], skip: Skip): Bench {
    const { set, client, appName, version, hello } = this.#found;
    const db = client.db(`conformance_${randomBytes(6).toString('hex')}`);
    const after = (close: () => Promise<unknown>) => void closings.push(close);
    return {
      client,
      db,
      things: db.collection<Thing>('things'),
      uri: set.uri,
      appName,
      version,
      hello,
      get faults(): StandInFaults {
        return set.faults ?? skip('needs the stand-in');
      },
      connect: (options) => {
        const another = named(set.uri, appName, options);
        after(() => another.close());
        return another.connect();
      },
      session: (options) => {
        const session = client.startSession(options);
        after(() => session.endSession());
        return session;
      },
      after,
      skip,
    };
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** Ends the faults that last, so that what is still open can be closed. */
function mend(faults: StandInFaults | undefined): void {
  if (faults === undefined) return;
  faults.thaw();
  faults.releaseMajority();
  faults.changeEvents.release();
  Object.assign(faults, { oldSnapshots: false, clockOffsetMs: 0 });
}

/** Closes everything, whatever fails, and then says what failed first. */
async function closeAll(closings: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closings) await close().catch((failure: unknown) => failures.push(failure));
  if (failures.length > 0) throw failures[0];
}

/** Finds out what can't be shown here, and why. */
async function findLacks(set: ReplicaSet, client: MongoClient): Promise<ReadonlyMap<Need, string>> {
  const lacks = new Map<Need, string>();
  if (set.faults === undefined) lacks.set('stand-in', 'a fault that only the stand-in has');
  if (process.env['MILLRACE_SLOW'] !== '1') lacks.set('patience', 'waits for seconds; set MILLRACE_SLOW=1');
  if (process.env['MILLRACE_SLOW'] !== '1' && set.faults === undefined) lacks.set('step-downs', 'disturbs everybody; set MILLRACE_SLOW=1');
  if (client.options.directConnection || client.options.loadBalanced) lacks.set('discovery', 'the URI forbids discovery');
  const off = client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  await off.catch((error: Error) => lacks.set('fail points', `no fail points here (${error.message})`));
  return lacks;
}
