/** Two sessions with open transactions, for facts about what they see of each other. */

import type { ClientSession, InsertOneOptions, TransactionOptions } from 'mongodb';
import type { Bench } from './bench.js';

export const SNAPSHOT: TransactionOptions = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } };

/** A session with a transaction begun; the server hears of it with the first command. */
export function transaction(bench: Bench): ClientSession {
  const session = bench.session();
  session.startTransaction(SNAPSHOT);
  return session;
}

/**
 * For the first write to a collection: 4.4 refuses a transaction in one that the majority does not have yet, with "pending collection
 * catalog changes".
 */
export const MADE: InsertOneOptions = { writeConcern: { w: 'majority' } };

/** Documents 1 and 2 with n = 0, in `things`. */
export async function twoThings({ things }: Bench): Promise<void> {
  await things.insertMany(
    [
      { _id: 1, n: 0 },
      { _id: 2, n: 0 },
    ],
    MADE,
  );
}
