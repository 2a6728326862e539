/** Shows why jobs wait: which dispatchers run which jobs, and which jobs have the places of quotas. */

import type { JobRecord } from '../../job/job-record.js';
import { laneOf } from '../../job/lane.js';
import { taskVersionOf } from '../../job/task-version.js';
import { OVERDUE_MS } from '../overdue.js';
import type { DispatcherStatus, Insight, QuotaStatus, WaitingJobs } from '../store-insight.js';
import type { DispatcherLeases } from './dispatcher-leases.js';
import type { JobTable } from './job-table.js';
import { inOrder } from './lanes.js';
import type { QuotaLedger } from './quota-ledger.js';

export interface InsightSources {
  readonly table: JobTable;
  readonly ledger: QuotaLedger;
  readonly leases: DispatcherLeases;
  readonly now: () => Date;
}

export class MemoryInsight implements Insight {
  constructor(private readonly sources: InsightSources) {}

  async dispatchers(): Promise<readonly DispatcherStatus[]> {
    const { table, leases, now } = this.sources;
    const running = [...table.all()].filter(isRunning);
    return leases.living(now()).map(([dispatcher, agents]) => {
      const own = running.filter(({ state }) => state.owner === dispatcher);
      return { dispatcher, agents, running: own.map(({ job }) => ({ queue: job.queue, taskVersion: taskVersionOf(job) })) };
    });
  }

  async quotas(names: readonly string[]): Promise<readonly QuotaStatus[]> {
    const { ledger } = this.sources;
    return names.flatMap((name) => {
      const size = ledger.sizes.get(name);
      return size === undefined ? [] : [this.#use(name, size)];
    });
  }

  async countAhead(id: string, limit: number): Promise<number> {
    const { table } = this.sources;
    const own = table.get(id);
    if (own === undefined) return 0;
    let ahead = 0;
    for (const record of table.all()) {
      if (ahead === limit) break;
      if (record.state.status === 'pending' && record.job.queue === own.job.queue && inOrder(record, own) < 0) ahead++;
    }
    return ahead;
  }

  async lanes(): Promise<readonly string[]> {
    return [...new Set(this.#waiting().map(laneOfRecord))];
  }

  async waiting(lane: string, limit: number): Promise<WaitingJobs> {
    const found = this.#waiting()
      .filter((record) => laneOfRecord(record) === lane)
      .sort(inOrder);
    const since = found[0] === undefined ? this.sources.now() : waitsSince(found[0]);
    return { count: Math.min(limit, found.length), waitedMs: this.sources.now().getTime() - since.getTime() };
  }

  /** Pending, or overdue. */
  #waiting(): JobRecord[] {
    const overdue = this.sources.now().getTime() - OVERDUE_MS;
    const waits = ({ state: { status, dueAt } }: JobRecord): boolean =>
      status === 'pending' || (status === 'scheduled' && dueAt !== undefined && dueAt.getTime() <= overdue);
    return [...this.sources.table.all()].filter(waits);
  }

  #use(name: string, size: number): QuotaStatus {
    const { ledger, table, now } = this.sources;
    const holders = ledger.holdersOf(name).map(({ id, places }) => {
      const { job, state } = table.get(id) ?? {};
      return { places, job: job && { id, taskName: job.taskName }, since: state?.startedAt, dispatcher: state?.owner };
    });
    return { name, size, holders, rate: ledger.rateLimiter.rateOf(name), nextStart: ledger.rateLimiter.nextOf(name, now().getTime()) };
  }
}

function isRunning({ job, state }: JobRecord): boolean {
  return job.kind === 'task' && state.status === 'active' && state.waitsFor === undefined;
}

function laneOfRecord({ job, state }: JobRecord): string {
  return laneOf(job, state.hasPlaces === true);
}

function waitsSince({ state: { queuedAt, dueAt = queuedAt } }: JobRecord): Date {
  return dueAt > queuedAt ? dueAt : queuedAt;
}
