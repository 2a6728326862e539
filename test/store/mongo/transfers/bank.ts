/** The accounts, and a record of each transfer, written in its transaction. */

import type { Db } from 'mongodb';
import { currentTask, type IAsyncService, task } from '../../../../src/index.js';

export const ACCOUNTS = ['a', 'b', 'c', 'd'] as const;
export const BALANCE = 20;

export interface Account {
  readonly _id: string;
  readonly balance: number;
}

/** Its `_id` is that of the job. */
export interface Transfer {
  readonly _id: string;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/**
 * One of the transfers that meet at an account goes on at once; one that lost its process, or the database, tries again until it succeeds.
 */
const UNTIL_DONE = {
  attempts: Number.POSITIVE_INFINITY,
  interruptions: Number.POSITIVE_INFINITY,
  delayMs: { firstMs: 10, factor: 2, maxMs: 10_000, jitter: 1 },
} as const;

/** The tasks of a process. @param data - through its own client */
export function tasksOf(data: Db, service: () => IAsyncService) {
  const accounts = data.collection<Account>('accounts');
  const transfers = data.collection<Transfer>('transfers');
  const receipt = task('receipt', { quotas: [], retry: UNTIL_DONE }, (id: string) => id);
  const transfer = task(
    'transfer',
    { quotas: [], transactional: true, retry: UNTIL_DONE, failureLogLevel: 'none' },
    async (from: string, to: string, amount: number) => {
      const { session, job } = currentTask();
      const payer = await accounts.findOne({ _id: from }, { session });
      if (payer === null || payer.balance < amount) throw new RangeError('too little money');
      await accounts.updateOne({ _id: from }, { $inc: { balance: -amount } }, { session });
      await accounts.updateOne({ _id: to }, { $inc: { balance: amount } }, { session });
      await transfers.insertOne({ _id: job.id, from, to, amount }, { session });
      await service().queueJob(receipt, job.id);
      return amount;
    },
  );
  return { transfer, receipt };
}
