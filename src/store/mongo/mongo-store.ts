/** The store on MongoDB: every promise of the port, for any number of processes. */

import type { ClientSession } from 'mongodb';
import { defer, EMPTY, type Observable, Subject } from 'rxjs';
import { NotRunningError, UnknownQuotaError } from '../../errors.js';
import type { JobRecord, JobTree } from '../../job/job-record.js';
import type { QuotaLimits } from '../../job/places.js';
import { NO_RATES } from '../../job/rates.js';
import type { Controls, JobStore, Schedules, StoreSetup, Transactions } from '../job-store.js';
import type { ChangeFilter, StoreChange } from '../store-changes.js';
import type { AgentInfo, Insight } from '../store-insight.js';
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
import { hasNoServer, isUnanswered } from './driver/driver-errors.js';
import { ServerTime } from './driver/server-time.js';
import { objectIdOf } from './jobs/job-collection.js';
import { type CheckedMongoOptions, checkMongoOptions, type MongoStoreOptions } from './mongo-options.js';
import type { Collections } from './schema/collections.js';
import { Members } from './schema/members.js';
import { explainedAtStart, reach } from './schema/reaching.js';
import { checkPool, checkSameCluster, checkStore } from './schema/store-check.js';
import { isAttemptEnd } from './settle/settler.js';
import { closeParts, openParts, type StoreParts } from './wiring.js';

/** A store in a MongoDB database. @throws OptionError */
export function mongoStore(options: MongoStoreOptions): JobStore {
  const checked = checkMongoOptions(options);
  return new MongoStore(checked, ({ clock }) => new ServerTime(clock, checked.keepMs));
}

export class MongoStore implements JobStore {
  #opening: Promise<StoreParts> | undefined;
  #started: StoreParts | undefined;
  #users = 0;
  /** Emits when nobody uses it any more. */
  readonly #unused = new Subject<void>();
  readonly #members: Members;

  constructor(
    private readonly options: CheckedMongoOptions,
    private readonly timeOf: (setup: StoreSetup) => ServerTime,
  ) {
    this.#members = new Members([options.client, options.sessions]);
  }

  get quotas(): QuotaLimits {
    return this.#parts.quotas.book;
  }

  get schedules(): Schedules {
    return this.#parts.schedules;
  }

  get insight(): Insight {
    return this.#parts.insight;
  }

  get transactions(): Transactions {
    return this.#parts.transactions;
  }

  get controls(): Controls {
    const { pauses, quotas } = this.#parts;
    return {
      paused: () => pauses.read(),
      pause: (what, isPaused) => pauses.change(what, isPaused),
      resize: async (quota, size) => {
        if (!(await quotas.resize(quota, size))) throw new UnknownQuotaError(`there is no quota \`${quota}\``);
      },
    };
  }

