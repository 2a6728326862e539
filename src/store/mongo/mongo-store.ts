/** The store on MongoDB: every promise of the port, for any number of processes. */

import { type Filter, type MongoClient, ObjectId } from 'mongodb';
import { defer, EMPTY, interval, type Observable, type Subscription } from 'rxjs';
import { checkOption, checkOptions, is, type Rules } from '../../check.js';
import type { Clock } from '../../clock.js';
import { NotRunningError } from '../../errors.js';
import type { JobRecord, JobTree } from '../../job/job-record.js';
import type { QuotaBook } from '../../job/places.js';
import type {
  Again,
  Attempt,
  Change,
  ClaimedJob,
  ClaimRequest,
  End,
  Hold,
  Inserted,
  Interest,
  JobQuery,
  JobStore,
  Recovery,
  Report,
  StoreSetup,
} from '../job-store.js';
import { Ahead } from './ahead.js';
import { Attempts } from './attempts.js';
import { Claims } from './claims.js';
import { openCollections } from './collections.js';
import type { JobDocument, QuotaDocument } from './documents.js';
import { Inserts } from './inserts.js';
import { Jobs } from './jobs.js';
import { Lanes } from './lanes.js';
import { Leases } from './leases.js';
import { News } from './news.js';
import { Relief } from './relief.js';
import { Rounds } from './rounds.js';
import { Running } from './running.js';
import { ServerTime } from './server-time.js';
import { isOutcome, Settlements } from './settlements.js';
import { Shares } from './shares.js';
import { checkStore } from './start-up.js';
import { Tender } from './tender.js';
import { WaitGraph } from './waiting.js';
import { type Heard, Watch } from './watch.js';

export interface MongoStoreOptions {
  /** A client of the application, connected to a replica set. */
  readonly client: MongoClient;
  /** The database in which the jobs live. */
  readonly database: string;
  /** Begins the names of the collections. @default 'millrace.' */
  readonly prefix?: string | undefined;
  /** Milliseconds for which a job is kept after the end of the batch or job that it belongs to. @default 604_800_000 */
  readonly keepMs?: number | undefined;
}

export const MONGO_STORE_DEFAULTS = Object.freeze({
  prefix: 'millrace.',
  keepMs: 604_800_000,
} as const satisfies Partial<MongoStoreOptions>);

const RULES: Rules<MongoStoreOptions> = { client: is.object, database: is.text, prefix: is.string, keepMs: is.durationMs };

/** A store in a MongoDB database. @throws OptionError */
export function mongoStore(options: MongoStoreOptions): JobStore {
  checkOptions<MongoStoreOptions>('`mongoStore`', options, RULES);
  checkOption('`mongoStore`', 'client', options.client, RULES.client);
  checkOption('`mongoStore`', 'database', options.database, RULES.database);
  const { keepMs = MONGO_STORE_DEFAULTS.keepMs } = options;
  return new MongoStore(options, (setup) => new ServerTime(setup.clock, keepMs));
}

/** Between two looks at the jobs that are watched here, in case news of them was lost. */
const POLL_MS = 5_000;

interface HeardOfQuota {
  readonly name: string;
  readonly quota: QuotaDocument | undefined;
  readonly rev: number | undefined;
}

/** The parts of a store that has been started. */
class Parts {
  readonly news: News;
  readonly shares: Shares;
  readonly leases: Leases;
  readonly tender: Tender;
  readonly attempts: Attempts;
  readonly settlements: Settlements;
  readonly claims: Claims;
  readonly inserts: Inserts;
  readonly rounds: Rounds;
  readonly jobs: Jobs;
  readonly collections;

  readonly relief: Relief;
  readonly ahead: Ahead;
  readonly watch: Watch;
  readonly lanes: Lanes;
  #polling: Subscription | undefined;

