/** The embedded store: every promise of the port, kept in the memory of one process. */

import { defer, EMPTY, type Observable } from 'rxjs';
import { checkOptions, is, type Rules } from '../../check.js';
import { JobNotFoundError, NotRunningError } from '../../errors.js';
import { firstState, type JobRecord, type JobTree, type QueuedJob } from '../../job/job-record.js';
import type { QuotaBook } from '../../job/places.js';
import { isPutOffBy, putOffUntil } from '../../job/unique-key-rule.js';
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
import { Archive } from './archive.js';
import { Attempts } from './attempts.js';
import { Calendar } from './calendar.js';
import { Claimer } from './claimer.js';
import { JobTable, type Place } from './job-table.js';
import { Leases } from './leases.js';
import type { MemorySession, StagedTree } from './memory-session.js';
import { Conflict, MemoryTransactions } from './memory-transactions.js';
import { QuotaLedger } from './quota-ledger.js';
import type { Rooms } from './rooms.js';
import { Tender } from './tender.js';

export interface MemoryStoreOptions {
  /** How many ended jobs, each with everything below it, are remembered; older ones are forgotten. @default 10_000 */
  readonly keepEnded?: number | undefined;
}

export const MEMORY_STORE_DEFAULTS = Object.freeze({ keepEnded: 10_000 } as const satisfies MemoryStoreOptions);

const RULES: Rules<MemoryStoreOptions> = { keepEnded: is.countFromZero };

/** The embedded store, which has transactions of its own. */
export interface MemoryJobStore extends JobStore {
  /** Begins a transaction, for `async.withSession(session, fn)`; `commit()` or `abort()` ends it. */
  startSession(): MemorySession;
}

/** A store without a database: jobs live as long as the process. @throws OptionError */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryJobStore {
  checkOptions('`memoryStore`', options, RULES);
  return new MemoryStore(options.keepEnded ?? MEMORY_STORE_DEFAULTS.keepEnded);
}

class MemoryStore implements MemoryJobStore {
  readonly transactions = new MemoryTransactions((trees) => this.#commit(trees));
  readonly #table = new JobTable();
  readonly #ledger = new QuotaLedger();
  readonly #leases = new Leases();
  readonly #archive: Archive;
  readonly #tender: Tender;
  readonly #calendar: Calendar;
  readonly #claimer: Claimer;
  readonly #attempts: Attempts;
  #setup: StoreSetup | undefined;
  /** How many containers have it open: several may share one store. */
  #users = 0;
  #lastToken = 0;

  constructor(keepEnded: number) {
    const now = (): Date => this.#now();
    this.#archive = new Archive(this.#table, keepEnded);
    this.#tender = new Tender(this.#table, this.#ledger, this.#archive, now);
    const rooms: Rooms = { table: this.#table, ledger: this.#ledger, tender: this.#tender, now, newToken: () => String(++this.#lastToken) };
    this.#calendar = new Calendar(rooms);
    this.#claimer = new Claimer(rooms, this.#calendar);
    this.#attempts = new Attempts(rooms);
  }

  get quotas(): QuotaBook {
    return this.#ledger.sizes;
  }

  async start(setup: StoreSetup): Promise<void> {
    this.#setup = setup;
    this.#users++;
    this.#operation(() => {
      this.#ledger.configure(setup.quotas);
      this.#tender.wakeAll();
    });
  }

