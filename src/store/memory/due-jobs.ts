/** Does what time makes due: promotes scheduled jobs, and ends those that were not started in time. */

import { ExpiredError } from '../../errors.js';
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
    const { id, taskName, beginBy } = record.job;
    const error = new ExpiredError(`job ${id} (${taskName}) was not started by ${beginBy?.toISOString()}, its \`beginBy\``);
    this.context.completion.expire(record, { status: 'failed', error: recordedError(error) });
  }
}