  constructor({ client, database, prefix }: MongoStoreOptions, clock: Clock, time: ServerTime) {
    const process = new ObjectId().toHexString();
    const collections = openCollections(client, database, prefix ?? MONGO_STORE_DEFAULTS.prefix);
    const lanes = new Lanes();
    const news = new News({
      collections,
      onPending: (lane) => lanes.ring(lane),
      follow: (id) => this.watch.follow(id),
      unfollow: (id) => this.watch.unfollow(id),
      dropAhead: (id, reason) => this.#dropAhead(id, reason),
    });
    const jobs = new Jobs(collections, (job) => news.changed(job));
    const leases = new Leases(collections, time);
    const shares = new Shares({
      collections,
      time,
      leases,
      onFreed: () => news.room(),
      beforeGivingWay: (dispatcher) => this.ahead.handBack(dispatcher),
      onBackground: (work) => news.track(work),
    });
    const relief = new Relief({ collections, clock, process, onBackground: (work) => news.track(work) });
    const tender = new Tender({ collections, jobs, shares, time, news, relief, process });
    const graph = new WaitGraph(jobs, shares);
    const running = new Running();
    const ahead = new Ahead({ collections, clock, time, running, news });
    this.ahead = ahead;
    const attempts = new Attempts({ jobs, shares, tender, time, news, graph, running, ahead, relief, process });
    this.collections = collections;
    this.news = news;
    this.jobs = jobs;
    this.leases = leases;
    this.shares = shares;
    this.tender = tender;
    this.attempts = attempts;
    this.settlements = new Settlements({ ahead, collections, jobs, running, shares, tender, time, news, process });
    this.claims = new Claims({ ahead, collections, relief, lanes, leases, running, shares, time, tender, news, process });
    this.inserts = new Inserts({ client, collections, jobs, time, news, tender, process });
    this.rounds = new Rounds({ collections, jobs, leases, shares, time, tender, attempts, ahead, news });
    this.relief = relief;
    this.lanes = lanes;
    this.process = process;
    this.watch = new Watch({
      collections,
      clock,
      process,
      onHeard: (heard) => this.#hear(heard),
      onOpened: () => this.#sweep(),
      onFailed: () => undefined,
    });
    this.#clock = clock;
  }

  readonly process: string;
  readonly #clock: Clock;

  /** Hears of what other processes do, and looks now and then in case something is not heard. */
  listen(): void {
    this.watch.open();
    this.#polling ??= interval(POLL_MS, this.#clock.scheduler).subscribe(() => this.news.readAll());
  }

  async close(): Promise<void> {
    this.#polling?.unsubscribe();
    await this.watch.close();
    await this.news.idle();
    await this.relief.flush();
    this.news.complete();
  }

  #hear({ collection, id, quota, rev, isInsert, origin, bell, dueAt, startBy, cancelOwner, cancelReason }: Heard): void {
    const { news, shares, collections } = this;
    if (collection === collections.quotas.collectionName) return news.track(this.#hearOfQuota(shares, { name: String(id), quota, rev }));
    const isEcho = isInsert && origin === this.process;
    if (bell !== undefined && !isEcho) news.found(bell);
    if (dueAt !== undefined) news.due(dueAt);
    if (startBy !== undefined) news.due(startBy);
    if (cancelOwner !== undefined) news.cancelOf(cancelOwner, String(id), cancelReason);
    if (!isEcho) news.changed({ _id: id as ObjectId });
  }

  #dropAhead(id: string, reason: string | undefined): boolean {
    const job = this.ahead.drop(id);
    if (job === undefined) return false;
    const end = this.jobs.decide(job._id, (now) =>
      now.status === 'assigned' ? this.tender.end(now, 'end', { status: 'cancelled', reason }) : 'nothing',
    );
    this.news.track(end.then(() => undefined));
    return true;
  }

  async #hearOfQuota(shares: Shares, { name, quota, rev }: HeardOfQuota): Promise<void> {
    if (await shares.hear(name, quota, rev)) this.news.room();
    await shares.yieldIdle();
  }

  /** What happened while nothing was heard is looked for. */
  #sweep(): void {
    this.news.room();
    this.news.readAll();
  }
}

export class MongoStore implements JobStore {
  #started: Parts | undefined;
  #users = 0;

  constructor(
    private readonly options: MongoStoreOptions,
    private readonly timeOf: (setup: StoreSetup) => ServerTime,
  ) {}

  get quotas(): QuotaBook {
    return this.#parts.shares.book;
  }

