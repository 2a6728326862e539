/** Which dispatchers are alive: each holds a lease that it renews, and whose jobs others take when it is over. */

import type { AgentInfo } from '../store-insight.js';

/** Added to a lease before others may act on its end. */
const GRACE_MS = 5_000;

interface Lease {
  readonly lengthMs: number;
  readonly untilMs: number;
  /** Since when it was renewed without a gap. */
  readonly sinceMs: number;
  readonly agents: readonly AgentInfo[];
}

export class DispatcherLeases {
  readonly #leases = new Map<string, Lease>();
  readonly #dead = new Set<string>();

  /** Renews; a lease of 0 ms is given up. @returns `false` when it is known no more, because others took over */
  renew(dispatcher: string, lengthMs: number, nowMs: number, agents: readonly AgentInfo[] = []): boolean {
    const old = this.#leases.get(dispatcher);
    if (lengthMs === 0) return this.#leases.delete(dispatcher);
    if (old === undefined && this.#dead.has(dispatcher)) return false;
    const sinceMs = old === undefined || old.untilMs < nowMs ? nowMs : old.sinceMs;
    this.#leases.set(dispatcher, { lengthMs, untilMs: nowMs + lengthMs, sinceMs, agents: old?.agents ?? agents });
    return true;
  }

  /** Whether a dispatcher may claim. */
  isAlive(dispatcher: string, nowMs: number): boolean {
    return (this.#leases.get(dispatcher)?.untilMs ?? 0) > nowMs;
  }

  /** The agents of each living dispatcher. */
  living(nowMs: number): readonly (readonly [dispatcher: string, agents: readonly AgentInfo[]])[] {
    return [...this.#leases].filter(([, { untilMs }]) => untilMs > nowMs).map(([dispatcher, { agents }]) => [dispatcher, agents]);
  }

  /**
   * Declares dead whose lease is over. Only one whose own lease has been held for its whole length may:
   * after a pause of the whole process nobody has, and everybody gets the time to renew.
   */
  declareDead(by: string, nowMs: number): ReadonlySet<string> {
    const own = this.#leases.get(by);
    if (own === undefined || own.untilMs <= nowMs || nowMs - own.sinceMs < own.lengthMs) return new Set();
    const dead = [...this.#leases].filter(([, { untilMs }]) => untilMs + GRACE_MS < nowMs).map(([dispatcher]) => dispatcher);
    for (const dispatcher of dead) {
      this.#leases.delete(dispatcher);
      this.#dead.add(dispatcher);
    }
    return new Set(dead);
  }
}