  async start(setup: StoreSetup): Promise<void> {
    // Counted first: another service that stops meanwhile leaves it open.
    this.#users++;
    try {
      // Several services that start at the same time open it once.
      this.#opening ??= this.#open(setup);
      const parts = await Promise.race([this.#opening, abortion(setup.signal)]);
      if (setup.putOff !== undefined) parts.hooks.putOff = setup.putOff;
      await parts.quotas.configure(setup.quotas, setup.rates ?? NO_RATES);
      this.#started = parts;
    } catch (error) {
      await this.stop();
      throw explainedAtStart(error, this.#members);
    }
  }

  /** The next `start` opens it anew. */
  async stop(): Promise<void> {
    if (this.#users === 0 || --this.#users > 0) return;
    this.#unused.next();
    const opened = await this.#opening?.catch(() => undefined);
    if (this.#users > 0) return;
    this.#opening = undefined;
    if (opened !== undefined) await closeParts(opened);
  }

  async insert(trees: readonly JobTree[], session?: object): Promise<readonly InsertResult[]> {
    const { inserter, sessionInserter } = this.#parts;
    return session === undefined ? inserter.insert(trees) : sessionInserter.insert(trees, session as ClientSession);
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    return this.#parts.claimer.claim(request);
  }

  async report(reports: readonly AttemptReport[]): Promise<void> {
    await this.#parts.transitions.report(reports);
  }

  async settle(ends: readonly Settlement[], session?: object): Promise<readonly boolean[]> {
    const { transitions, settler, sessionSettler } = this.#parts;
    if (session !== undefined) return sessionSettler.settle(ends, session as ClientSession);
    const outcomes = ends.filter(isAttemptEnd);
    const answers = new Map<Settlement, boolean>();
    // Follows come first: a repeated follow is recognised, but an end is reported only once.
    for (const end of ends) if (end.outcome.status === 'follows') answers.set(end, await transitions.follow(end, end.outcome));
    const settled = await settler.settle(outcomes);
    for (const [index, end] of outcomes.entries()) answers.set(end, settled[index] === true);
    await sessionSettler.confirm(ends);
    return ends.map((end) => answers.get(end) === true);
  }

  async reschedule(again: readonly RescheduleRequest[]): Promise<readonly RescheduleResult[]> {
    const { transitions, sessionSettler } = this.#parts;
    const answers = await transitions.reschedule(again);
    await sessionSettler.confirm(again);
    return answers;
  }

  async release(holds: readonly ReleaseRequest[]): Promise<void> {
    const { transitions, sessionSettler } = this.#parts;
    for (const hold of holds) await transitions.release(hold);
    await sessionSettler.confirm(holds);
  }

  async cancel(ids: readonly string[], reason: string | undefined): Promise<void> {
    for (const id of ids.map(objectIdOf)) if (id !== undefined) await this.#parts.completion.cancel(id, reason);
  }

  async heartbeat(dispatcher: string, leaseMs: number, agents?: readonly AgentInfo[]): Promise<boolean> {
    const { leases, rescuer, notifier, forget } = this.#parts;
    const wasAlive = leases.isAlive(dispatcher);
    const isHeld = await leases.renew(dispatcher, leaseMs, agents);
    if (leaseMs === 0) await rescuer.takeOver(dispatcher);
    else if (!isHeld) forget(dispatcher);
    else if (!wasAlive) notifier.room();
    return isHeld;
  }

  async recover(dispatcher: string): Promise<RecoveryResult> {
    return this.#parts.maintainer.run(dispatcher);
  }

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#parts.finder.find(query);
  }

  async count(query: JobQuery): Promise<number> {
    return this.#parts.finder.count(query);
  }

  changes(interest: ChangeFilter): Observable<StoreChange> {
    return defer(() => {
      const parts = this.#started;
      if (parts === undefined || this.#users === 0) return EMPTY;
      // Jobs that ended here are known here; everything else may be done by other processes.
      if ('outcomes' in interest && interest.outcomes === 'everywhere') return parts.outcomes.changes;
      if (!('outcomes' in interest || 'failures' in interest || 'longWaits' in interest)) parts.router.listen();
      return parts.notifier.listen(interest);
    });
  }

  /** Resolves when all notifications have been sent. */
  async idle(): Promise<void> {
    await this.#parts.notifier.idle();
    await this.#parts.ownerRelease.flush();
  }

  async #open(setup: StoreSetup): Promise<StoreParts> {
    const { client, sessions, connectTimeoutMs } = this.options;
    checkPool(client.options?.maxPoolSize);
    const parts = openParts(this.options, setup.clock, this.timeOf(setup));
    if (setup.onDamage !== undefined) parts.hooks.onDamage = setup.onDamage;
    const { collections, inSession } = parts;
    // Connecting again is the only way to use a client that has not found its servers.
    const connect = async (): Promise<void> => {
      await Promise.all([client.connect(), sessions.connect()]);
      await collections.hello();
    };
    const prepare = async (): Promise<StoreParts> => {
      await checkStore(collections);
      await checkSameCluster(collections, inSession);
      await parts.time.begin(() => timeOfServer(collections));
      return parts;
    };
    const { onWaiting = () => {}, clock } = setup;
    return reach(connect, prepare, { members: this.#members, clock, connectTimeoutMs, onWaiting, unused: this.#unused });
  }

  get #parts(): StoreParts {
    if (this.#started === undefined) throw new NotRunningError('the MongoDB store has not been started: await `start(container)` first');
    return this.#started;
  }
}

/** Rejects when the signal is aborted. */
function abortion(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new NotRunningError('the store was stopped before it had started'));
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** The driver sends this command once: after a lost connection it is sent again, as a write would be. */
async function timeOfServer({ hello }: Collections): Promise<Date> {
  const answer = await hello().catch((error: unknown) => {
    if (!isUnanswered(error) || hasNoServer(error)) throw error;
    return hello();
  });
  return answer['localTime'] as Date;
}
