/** Hands out jobs: the heads of the lanes that are accepted and have room, in order. */

import type { JobRecord } from '../../job/job-record.js';
import { JobReference } from '../../job/job-reference.js';
import { reportedBytes } from '../../job/job-size.js';
import { taskVersionOf } from '../../job/task-version.js';
import type { AttemptInfo, ClaimedJob, ClaimRequest } from '../store-messages.js';
import type { DueJobs } from './due-jobs.js';
import type { Lane } from './lanes.js';
import type { MemoryContext } from './memory-context.js';
import type { MemoryControls } from './memory-controls.js';

export class Claimer {
  constructor(
    private readonly context: MemoryContext,
    private readonly dueJobs: DueJobs,
    private readonly controls: MemoryControls,
  ) {}

  claim(request: ClaimRequest, now: Date): readonly ClaimedJob[] {
    const claimed: ClaimedJob[] = [];
    if (this.controls.isPaused(request.queue)) return claimed;
    while (claimed.length < request.limit && this.#claimFrom(request, claimed, now)) this.context.completion.tend();
    return claimed;
  }

  /** Claims until the limit or until no lane has more; whether a batch was opened, so that lanes may have got more. */
  #claimFrom(request: ClaimRequest, claimed: ClaimedJob[], now: Date): boolean {
    const lanes = this.context.table.lanes.waiting(request.queue, (lane) => this.#accepts(request, lane));
    while (claimed.length < request.limit) {
      const lane = lanes.pop();
      const head = lane?.head();
      if (lane === undefined || head === undefined) return false;
      const { beginBy } = head.job;
      if (beginBy !== undefined && beginBy <= now && head.state.attempts === 0) this.dueJobs.expire(head);
      else if (!this.context.ledger.take(head.job.id, head.job.places, lane.key, now.getTime())) continue;
      else if (head.job.kind === 'task') claimed.push(this.#claimed(head, request.dispatcher, now));
      else {
        this.context.completion.open(head);
        return true;
      }
      lanes.push(lane);
    }
    return false;
  }

  /** Batches and choices are open to every agent of their queue. */
  #accepts({ taskVersions }: ClaimRequest, { example: { job } }: Lane): boolean {
    if (job.kind !== 'task') return true;
    const taskVersion = taskVersionOf(job);
    return taskVersions.has(taskVersion) && !this.controls.isPaused(job.queue, taskVersion);
  }

  #claimed(record: JobRecord, owner: string, now: Date): ClaimedJob {
    const { job } = record;
    const attempt: AttemptInfo = { token: this.context.newToken(), number: record.state.attempts + 1, failures: record.state.failures };
    this.context.table.move(record, 'claim', 'active', {
      owner,
      token: attempt.token,
      attempts: attempt.number,
      startedAt: now,
    });
    const given = job.callbackInput === 'none' ? undefined : this.#given(record);
    const reported = reportedBytes(record.state);
    return { job, attempt, ...(given === undefined ? {} : { input: given }), ...(reported.size === 0 ? {} : { reported }) };
  }

  #given({ job }: JobRecord): NonNullable<ClaimedJob['input']> | undefined {
    if (job.parent === undefined) return undefined;
    if (job.callbackInput !== 'jobs') return this.context.table.get(job.parent)?.state.outcome;
    return this.context.table.family.of(job.parent).steps.map((id) => new JobReference(id, this.context.table.get(id)?.job.taskName ?? ''));
  }
}
