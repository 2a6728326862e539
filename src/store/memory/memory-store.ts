/** The embedded store: every promise of the port, kept in the memory of one process. */

import { defer, EMPTY, type Observable } from 'rxjs';
import { checkOptions, is, type Rules } from '../../check.js';
import { NotRunningError } from '../../errors.js';
import type { JobRecord, JobTree } from '../../job/job-record.js';
import type { Debounce } from '../../job/job-sealer.js';
import type { QuotaLimits } from '../../job/places.js';
import { replaceArguments } from '../../job/unique-key-rule.js';
import type { JobStore, StoreSetup } from '../job-store.js';
import type { ChangeFilter, StoreChange } from '../store-changes.js';
import type { AgentInfo } from '../store-insight.js';
import type {
  AttemptReport,
  ClaimedJob,
  ClaimRequest,
  InsertResult,
  JobQuery,
  RecoveryResult,
  ReleaseRequest,
  RescheduleRequest,
  RescheduleResult,
  Settlement,
} from '../store-messages.js';
import { AttemptTransitions } from './attempt-transitions.js';
import { Claimer } from './claimer.js';
import { Completion } from './completion.js';
import { DispatcherLeases } from './dispatcher-leases.js';
import { DueJobs } from './due-jobs.js';
import { Inserter } from './inserter.js';
import { JobFinder } from './job-finder.js';
import { JobTable } from './job-table.js';
import type { MemoryContext } from './memory-context.js';
import { MemoryControls } from './memory-controls.js';
import { MemoryInsight } from './memory-insight.js';
import { MemorySchedules } from './memory-schedules.js';
import type { MemorySession, Staged } from './memory-session.js';
import { MemoryTransactions } from './memory-transactions.js';
import { QuotaLedger } from './quota-ledger.js';
import { Retention } from './retention.js';