  async stop(): Promise<void> {
    if (--this.#users === 0) this.#table.feed.complete();
  }

  startSession(): MemorySession {
    return this.transactions.begin();
  }

  async insert(trees: readonly JobTree[], session?: object): Promise<readonly Inserted[]> {
    const now = this.#now();
    const placed = trees.map((tree): StagedTree => ({ tree, places: tree.map(() => this.#table.place(now)) }));
    if (session === undefined) return this.#operation(() => placed.map((one) => this.#insertTree(one)));
    const own = this.transactions.own(session);
    return placed.map((one) => ({ record: this.#stage(one, own, now) }));
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    return this.#operation(() => {
      const now = this.#now();
      if (!this.#leases.isAlive(request.dispatcher, now.getTime())) return [];
      this.#calendar.promote(now);
      return this.#claimer.claim(request, now);
    });
  }

  async report(reports: readonly Report[]): Promise<void> {
    this.#operation(() => {
      for (const report of reports) this.#attempts.report(report);
    });
  }

  async settle(ends: readonly End[]): Promise<readonly boolean[]> {
    return this.#operation(() => ends.map((end) => this.#attempts.settle(end)));
  }

  async reschedule(again: readonly Again[]): Promise<readonly (Attempt | undefined)[]> {
    return this.#operation(() => again.map((one) => this.#attempts.reschedule(one)));
  }

  async release(holds: readonly Hold[]): Promise<void> {
    this.#operation(() => {
      for (const hold of holds) this.#attempts.release(hold);
    });
  }

  async cancel(ids: readonly string[], reason: string | undefined): Promise<void> {
    this.#operation(() => {
      for (const id of ids) {
        const record = this.#table.get(id);
        if (record !== undefined) this.#tender.cancel(record, reason);
      }
    });
  }

  async heartbeat(dispatcher: string, leaseMs: number): Promise<boolean> {
    return this.#operation(() => {
      const nowMs = this.#now().getTime();
      const wasAlive = this.#leases.isAlive(dispatcher, nowMs);
      const isHeld = this.#leases.renew(dispatcher, leaseMs, nowMs);
      // Who gives its lease up takes care of nothing any more, so what it has not handed back comes back now.
      if (leaseMs === 0) this.#takeBack(new Set([dispatcher]));
      // What rang while it had no lease, and so could claim nothing, rings again.
      if (isHeld && !wasAlive) this.#tender.wakeAll();
      return isHeld;
    });
  }

  async recover(dispatcher: string): Promise<Recovery> {
    return this.#operation(() => {
      const now = this.#now();
      this.#calendar.promote(now);
      this.#calendar.expireLate(now);
      this.#takeBack(this.#leases.declareDead(dispatcher, now.getTime()));
      const nextAt = this.#table.agenda.next();
      return nextAt === undefined ? {} : { nextAt };
    });
  }

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    const found =
      query.ids === undefined
        ? [...this.#table.all()].sort((one, other) => one.state.order - other.state.order)
        : query.ids.map((id) => this.#table.get(id)).filter((record) => record !== undefined);
    return found.filter((record) => matches(record, query)).slice(0, query.limit);
  }

  async count(query: JobQuery): Promise<number> {
    const records = query.ids === undefined ? [...this.#table.all()] : await this.find(query);
    return records.filter((record) => matches(record, query)).length;
  }

  changes(interest: Interest): Observable<Change> {
    return defer(() => (this.#setup === undefined ? EMPTY : this.#table.feed.listen(interest)));
  }

  /** Runs one operation of the port: does what follows from it, then tells those who listen. */
  #operation<T>(operate: () => T): T {
    const result = operate();
    this.#tender.tend();
    this.#table.feed.flush();
    this.#archive.forgetOldest();
    return result;
  }

  /** @returns what will be there with the commit, or what has the tree's unique key */
  #stage(staged: StagedTree, session: MemorySession, now: Date): JobRecord {
    const [job] = staged.tree;
    const [at = this.#table.place(now)] = staged.places;
    const key = job.unique?.key;
    const before = key === undefined ? undefined : session.holderOf(key);
    if (before !== undefined) return firstRecord(job.unique?.debounce === undefined ? before : session.replaceArgs(before, job.args), at);
    const holder = key === undefined ? undefined : this.#table.holderOf(key, now);
    if (holder === undefined) session.stage([staged]);
    else if (isPutOffBy(job, holder)) session.stage([{ ...staged, holder: holder.job.id }]);
    return holder ?? firstRecord(staged, at);
  }

  /** All at once, or nothing where a job is gone that is to have a callback, or a unique key is no longer free, or taken, as it was. */
  #commit(staged: readonly StagedTree[]): void {
    const ids = new Set(staged.flatMap(({ tree }) => tree.map(({ id }) => id)));
    for (const { tree, holder } of staged) {
      const [{ parent, unique }] = tree;
      if (parent !== undefined && !ids.has(parent) && this.#table.get(parent) === undefined) throw noParent(parent);
      if (unique !== undefined && this.#table.holderOf(unique.key, this.#now())?.job.id !== holder) throw new Conflict(unique.key);
    }
    this.#operation(() => staged.map((one) => this.#insertTree(one)));
  }

  #insertTree({ tree, places }: StagedTree): Inserted {
    const [root] = tree;
    const existing = this.#table.get(root.id);
    if (existing !== undefined) return { record: existing };
    if (root.parent !== undefined && this.#table.get(root.parent) === undefined) {
      return { refused: noParent(root.parent) };
    }
    const holder = this.#holderOf(root);
    if (holder !== undefined) return { record: holder };
    for (const [index, at] of places.entries()) {
      const job = tree[index];
      if (job !== undefined) this.#table.add(job, at, index > 0 || job.parent !== undefined);
    }
    if (root.role === 'callback') this.#tender.releaseCallback(root.id);
    return { record: this.#table.get(root.id) as JobRecord };
  }

  /** The job that has the unique key of one that is to be inserted; a debounced one is put off by it. */
  #holderOf({ unique, args }: QueuedJob): JobRecord | undefined {
    if (unique === undefined) return undefined;
    const now = this.#now();
    const holder = this.#table.holderOf(unique.key, now);
    if (holder === undefined || !isPutOffBy({ unique }, holder)) return holder;
    return this.#table.putOff(holder, args, putOffUntil(unique, holder.state.queuedAt, now));
  }

  #takeBack(dead: ReadonlySet<string>): void {
    if (dead.size === 0) return;
    if (this.#ledger.dropKeptBy(dead)) this.#tender.wakeAll();
    for (const record of [...this.#table.all()]) {
      const { owner, status } = record.state;
      if (status === 'active' && owner !== undefined && dead.has(owner)) this.#attempts.interrupt(record);
    }
  }

  #now(): Date {
    if (this.#setup === undefined) throw new NotRunningError('the memory store has not been started: await `start(container)` first');
    return new Date(this.#setup.clock.now());
  }
}

/** A job as it will be there when its transaction commits. */
function firstRecord({ tree: [job], places }: StagedTree, place: Place): JobRecord {
  return { job, state: firstState(job, places[0] ?? place, job.parent !== undefined) };
}

function noParent(parent: string): JobNotFoundError {
  return new JobNotFoundError(`job ${parent} is not there, so it can have no callback: its retention is over`);
}

function matches({ job, state }: JobRecord, query: JobQuery): boolean {
  return (
    (query.queue === undefined || job.queue === query.queue) &&
    (query.statuses === undefined || query.statuses.includes(state.status)) &&
    (query.taskNames === undefined || query.taskNames.includes(job.taskName)) &&
    (query.parent === undefined || job.parent === query.parent)
  );
}
