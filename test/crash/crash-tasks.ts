/** The tasks of the workers: they write into a ledger when they begin and when they end. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Collection, Db } from 'mongodb';
import { currentTask, fixedDelay, makeJob, type Outcome, type StoredError, task } from '../../src/index.js';

/** How many places the quotas have. */
export const QUOTAS = { default: 1, pool: 3 };
export const LEASE_MS = 2_000;

/** An entry of the ledger: `by` is the name of a worker. */
export interface LedgerEntry {
  readonly what: 'start' | 'end';
  readonly job: string;
  readonly attempt: number;
  readonly by: string;
}

/** A task that waits for a gate goes on when there is a document with the gate's name. */
export interface Gate {
  readonly _id: string;
}

export interface Account {
  readonly _id: string;
  readonly balance: number;
}

/** @param by - who runs them */
export function crashTasks(database: Db, by: string) {
  const ledger: Collection<LedgerEntry> = database.collection('ledger');
  const gates: Collection<Gate> = database.collection('gates');
  const accounts: Collection<Account> = database.collection('accounts');
  const untilOpen = async (gate: string): Promise<void> => {
    while ((await gates.findOne({ _id: gate })) === null) await sleep(20);
  };
  const noted = async <T>(work: () => Promise<T>): Promise<T> => {
    const { job, attempt } = currentTask();
    const note = async (what: LedgerEntry['what']): Promise<unknown> => ledger.insertOne({ what, job: job.id, attempt, by });
    await note('start');
    try {
      return await work();
    } finally {
      await note('end');
    }
  };
  const after = <T>(ms: number, value: T): Promise<T> => noted(() => sleep(ms, value, { signal: currentTask().signal }));
  const inner = task('inner', { quotas: [] }, (value: number, ms: number) => after(ms, value + 1_000_000));
  return {
    double: task('double', { quotas: [] }, (value: number, ms: number) => after(ms, value * 2)),
    alone: task('alone', (value: number, ms: number) => after(ms, value + 1)),
    pooled: task('pooled', { quotas: ['pool'] }, (value: number, ms: number) => after(ms, value + 2)),
    greedy: task('greedy', { quotas: { default: 1, pool: 2 } }, (value: number, ms: number) => after(ms, value + 3)),
    fails: task('fails', { quotas: [], retry: fixedDelay({ attempts: 2, delayMs: 50 }) }, async (value: number, ms: number) => {
      await after(ms, value);
      throw new Error(`no ${value}`);
    }),
    inner,
    follows: task('follows', (value: number, ms: number) => after(ms, makeJob(inner, value, ms))),
    told: task('told', { quotas: [] }, (value: number) => after(1, value + 1)),
    messageOf: task('messageOf', { quotas: [] }, (error: StoredError) => after(1, error.message)),
    statusOf: task('statusOf', { quotas: [] }, (outcome: Outcome<unknown>) => after(1, outcome.status)),
    total: task('total', { quotas: [] }, (jobs: readonly { readonly result: number | undefined }[]) =>
      after(
        1,
        jobs.reduce((sum, { result = Number.NaN }) => sum + result, 0),
      ),
    ),
    /** Adds to the account in its transaction, which is open until there is a gate. */
    pays: task('pays', { quotas: [], transactional: true }, async (gate: string) => {
      await accounts.updateOne({ _id: 'account' }, { $inc: { balance: 1 } }, { session: currentTask().session });
      await noted(() => untilOpen(gate));
    }),
    /** Ignores its signal, and gives the name of its worker. */
    waits: task('waits', (gate: string) =>
      noted(async () => {
        await untilOpen(gate);
        return by;
      }),
    ),
  };
}

export type CrashTasks = ReturnType<typeof crashTasks>;
