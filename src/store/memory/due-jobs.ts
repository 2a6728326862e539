/** Handles jobs that have come due: promotes scheduled jobs, and ends those that were not started in time. */

import { expired } from '../../job/job-errors.js';
import type { JobRecord } from '../../job/job-record.js';
import { recordedError } from '../../job/stored-error.js';
import type { MemoryContext } from './memory-context.js';

export class DueJobs {
  constructor(private readonly context: MemoryContext) {}

  promote(now: Date): void {
    for (const record of this.context.table.dueTimes.toPromote(now.getTime())) {
      const order = this.context.table.orderAt(record.state.dueAt ?? now);
      this.context.table.move(record, 'promote', 'pending', { order, dueAt: undefined });
    }
  }

  expireLate(now: Date): void {
    for (const record of this.context.table.dueTimes.toExpire(now.getTime())) this.expire(record);
  }

  expire(record: JobRecord): void {
    const error = expired(record.job, record.job.beginBy);
    this.context.completion.expire(record, { status: 'failed', error: recordedError(error) });
  }
}
