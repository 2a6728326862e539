/** Rates of quotas: asks the server for as many starts as a claim has jobs for, before they are taken. */

import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { type Places, takes } from '../../../job/places.js';
import { nextStart, type RecentStarts, startsLeft } from '../../../job/rates.js';
import type { ServerTime } from '../driver/server-time.js';
import type { JobDocument } from '../schema/documents.js';
import type { QuotaCache } from './quota-cache.js';
import { startsPipeline, unusedPipeline } from './quota-pipelines.js';

export interface RateLimiterSources {
  readonly clock: Clock;
  readonly quotas: QuotaCache;
  readonly time: ServerTime;
  /** Told when a start is there that some job lacked. */
  readonly onFreed: () => void;
}

/** A timer is not trusted for longer: it fires, and the time is checked again. */
const LOOK_MS = 30_000;

/** The starts that a claim was given, by quota. */
type Grant = ReadonlyMap<string, RecentStarts>;

export interface StartGrant {
  readonly may: ReadonlySet<JobDocument>;
  readonly grant: Grant;
}

export class RateLimiter {
  /** By quota that has no start left: fires when it has. */
  readonly #timers = new Map<string, Subscription>();

  constructor(private readonly sources: RateLimiterSources) {}

  /** Whether the rates let no job with these places begin now, as far as is known; `onFreed` is called when one may. */
  isUsedUp(places: Places): boolean {
    const lacking = Object.keys(places).filter((name) => this.#isUsedUp(name));
    for (const name of lacking) this.#ringLater(name);
    return lacking.length > 0;
  }

  /** How many starts the rate of a quota leaves, as far as is known; `undefined` if it has no rate. */
  startsLeft(name: string): number | undefined {
    const { quotas, time } = this.sources;
    const rate = quotas.rateOf(name);
    return rate === undefined ? undefined : startsLeft(rate, quotas.begunOf(name), time.estimate().getTime());
  }

  /** Asks for a start of each quota that these jobs need, in their order. */
  async begin(jobs: readonly JobDocument[]): Promise<StartGrant> {
    const may = new Set(jobs);
    const grant = new Map<string, RecentStarts>();
    for (const name of this.sources.quotas.book.keys()) {
      const rate = this.sources.quotas.rateOf(name);
      const needing = needingStart([...may], name);
      if (rate === undefined || needing.length === 0) continue;
      const { granted } =
        (await this.sources.quotas.write({ _id: name }, startsPipeline({ want: needing.length, rate }, this.sources.time))) ?? {};
      if (granted !== undefined) grant.set(name, granted);
      for (const job of needing.slice(granted?.count ?? 0)) may.delete(job);
    }
    return { may, grant };
  }

  /** Gives back the starts granted for jobs that have not begun after all. @param begun - those that have */
  async giveBack(grant: Grant, begun: readonly JobDocument[]): Promise<void> {
    for (const [name, { until, count }] of grant) {
      const unused = count - needingStart(begun, name).length;
      if (unused > 0) await this.sources.quotas.write({ _id: name }, unusedPipeline({ until, count: unused }));
    }
  }

  /** When another job may begin under the rate of a quota, where none may now. */
  nextOf(name: string): Date | undefined {
    const { quotas, time } = this.sources;
    return this.#isUsedUp(name) ? nextStart(quotas.begunOf(name), time.estimate().getTime()) : undefined;
  }

  close(): void {
    for (const timeout of this.#timers.values()) timeout.unsubscribe();
    this.#timers.clear();
  }

  #isUsedUp(name: string): boolean {
    const left = this.startsLeft(name);
    return left !== undefined && left <= 0;
  }

  #ringLater(name: string): void {
    const { clock, quotas, time, onFreed } = this.sources;
    const nowMs = time.estimate().getTime();
    const next = nextStart(quotas.begunOf(name), nowMs);
    if (next === undefined || this.#timers.has(name)) return;
    const timeout = timer(Math.min(next.getTime() - nowMs, LOOK_MS), clock.scheduler).subscribe(() => {
      this.#timers.delete(name);
      onFreed();
    });
    this.#timers.set(name, timeout);
  }
}

/** One that goes on with its places has begun before. */
function needingStart(jobs: readonly JobDocument[], name: string): readonly JobDocument[] {
  return jobs.filter(({ reservation, places }) => reservation === undefined && takes(places, name));
}
