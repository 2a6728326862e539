/** How many more jobs may begin under the rates of their quotas, and when, where none may now. */

import type { Places, QuotaLimits } from '../../job/places.js';
import { countsUntil, nextStart, type Rate, type RateBook, type RecentStarts, startsLeft } from '../../job/rates.js';

export class RateLimiter {
  readonly #rates = new Map<string, Rate>();
  readonly #begun = new Map<string, readonly RecentStarts[]>();
  /** Quotas of which a job lacked a start. */
  readonly #lacking = new Set<string>();

  /** Takes over the rates that are given; of the quotas that are named without one, the rate is gone. */
  configure(named: QuotaLimits, rates: RateBook): void {
    for (const name of named.keys()) {
      const rate = rates.get(name);
      if (rate === undefined) this.#rates.delete(name);
      else this.#rates.set(name, rate);
    }
  }

  /** Whether one more job with these places may begin; if not, the quotas that let none begin are noted. */
  mayBegin(places: Places, nowMs: number): boolean {
    if (this.#rates.size === 0) return true;
    let may = true;
    for (const name in places) {
      const rate = this.#rates.get(name);
      if (rate === undefined || startsLeft(rate, this.#of(name), nowMs) > 0) continue;
      this.#lacking.add(name);
      may = false;
    }
    return may;
  }

  /** A job with these places begins. */
  begin(places: Places, nowMs: number): void {
    if (this.#rates.size === 0) return;
    for (const name in places) {
      const rate = this.#rates.get(name);
      if (rate !== undefined) this.#begun.set(name, withOneMore(rate, this.#of(name), nowMs));
    }
  }

  rateOf(name: string): Rate | undefined {
    return this.#rates.get(name);
  }

  /** When another job may begin under the rate of a quota, where none may now. */
  nextOf(name: string, nowMs: number): Date | undefined {
    const rate = this.#rates.get(name);
    return rate === undefined || startsLeft(rate, this.#of(name), nowMs) > 0 ? undefined : nextStart(this.#of(name), nowMs);
  }

  /** When a start will be there that some job lacked. */
  nextAt(nowMs: number): Date | undefined {
    if (this.#lacking.size === 0) return undefined;
    const times = [...this.#lacking].map((name) => nextStart(this.#of(name), nowMs) ?? new Date(nowMs));
    return times.sort((one, other) => one.getTime() - other.getTime())[0];
  }

  /** Whether starts are there by now that some job lacked; said once. */
  haveCome(nowMs: number): boolean {
    let have = false;
    for (const name of this.#lacking) {
      const rate = this.#rates.get(name);
      if (rate !== undefined && startsLeft(rate, this.#of(name), nowMs) <= 0) continue;
      this.#lacking.delete(name);
      have = true;
    }
    return have;
  }

  #of(name: string): readonly RecentStarts[] {
    return this.#begun.get(name) ?? [];
  }
}

function withOneMore(rate: Rate, begun: readonly RecentStarts[], nowMs: number): readonly RecentStarts[] {
  const until = countsUntil(rate, nowMs);
  const others = begun.filter((one) => one.until.getTime() > nowMs && one.until.getTime() !== until.getTime());
  const same = begun.find((one) => one.until.getTime() === until.getTime());
  return [...others, { until, count: (same?.count ?? 0) + 1 }];
}
