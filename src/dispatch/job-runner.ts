/** The jobs in hand of a process, from their claim to their recorded end. */

import { type Observable, Subject } from 'rxjs';
import { JobCancelledError, NotRunningError, SealError } from '../errors.js';
import type { QueuedJob } from '../job/job-record.js';
import { shownJob } from '../job/job-sealer.js';
import { recordedError } from '../job/stored-error.js';
import type { ClaimedJob } from '../store/store-messages.js';
import { jobLogger } from '../task/job-logger.js';
import type { Abort } from './attempt.js';
import { handBack } from './hand-back.js';
import { JobRun, type JobRunSources } from './job-run.js';

/** A job of which nothing was run. */
export interface Refusal {
  readonly job: Pick<QueuedJob, 'id' | 'taskName' | 'queue'>;
  readonly attempt: number;
  readonly error: SealError;
}

export class JobRunner {
  /** By run, since one of a job may begin while another one's record is still being asked for. */
  readonly #running = new Set<JobRun>();
  readonly #unloaded = new Subject<void>();
  readonly #refusals = new Subject<Refusal>();

  constructor(private readonly sources: JobRunSources) {}

  /** How many jobs are in hand. */
  get load(): number {
    return this.#running.size;
  }

  /** The jobs in hand, and which run of each this is. */
  get running(): readonly JobRun['view'][] {
    return [...this.#running].map(({ view }) => view);
  }

  /** Emits when the last job in hand has been done with. */
  get unloaded(): Observable<void> {
    return this.#unloaded;
  }

  /** Jobs that were refused, once that is recorded. */
  get refusals(): Observable<Refusal> {
    return this.#refusals;
  }

  /**
   * Works on a job, and calls `freeSlot` when another may take its place; resolves when its end is recorded, never rejects.
   * @param end - why it is not to be run any more, where that came before the job
   */
  async work(claimed: ClaimedJob, freeSlot: () => void, end?: Abort): Promise<void> {
    const { job, attempt } = claimed;
    const opened = this.#opened(job);
    if (opened instanceof SealError) return this.#refuse(claimed, opened, freeSlot);
    let run: JobRun;
    try {
      run = new JobRun(this.sources, { claimed, opened, freeSlot });
    } catch (error) {
      return handBack(this.sources, claimed, attempt, error);
    }
    if (end !== undefined) run.end(end);
    this.#running.add(run);
    await run.run();
    if (!run.isAbandoned) this.#done(run);
  }

  /** The job as it may be run, or why it must not be. */
  #opened(job: QueuedJob): QueuedJob | SealError {
    try {
      return this.sources.sealer.open(job);
    } catch (error) {
      return error instanceof SealError ? error : new SealError('altered', `${shownJob(job)} cannot be read`);
    }
  }

  /** Nothing of its task is looked at: the job may be of none. */
  async #refuse({ job, attempt }: ClaimedJob, error: SealError, freeSlot: () => void): Promise<void> {
    const { settlementWriter, logger } = this.sources;
    freeSlot();
    try {
      await settlementWriter.settle({ id: job.id, token: attempt.token, outcome: { status: 'failed', error: recordedError(error) } });
      this.#refusals.next({ job, attempt: attempt.number, error });
    } catch (err) {
      jobLogger(logger, job, attempt.number).error(`${shownJob(job)} was refused, and could not be ended`, { err });
    }
  }

  /** Ends a job in hand, since its cancellation was asked for. @returns whether it is in hand */
  cancel(id: string, reason: string | undefined): boolean {
    const own = [...this.#running].filter((run) => run.view.id === id);
    for (const run of own) run.end(cancelled(run.view, reason));
    return own.length > 0;
  }

  /** Aborts the signals of all running jobs: those that throw are interrupted. */
  abortAll(why: string): void {
    for (const run of this.#running) run.end({ cause: 'stopped', reason: new NotRunningError(why) });
  }

  /** Gives up all running jobs. @param handBack - whether the store is notified, or finds out by itself */
  async abandonAll(handBack: boolean): Promise<void> {
    const left = [...this.#running];
    this.#running.clear();
    const keys = left.map((run) => run.abandon());
    if (handBack) await Promise.all(keys.map((key) => this.sources.settlementWriter.release({ ...key, hasBegun: true })));
  }

  #done(run: JobRun): void {
    this.#running.delete(run);
    if (this.#running.size === 0) this.#unloaded.next();
  }
}

/** Why a job ends whose cancellation was asked for. */
export function cancelled({ id, taskName }: Pick<QueuedJob, 'id' | 'taskName'>, reason: string | undefined): Abort {
  return { cause: 'cancelled', reason: new JobCancelledError(id, taskName, reason) };
}
