/** Up to when schedules have fired: recorded, and the jobs inserted, by one transaction, so that of several processes one does it. */

import type { JobTree } from '../../job/job-record.js';
import { insertedRecord } from '../inserted.js';
import type { Schedules } from '../job-store.js';
import type { Collections } from './collections.js';
import type { InsertsWithin } from './inserts-within.js';
import type { SessionTransactions } from './transactions.js';

export interface ScheduleSources {
  /** Through the client that sessions of the application belong to. */
  readonly inSession: Collections;
  readonly insertsWithin: InsertsWithin;
  readonly transactions: SessionTransactions;
}

export class MongoSchedules implements Schedules {
  constructor(private readonly sources: ScheduleSources) {}

  async begin(name: string, since: Date): Promise<Date> {
    const { schedules } = this.sources.inSession;
    const first = { $setOnInsert: { firedUntil: since } };
    const schedule = await schedules.findOneAndUpdate({ _id: name }, first, { upsert: true, returnDocument: 'after' });
    return schedule?.firedUntil ?? since;
  }

  fire(name: string, { after, until }: { readonly after: Date; readonly until: Date }, trees: readonly JobTree[]): Promise<boolean> {
    const { inSession, insertsWithin, transactions } = this.sources;
    return transactions.run(async (session) => {
      const fired = { $set: { firedUntil: until } };
      const { modifiedCount } = await inSession.schedules.updateOne({ _id: name, firedUntil: after }, fired, { session });
      if (modifiedCount === 0) return false;
      if (trees.length > 0) (await insertsWithin.insert(trees, session)).forEach(insertedRecord);
      return true;
    });
  }
}