  async start(setup: StoreSetup): Promise<void> {
    const parts = this.#started ?? new Parts(this.options, setup.clock, this.timeOf(setup));
    if (this.#started === undefined) await checkStore(parts.collections);
    await parts.shares.configure(setup.quotas);
    this.#started = parts;
    this.#users++;
  }

  async stop(): Promise<void> {
    if (--this.#users > 0) return;
    await this.#parts.close();
  }

  async insert(trees: readonly JobTree[]): Promise<readonly Inserted[]> {
    return this.#parts.inserts.insert(trees);
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    return this.#parts.claims.claim(request);
  }

  async report(reports: readonly Report[]): Promise<void> {
    for (const report of reports) await this.#parts.attempts.report(report);
  }

  async settle(ends: readonly End[]): Promise<readonly boolean[]> {
    const { attempts, settlements } = this.#parts;
    const outcomes = ends.filter(isOutcome);
    const settled = await settlements.settle(outcomes);
    const answers = new Map<End, boolean>(outcomes.map((end, index) => [end, settled[index] === true]));
    for (const end of ends) if (end.outcome.status === 'follows') answers.set(end, await attempts.follow(end, end.outcome));
    return ends.map((end) => answers.get(end) === true);
  }

  async reschedule(again: readonly Again[]): Promise<readonly (Attempt | undefined)[]> {
    const attempts: (Attempt | undefined)[] = [];
    for (const one of again) attempts.push(await this.#parts.attempts.reschedule(one));
    return attempts;
  }

  async release(holds: readonly Hold[]): Promise<void> {
    for (const hold of holds) await this.#parts.attempts.release(hold);
  }

  async cancel(ids: readonly string[], reason: string | undefined): Promise<void> {
    for (const id of ids) if (ObjectId.isValid(id)) await this.#parts.tender.cancel(new ObjectId(id), reason);
  }

  async heartbeat(dispatcher: string, leaseMs: number): Promise<boolean> {
    const { leases, rounds, news } = this.#parts;
    const wasAlive = leases.isAlive(dispatcher);
    const isHeld = await leases.renew(dispatcher, leaseMs);
    if (leaseMs === 0) await rounds.takeBack(dispatcher);
    else if (isHeld && !wasAlive) news.room();
    return isHeld;
  }

  async recover(dispatcher: string): Promise<Recovery> {
    return this.#parts.rounds.round(dispatcher);
  }

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    const { jobs, news } = this.#parts;
    const found = await jobs.find(filterOf(query), query.ids === undefined ? (query.limit ?? 0) : 0);
    const records = await Promise.all(found.map((job) => news.recordOf(job)));
    if (query.ids === undefined) return records;
    const byId = new Map(records.map((record) => [record.job.id, record]));
    return query.ids.flatMap((id) => byId.get(id) ?? []).slice(0, query.limit);
  }

  async count(query: JobQuery): Promise<number> {
    return this.#parts.collections.jobs.countDocuments(filterOf(query));
  }

  changes(interest: Interest): Observable<Change> {
    return defer(() => {
      const parts = this.#started;
      if (parts === undefined) return EMPTY;
      // What ended here is known here; all else may be done by other processes.
      if (!('outcomes' in interest)) parts.listen();
      return parts.news.listen(interest);
    });
  }

  /** Resolves when everything that was done has been told. */
  async idle(): Promise<void> {
    await this.#parts.news.idle();
    await this.#parts.relief.flush();
  }

  get #parts(): Parts {
    if (this.#started === undefined) throw new NotRunningError('the MongoDB store has not been started: await `start(container)` first');
    return this.#started;
  }
}

function filterOf({ ids, queue, statuses, taskNames, parent }: JobQuery): Filter<JobDocument> {
  return {
    ...(ids === undefined ? {} : { _id: { $in: ids.filter((id) => ObjectId.isValid(id)).map((id) => new ObjectId(id)) } }),
    ...(queue === undefined ? {} : { queue }),
    ...(statuses === undefined ? {} : { status: { $in: [...statuses] } }),
    ...(taskNames === undefined ? {} : { task: { $in: [...taskNames] } }),
    ...(parent === undefined ? {} : { parent: new ObjectId(parent) }),
  };
}
