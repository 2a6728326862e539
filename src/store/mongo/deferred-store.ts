/**
 * The Mongo store as the package exports it: modules that need the driver are loaded at start, so that a missing driver is an error of
 * Millrace.
 */

import { defer, EMPTY, type Observable } from 'rxjs';
import { NotRunningError } from '../../errors.js';
import type { JobRecord, JobTree } from '../../job/job-record.js';
import type { QuotaLimits } from '../../job/places.js';
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
import { checkDriver, withDriver } from './installed-driver.js';
import { checkMongoOptions, type MongoStoreOptions } from './mongo-options.js';

checkDriver();

/** A store in a MongoDB database. @throws OptionError */
export function mongoStore(options: MongoStoreOptions): JobStore {
  const checked = checkMongoOptions(options);
  return new DeferredStore(() => withDriver(async () => (await import('./mongo-store.js')).mongoStore(checked)));
}

export class DeferredStore implements JobStore {
  #loading: Promise<JobStore> | undefined;
  #loaded: JobStore | undefined;

  constructor(private readonly load: () => Promise<JobStore>) {}

  async start(setup: StoreSetup): Promise<void> {
    this.#loading ??= this.load();
    try {
      this.#loaded = await this.#loading;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
    await this.#loaded.start(setup);
  }

  /** After the start that came before, if it is still being loaded. */
  async stop(): Promise<void> {
    const loaded = await this.#loading?.catch(() => undefined);
    await loaded?.stop();
  }

  get quotas(): QuotaLimits {
    return this.#store.quotas;
  }

  get transactions(): Transactions {
    return this.#store.transactions;
  }

  get controls(): Controls {
    return this.#store.controls;
  }

  get schedules(): Schedules {
    return this.#store.schedules;
  }

  get insight(): Insight {
    return this.#store.insight;
  }

  async insert(trees: readonly JobTree[], session?: object): Promise<readonly InsertResult[]> {
    return this.#store.insert(trees, session);
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedJob[]> {
    return this.#store.claim(request);
  }

  async report(reports: readonly AttemptReport[]): Promise<void> {
    return this.#store.report(reports);
  }

  async settle(ends: readonly Settlement[], session?: object): Promise<readonly boolean[]> {
    return this.#store.settle(ends, session);
  }

  async reschedule(again: readonly RescheduleRequest[]): Promise<readonly RescheduleResult[]> {
    return this.#store.reschedule(again);
  }

  async release(holds: readonly ReleaseRequest[]): Promise<void> {
    return this.#store.release(holds);
  }

  async cancel(ids: readonly string[], reason: string | undefined): Promise<void> {
    return this.#store.cancel(ids, reason);
  }

  async heartbeat(dispatcher: string, leaseMs: number, agents?: readonly AgentInfo[]): Promise<boolean> {
    return this.#store.heartbeat(dispatcher, leaseMs, agents);
  }

  async recover(dispatcher: string): Promise<RecoveryResult> {
    return this.#store.recover(dispatcher);
  }

  async find(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#store.find(query);
  }

  async count(query: JobQuery): Promise<number> {
    return this.#store.count(query);
  }

  changes(interest: ChangeFilter): Observable<StoreChange> {
    return defer(() => this.#loaded?.changes(interest) ?? EMPTY);
  }

  get #store(): JobStore {
    if (this.#loaded === undefined) throw new NotRunningError('the MongoDB store has not been started: await `start(container)` first');
    return this.#loaded;
  }
}
