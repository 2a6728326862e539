/** Does what time makes due: promotes scheduled jobs, and ends those that were not started in time. */

import { ExpiredError } from '../../errors.js';
import type { JobRecord } from '../../job/job-record.js';
import { recordedError } from '../../job/stored-error.js';
import type { Rooms } from './memory-context.js';

export class Calendar {
  constructor(private readonly rooms: Rooms) {}

  promote(now: Date): void {
    for (const record of this.rooms.table.agenda.toPromote(now.getTime())) {
      const order = this.rooms.table.orderAt(record.state.dueAt ?? now);
      this.rooms.table.move(record, 'promote', 'pending', { order, dueAt: undefined });
    }
  }

  expireLate(now: Date): void {
    for (const record of this.rooms.table.agenda.toExpire(now.getTime())) this.expire(record);
  }

  expire(record: JobRecord): void {
    const { id, taskName, beginBy } = record.job;
    const error = new ExpiredError(`job ${id} (${taskName}) was not started by ${beginBy?.toISOString()}, its \`beginBy\``);
    this.rooms.tender.expire(record, { status: 'failed', error: recordedError(error) });
  }
}