export interface MemoryStoreOptions {
  /**
   * How many ended jobs are remembered, each with everything below it and the jobs that it returned; older ones are forgotten. With 0, a
   * job is forgotten as soon as it has ended. Calls that wait for it by then still get it, with the jobs that its result names as they
   * ended. These are forgotten too: then `refresh()`, adding a callback, and a wait for a job whose end was not seen, all fail.
   * @default 10_000
   */
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
  readonly isEmbedded = true;
  readonly transactions = new MemoryTransactions((staged) => this.#operation(() => this.#commit(staged)));
  readonly #table = new JobTable();
  readonly #ledger = new QuotaLedger();
  readonly #jobFinder = new JobFinder(this.#table);
  readonly schedules = new MemorySchedules(
    () => this.#now(),
    (trees) => this.#operation(() => this.#inserter.placed(trees).map((one) => this.#inserter.insert(one))),
  );
  readonly controls = new MemoryControls(this.#ledger, () => this.#operation(() => this.#completion.wakeAll()));
  readonly #leases = new DispatcherLeases();
  readonly insight = new MemoryInsight({ table: this.#table, ledger: this.#ledger, leases: this.#leases, now: () => this.#now() });
  readonly #retention: Retention;
  readonly #completion: Completion;
  readonly #inserter: Inserter;
  readonly #dueJobs: DueJobs;
  readonly #claimer: Claimer;
  readonly #transitions: AttemptTransitions;
  #setup: StoreSetup | undefined;
  #putOff: Debounce = replaceArguments;
  /** How many containers have it open: several may share one store. */
  #users = 0;
  #lastToken = 0;

  constructor(keepEnded: number) {
    const now = (): Date => this.#now();
    this.#retention = new Retention(this.#table, keepEnded);
    this.#completion = new Completion(this.#table, this.#ledger, this.#retention, now);
    const context: MemoryContext = {
      table: this.#table,
      ledger: this.#ledger,
      completion: this.#completion,
      now,
      newToken: () => String(++this.#lastToken),
      putOff: (job, by) => this.#putOff(job, by),
    };
    this.#inserter = new Inserter(context);
    this.#dueJobs = new DueJobs(context);
    this.#claimer = new Claimer(context, this.#dueJobs, this.controls);
    this.#transitions = new AttemptTransitions(context, this.controls);
  }

  get quotas(): QuotaLimits {
    return this.#ledger.sizes;
  }

  async start(setup: StoreSetup): Promise<void> {
    this.#setup = setup;
    this.#putOff = setup.putOff ?? this.#putOff;
    this.#users++;
    this.#operation(() => {
      this.#ledger.configure(setup.quotas, setup.rates);
      this.#completion.wakeAll();
    });
  }

  async stop(): Promise<void> {
    if (this.#users > 0 && --this.#users === 0) this.#table.notifier.complete();
  }

  startSession(): MemorySession {
    return this.transactions.begin();
  }

  async insert(trees: readonly JobTree[], session?: object): Promise<readonly InsertResult[]> {
    const placed = this.#inserter.placed(trees);
    if (session === undefined) return this.#operation(() => placed.map((one) => this.#inserter.insert(one)));
    const own = this.transactions.own(session);
    return placed.map((one) => this.#inserter.stage(one, own));
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    return this.#operation(() => {
      const now = this.#now();
      if (!this.#leases.isAlive(request.dispatcher, now)) return [];
      this.#dueJobs.promote(now);
      const claimed = this.#claimer.claim(request, now);
      const startsAt = this.#ledger.rateLimiter.nextAt(now.getTime());
      if (startsAt !== undefined) this.#table.notifier.due(startsAt);
      return claimed;
    });
  }

  async report(reports: readonly AttemptReport[]): Promise<void> {
    this.#operation(() => {
      for (const report of reports) this.#transitions.report(report);
    });
  }

  async settle(ends: readonly Settlement[], session?: object): Promise<readonly boolean[]> {
    if (session === undefined) return this.#operation(() => ends.map((end) => this.#transitions.settle(end)));
    const own = this.transactions.own(session);
    return ends.map((end) => this.#transitions.stage(end, own));
  }

  async reschedule(again: readonly RescheduleRequest[]): Promise<readonly RescheduleResult[]> {
    return this.#operation(() => again.map((one) => this.#transitions.reschedule(one)));
  }

  async release(holds: readonly ReleaseRequest[]): Promise<void> {
    this.#operation(() => {
      for (const hold of holds) this.#transitions.release(hold);
    });
  }

  async cancel(ids: readonly string[], reason: string | undefined): Promise<void> {
    this.#operation(() => {
      for (const id of ids) {
        const record = this.#table.get(id);
        if (record !== undefined) this.#completion.cancel(record, reason);
      }
    });
  }

  async heartbeat(dispatcher: string, leaseMs: number, agents?: readonly AgentInfo[]): Promise<boolean> {
    return this.#operation(() => {
      const now = this.#now();
      const wasAlive = this.#leases.isAlive(dispatcher, now);
      const isHeld = this.#leases.renew(dispatcher, leaseMs, now, agents);
      // A dispatcher that gives its lease up takes care of nothing any more, so the jobs that it has not handed back come back now.
      if (leaseMs === 0) this.#takeBack(new Set([dispatcher]));
      // Signals from the time without a lease, in which it could claim nothing, are repeated.
      if (isHeld && !wasAlive) this.#completion.wakeAll();
      return isHeld;
    });
  }

  async recover(dispatcher: string): Promise<RecoveryResult> {
    return this.#operation(() => {
      const now = this.#now();
      this.#dueJobs.promote(now);
      this.#dueJobs.expireLate(now);
      this.#takeBack(this.#leases.declareDead(dispatcher, now));
      if (this.#ledger.rateLimiter.haveCome(now.getTime())) this.#completion.wakeAll();
      const nextAt = earlier(this.#table.dueTimes.next(), this.#ledger.rateLimiter.nextAt(now.getTime()));
      const running = this.#transitions.of(dispatcher);
      return { ...(nextAt === undefined ? {} : { nextAt }), ...(running.length === 0 ? {} : { running }) };
    });
  }

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#jobFinder.find(query);
  }

  async count(query: JobQuery): Promise<number> {
    return this.#jobFinder.count(query);
  }

  changes(interest: ChangeFilter): Observable<StoreChange> {
    return defer(() => (this.#users === 0 ? EMPTY : this.#table.notifier.listen(interest)));
  }

  /** Runs one operation of the port, with its follow-ups, then notifies listeners. */
  #operation<T>(operate: () => T): T {
    const result = operate();
    this.#completion.tend();
    this.#table.notifier.flush();
    this.#retention.forgetOldest();
    return result;
  }

  /** The steps that may fail come first; other participants commit before anybody is notified. */
  #commit({ trees, ends, participants }: Staged): void {
    for (const participant of participants) participant.check();
    for (const end of ends) this.#transitions.checkMayCommit(end);
    this.#inserter.commit(trees);
    for (const participant of participants) participant.apply();
    for (const end of ends) this.#transitions.settle(end);
  }

  #takeBack(dead: ReadonlySet<string>): void {
    if (dead.size === 0) return;
    if (this.#ledger.dropKeptBy(dead)) this.#completion.wakeAll();
    for (const record of [...this.#table.all()]) {
      const { owner, status } = record.state;
      if (status === 'active' && owner !== undefined && dead.has(owner)) this.#transitions.interrupt(record);
    }
  }

  #now(): Date {
    if (this.#setup === undefined) throw new NotRunningError('the memory store has not been started: await `start(container)` first');
    return new Date(this.#setup.clock.now());
  }
}

function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other < one) ? other : one;
}
