/** Up to when schedules have fired: recorded, and the jobs inserted, by one transaction, so that of several processes one does it. */

import type { JobTree } from '../../../job/job-record.js';
import { recordOrThrow } from '../../insert-result.js';
import type { Schedules } from '../../job-store.js';
import { type Expression, type Fields, literal } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { SessionTransactions } from '../driver/session-transactions.js';
import type { Collections } from '../schema/collections.js';
import type { SessionInserter } from './session-inserter.js';

export interface ScheduleSources {
  /** Through the client that sessions of the application belong to. */
  readonly inSession: Collections;
  readonly sessionInserter: SessionInserter;
  readonly time: ServerTime;
  readonly transactions: SessionTransactions;
}

export class MongoSchedules implements Schedules {
  constructor(private readonly sources: ScheduleSources) {}

  async now(): Promise<Date> {
    const { time } = this.sources;
    await time.sure();
    return time.estimate();
  }

  async begin(name: string, since: Date, timetable?: string): Promise<Date> {
    const { schedules } = this.sources.inSession;
    const begun = timetable === undefined ? { $setOnInsert: { firedUntil: since } } : [{ $set: begunWith(timetable, since) }];
    const schedule = await schedules.findOneAndUpdate({ _id: name }, begun, { upsert: true, returnDocument: 'after' });
    return schedule?.firedUntil ?? since;
  }

  async fire(name: string, { after, until }: { readonly after: Date; readonly until: Date }, trees: readonly JobTree[]): Promise<boolean> {
    const { inSession, sessionInserter, time, transactions } = this.sources;
    const isFired = await transactions.run(async (session) => {
      const fired = { $set: { firedUntil: until } };
      const mayFire = { _id: name, firedUntil: after, $expr: { $lte: [until, time.now] } };
      const { modifiedCount } = await inSession.schedules.updateOne(mayFire, fired, { session });
      if (modifiedCount === 0) return false;
      if (trees.length > 0) (await sessionInserter.insert(trees, session)).forEach(recordOrThrow);
      return true;
    });
    // It may not be time yet by the clock of the server.
    if (!isFired) await time.askAgain();
    return isFired;
  }
}

function begunWith(timetable: string, since: Date): Fields {
  const ours = literal(timetable);
  const isSame: Expression = { $eq: [{ $ifNull: ['$timetable', ours] }, ours] };
  const stands: Expression = { $ifNull: ['$firedUntil', since] };
  return { timetable: ours, firedUntil: { $cond: [isSame, stands, { $max: [stands, since] }] } };
}
