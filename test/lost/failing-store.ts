/** A store whose calls fail or take time, as a seed says: before they have done anything, or after all of it. */

import { firstValueFrom, timer } from 'rxjs';
import type { Clock } from '../../src/clock.js';
import type { JobStore } from '../../src/index.js';
import type { Transactions } from '../../src/store/job-store.js';

/** Those of a dispatcher. */
const STRUCK: ReadonlySet<string | symbol> = new Set([
  'insert',
  'claim',
  'settle',
  'reschedule',
  'release',
  'report',
  'recover',
  'heartbeat',
] satisfies (keyof JobStore)[]);

const SHARE = 0.25;
const LONGEST_MS = 4_000;
/** Longer than a lease and its grace. */
const FROZEN_MS = 45_000;
const FROZEN_SHARE = 0.02;

type Fault = 'refused' | 'answer lost' | 'sent late' | 'answered late';
const FAULTS: readonly Fault[] = ['refused', 'answer lost', 'sent late', 'answered late'];

export interface Faults {
  readonly clock: Clock;
  readonly random: () => number;
  /** Whether anything fails now. */
  readonly isOn: () => boolean;
  /** Whether some calls take longer than a lease. */
  readonly mayFreeze: boolean;
  /** Called for each call that failed. */
  readonly onStruck: (what: string) => void;
}

export function failingStore(store: JobStore, faults: Faults): JobStore {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (key === 'transactions') return failingTransactions(target.transactions, faults);
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      return STRUCK.has(key) ? (...args: unknown[]) => struck(String(key), async () => call(...args), faults) : call;
    },
  });
}

function failingTransactions(transactions: Transactions, faults: Faults): Transactions {
  return {
    run: (fn, options) => struck('transaction', () => transactions.run(fn, options), faults),
    attach: (session) => transactions.attach(session),
  };
}

async function struck<T>(what: string, call: () => Promise<T>, { clock, random, isOn, mayFreeze, onStruck }: Faults): Promise<T> {
  if (!isOn() || random() >= SHARE) return call();
  const fault = FAULTS[Math.floor(random() * FAULTS.length)];
  const longestMs = mayFreeze && random() < FROZEN_SHARE ? FROZEN_MS : LONGEST_MS;
  const later = (): Promise<unknown> => firstValueFrom(timer(1 + Math.floor(random() * longestMs), clock.scheduler));
  onStruck(`${fault}: ${what}`);
  if (fault === 'refused') throw new Error('the network');
  if (fault === 'sent late') await later();
  const answer = await call();
  if (fault === 'answered late') await later();
  if (fault === 'answer lost') throw new Error('the network');
  return answer;
}
