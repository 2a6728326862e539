/** Which dispatchers are alive: each holds a lease that it renews, and whose jobs others take when it is over. */

import { isHeld, isOver, type Lease, mayDeclareDead } from '../lease-rule.js';
import type { AgentInfo } from '../store-insight.js';

interface DispatcherLease extends Lease {
  readonly agents: readonly AgentInfo[];
}

export class DispatcherLeases {
  readonly #leases = new Map<string, DispatcherLease>();
  readonly #dead = new Set<string>();

  /** Renews; a lease of 0 ms is given up. @returns `false` when it is known no more, because others took over */
  renew(dispatcher: string, leaseMs: number, now: Date, agents: readonly AgentInfo[] = []): boolean {
    const old = this.#leases.get(dispatcher);
    if (leaseMs === 0) return this.#leases.delete(dispatcher);
    if (old === undefined && this.#dead.has(dispatcher)) return false;
    const since = old === undefined || old.leaseUntil < now ? now : old.since;
    this.#leases.set(dispatcher, { leaseMs, leaseUntil: new Date(now.getTime() + leaseMs), since, agents: old?.agents ?? agents });
    return true;
  }

  /** Whether a dispatcher may claim. */
  isAlive(dispatcher: string, now: Date): boolean {
    return isHeld(this.#leases.get(dispatcher), now);
  }

  /** The agents of each living dispatcher. */
  living(now: Date): readonly (readonly [dispatcher: string, agents: readonly AgentInfo[]])[] {
    return [...this.#leases].filter(([, lease]) => isHeld(lease, now)).map(([dispatcher, { agents }]) => [dispatcher, agents]);
  }

  /** Declares dead whose lease is over, if the one that asks may. */
  declareDead(by: string, now: Date): ReadonlySet<string> {
    if (!mayDeclareDead(this.#leases.get(by), now)) return new Set();
    const dead = [...this.#leases].filter(([, lease]) => isOver(lease, now)).map(([dispatcher]) => dispatcher);
    for (const dispatcher of dead) {
      this.#leases.delete(dispatcher);
      this.#dead.add(dispatcher);
    }
    return new Set(dead);
  }
}
