/** Takes claimed jobs from their claim to their recorded end. */

import { firstValueFrom, type Observable, Subject, type Subscription, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import { JobCancelledError, NotRunningError, SealError, TaskTimeoutError } from '../errors.js';
import type { JobPlan } from '../job/job-plan.js';
import type { QueuedJob } from '../job/job-record.js';
import { type JobSealer, shownJob } from '../job/job-sealer.js';
import { recordedError } from '../job/stored-error.js';
import type { AttemptInfo as AttemptNumbers, ClaimedJob, RescheduleRequest } from '../store/store-messages.js';
import type { AttemptEvents } from '../task/attempt-events.js';
import { jobLogger } from '../task/job-logger.js';
import type { Logger } from '../task/logger.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { TaskRegistry } from '../task/task-registry.js';
import { type Abort, Attempt, type Ending } from './attempt.js';
import { ConflictSeries } from './conflict-series.js';
import { logRetry } from './retry-log.js';
import type { SettlementWriter } from './settlement-writer.js';
import { StoredBytes } from './stored-bytes.js';
import type { TaskCaller } from './task-caller.js';
import { TransactionalAttempt, type TransactionalSources } from './transactional-attempt.js';
import { type Again, type AttemptContext, type Conflict, following, judge, judgeTimeout, retryPlanOf, type Verdict } from './verdict.js';

/** A method that has not returned this long after its signal was aborted ignores the signal. */
const HEED_MS = 250;

export interface JobRunnerSources {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: TaskRegistry;
  readonly settlementWriter: SettlementWriter;
  readonly caller: TaskCaller;
  readonly sealer: JobSealer;
  readonly transactional: TransactionalSources;
  readonly random: () => number;
  readonly attemptEvents: AttemptEvents;
  /** The limit on a result, on progress, and on an annotation. */
  readonly valueLimitBytes: number;
}

/** A job of which nothing was run. */
export interface Refusal {
  readonly job: Pick<QueuedJob, 'id' | 'taskName' | 'queue'>;
  readonly attempt: number;
  readonly error: SealError;
}

/** A job in hand. */
interface Running {
  /** As it is stored. */
  readonly claimed: ClaimedJob;
  /** As its task is given it. */
  readonly opened: ClaimedJob;
  /** The bytes that it stores, whichever attempt has reported them. */
  readonly stored: StoredBytes;
  attempt: Attempt;
  token: string;
  /** How many attempts have failed before this one. */
  failures: number;
  readonly conflicts: ConflictSeries;
  /** Why it is not to go on, whichever attempt is under way. */
  end?: Abort;
  /** Given back to the store: the rest of its method has no effect. */
  isAbandoned: boolean;
  /** Waits for the timeout of the attempt. */
  watch?: Subscription;
}

/**
 * An attempt under way: `returned` when its method has returned; `over` when its effects are final; its verdict, unless that is recorded
 * already.
 */
interface Begun {
  readonly returned: Promise<Ending>;
  readonly over: Promise<unknown>;
  readonly verdict: () => Promise<Verdict | Conflict | undefined>;
}

export class JobRunner {
  /** By attempt, since one of a job may begin while another one's record is still being asked for. */
  readonly #running = new Set<Running>();
  readonly #unloaded = new Subject<void>();
  readonly #refusals = new Subject<Refusal>();

  constructor(private readonly sources: JobRunnerSources) {}

  /** How many jobs are in hand. */
  get load(): number {
    return this.#running.size;
  }

  /** The jobs in hand, and which run of each this is. */
  get running(): readonly { readonly id: string; readonly taskName: string; readonly attempt: number }[] {
    return [...this.#running].map(({ attempt }) => ({ ...attempt.job, attempt: attempt.attempt }));
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
    let running: Running;
    try {
      running = this.#taken(claimed, opened);
    } catch (error) {
      return this.#handBack(claimed, attempt, error);
    }
    if (end !== undefined) this.#end(running, end);
    this.#running.add(running);
    try {
      // Its code may stop the dispatcher, which must have all that was claimed together in hand by then.
      await undefined;
      for (let next = await this.#try(running, attempt, freeSlot); next !== undefined; next = await this.#try(running, next, freeSlot)) {
        running.attempt = this.#newAttempt(running, next);
        running.token = next.token;
        running.failures = next.failures;
        // An attempt that fails at once would otherwise keep the event loop from everything else.
        await firstValueFrom(this.sources.clock.turn());
      }
    } catch (error) {
      if (!running.isAbandoned) await this.#handBack(claimed, { number: running.attempt.attempt, token: running.token }, error);
    } finally {
      if (!running.isAbandoned) this.#done(running);
    }
  }

  #taken(claimed: ClaimedJob, opened: QueuedJob): Running {
    const { job, attempt } = claimed;
    const stored = new StoredBytes(job, claimed.reported);
    return {
      claimed,
      stored,
      opened: opened === job ? claimed : { ...claimed, job: opened },
      attempt: this.#newAttempt({ claimed, stored }, attempt),
      token: attempt.token,
      failures: attempt.failures,
      conflicts: new ConflictSeries(this.sources),
      isAbandoned: false,
    };
  }

  /** A job that cannot be worked on, such as one of which a part is missing. */
  async #handBack({ job }: ClaimedJob, { number, token }: Pick<AttemptNumbers, 'number' | 'token'>, err: unknown): Promise<void> {
    const { logger, settlementWriter } = this.sources;
    const { id, taskName } = job;
    jobLogger(logger, job, number).error(`job ${id} (${taskName}) could not be ended, and counts as interrupted`, { err });
    await settlementWriter.release({ id, token, hasBegun: true });
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

  /** Tells a job in hand that its cancellation was asked for. @returns whether it is in hand */
  cancel(id: string, reason: string | undefined): boolean {
    const own = [...this.#running].filter(({ claimed }) => claimed.job.id === id);
    for (const running of own) this.#end(running, cancelled(running.claimed, reason));
    return own.length > 0;
  }

  /** Aborts the signals of all running jobs: those that throw are interrupted. */
  abortAll(why: string): void {
    for (const running of this.#running) this.#end(running, { cause: 'stopped', reason: new NotRunningError(why) });
  }

  #end(running: Running, end: Abort): void {
    running.end ??= end;
    running.attempt.abort(end);
  }

  /** Gives up whatever still runs. @param handBack - whether the store is notified, or finds out by itself */
  async abandonAll(handBack: boolean): Promise<void> {
    const left = [...this.#running];
    this.#running.clear();
    for (const running of left) {
      running.isAbandoned = true;
      running.attempt.ignore();
      running.watch?.unsubscribe();
      const { id, taskName } = running.claimed.job;
      running.attempt.logger.warn(`job ${id} (${taskName}) ignored its signal and was given up; it counts as interrupted`);
    }
    if (handBack)
      await Promise.all(
        left.map(({ claimed, token }) => this.sources.settlementWriter.release({ id: claimed.job.id, token, hasBegun: true })),
      );
  }

  #done(running: Running): void {
    this.#running.delete(running);
    if (this.#running.size === 0) this.#unloaded.next();
  }

  /** One attempt, to its record; the next one, where that is to follow at once. */
  async #try(running: Running, numbers: AttemptNumbers, freeSlot: () => void): Promise<AttemptNumbers | undefined> {
    const { registry } = this.sources;
    const { job } = running.claimed;
    const task = registry.get(job.taskName);
    if (task === undefined) throw new Error(`the task ${job.taskName} was claimed, but is not registered`);
    const context = this.#contextOf(running, numbers, task);
    if (running.end !== undefined) return this.#record(running, judge({ thrown: running.end.reason }, running.end, context), freeSlot);
    const { returned, over, verdict } = this.#begin(task, running, context);
    const timeoutMs = task.options.timeoutMs;
    const late = timeoutMs === undefined ? undefined : await this.#overtime(running, returned, timeoutMs, context);
    if (late?.type === 'end') return this.#recordLate(running, over, late, freeSlot);
    await over;
    if (running.isAbandoned) return undefined;
    const judged = late ?? (await verdict());
    if (judged?.type === 'conflict')
      return this.#record(running, await running.conflicts.outlast(judged, running.attempt, context), freeSlot);
    running.conflicts.end();
    return this.#record(running, judged, freeSlot);
  }

  #begin(task: TaskDefinition, running: Running, context: AttemptContext): Begun {
    const { caller, settlementWriter, transactional } = this.sources;
    const { attempt, claimed, opened, token } = running;
    const code = (): unknown => {
      this.sources.attemptEvents.emit(() => ({ type: 'started', job: attempt.view }));
      return caller.call(task, opened, attempt);
    };
    if (!task.options.transactional) {
      const returned = attempt.run(code);
      return { returned, over: returned, verdict: async () => this.#verdict(await returned, running, context) };
    }
    const { returned, verdict } = new TransactionalAttempt(transactional, {
      key: { id: claimed.job.id, token },
      attempt,
      context,
      code,
      planted: (plan) => caller.planted(plan, claimed, attempt),
      reported: () => settlementWriter.reported({ id: claimed.job.id, token }),
    });
    return { returned, over: verdict, verdict: () => verdict };
  }

  async #verdict(ending: Ending, running: Running, context: AttemptContext): Promise<Verdict> {
    const plan = 'value' in ending ? retryPlanOf(ending.value) : undefined;
    return plan === undefined ? judge(ending, running.attempt.aborted, context) : this.#queued(plan, running, context);
  }

  /** The verdict on an attempt that returned a draft, which is queued on the way. */
  async #queued(plan: JobPlan, { claimed, attempt }: Running, context: AttemptContext): Promise<Verdict> {
    try {
      const tree = await this.sources.caller.planted(plan, claimed, attempt);
      const inserted = await this.sources.settlementWriter.insert(tree);
      if (inserted === undefined) return { type: 'interrupted' };
      return { type: 'end', outcome: following(tree, inserted) };
    } catch (thrown) {
      return judge({ thrown }, undefined, context);
    }
  }

  /** The verdict on an attempt that runs into its timeout, or nothing for one that ends before. */
  #overtime(running: Running, ended: Promise<Ending>, timeoutMs: number, context: AttemptContext): Promise<Verdict | undefined> {
    const { attempt } = running;
    return new Promise((resolve) => {
      const watch: Subscription = timer(timeoutMs, this.sources.clock.scheduler).subscribe(() => {
        if (attempt.aborted?.cause === 'cancelled') return resolve(judge({ thrown: attempt.aborted.reason }, attempt.aborted, context));
        if (attempt.aborted !== undefined) return;
        attempt.abort({ cause: 'timed-out', reason: new TaskTimeoutError(`ran longer than its \`timeoutMs\` of ${timeoutMs}`) });
        resolve(judgeTimeout(timeoutMs, context));
      });
      running.watch = watch;
      void ended.then(() => {
        watch.unsubscribe();
        resolve(undefined);
      });
    });
  }

  /** Records a timeout that is final at once; slot and places are kept until the method has returned. */
  async #recordLate(
    running: Running,
    ended: Promise<unknown>,
    verdict: Verdict & { type: 'end' },
    freeSlot: () => void,
  ): Promise<undefined> {
    const { settlementWriter } = this.sources;
    const key = { id: running.claimed.job.id, token: running.token };
    running.attempt.ignore();
    if (settlementWriter.hasUnwritten(key)) await settlementWriter.reported(key);
    await settlementWriter.settle({ ...key, outcome: verdict.outcome, keepsPlaces: true });
    if (!running.isAbandoned) this.#warnUnlessSoon(running, ended);
    await ended;
    if (!running.isAbandoned) await settlementWriter.release({ ...key, hasBegun: true });
    freeSlot();
    return undefined;
  }

  /** A method that heeds its signal may need a moment to clean up. */
  #warnUnlessSoon(running: Running, ended: Promise<unknown>): void {
    const { id, taskName } = running.claimed.job;
    const watch = timer(HEED_MS, this.sources.clock.scheduler).subscribe(() =>
      running.attempt.logger.warn(
        `job ${id} (${taskName}) ran into its timeout and ignores its signal; its slot and its places are kept until its method returns`,
      ),
    );
    running.watch = watch;
    void ended.then(() => watch.unsubscribe());
  }

  /** @param verdict - `undefined` where it is recorded already */
  async #record(running: Running, verdict: Verdict | undefined, freeSlot: () => void): Promise<AttemptNumbers | undefined> {
    const { settlementWriter } = this.sources;
    if (running.isAbandoned) return undefined;
    if (verdict === undefined) return void freeSlot();
    const { job } = running.claimed;
    const key = { id: job.id, token: running.token };
    if (settlementWriter.hasUnwritten(key)) await settlementWriter.reported(key);
    if (verdict.type === 'again') return this.#again(running, verdict, freeSlot);
    freeSlot();
    if (verdict.type === 'end') await settlementWriter.settle({ ...key, outcome: verdict.outcome });
    else await settlementWriter.release({ ...key, hasBegun: true });
    return undefined;
  }

  async #again(
    { claimed: { job }, attempt, token, failures }: Running,
    verdict: Again,
    freeSlot: () => void,
  ): Promise<AttemptNumbers | undefined> {
    const { settlementWriter, attemptEvents } = this.sources;
    logRetry(attempt.logger, job, failures + 1, verdict);
    const { type: _, because, delayMs, error } = verdict;
    const given = error === undefined ? {} : { error };
    const counted = because === 'failed' ? given : {};
    const result = await settlementWriter.reschedule({ id: job.id, token, delayMs, ...counted, ...this.#renewal(job, delayMs) });
    if (result !== undefined && result !== 'refused')
      attemptEvents.emit(() => ({ type: 'retrying', job: attempt.view, because, delayMs, ...given }));
    if (typeof result === 'object') return result;
    // Not before its places are: a job that comes first and needs them would be passed over.
    freeSlot();
    return undefined;
  }

  /** A seal that lasts until the next attempt, and beyond. */
  #renewal(job: QueuedJob, delayMs: number): Pick<RescheduleRequest, 'seal'> {
    const seal = this.sources.sealer.renewed(job, delayMs);
    return seal === undefined ? {} : { seal };
  }

  #newAttempt({ claimed: { job }, stored }: Pick<Running, 'claimed' | 'stored'>, numbers: AttemptNumbers): Attempt {
    const { settlementWriter, clock, logger, registry, valueLimitBytes, attemptEvents } = this.sources;
    const attempt: Attempt = new Attempt({
      job,
      valueLimitBytes,
      stored,
      number: numbers.number,
      clock,
      logger,
      redacts: registry.get(job.taskName)?.options.redactErrors ?? false,
      report: (report) => {
        settlementWriter.report({ id: job.id, token: numbers.token, ...report });
        const { progress } = report;
        if (progress !== undefined) attemptEvents.emit(() => ({ type: 'progress', job: attempt.view, progress }));
      },
    });
    return attempt;
  }

  #contextOf({ claimed: { job }, attempt: { logger } }: Running, numbers: AttemptNumbers, task: TaskDefinition): AttemptContext {
    const { valueLimitBytes, random } = this.sources;
    return { job, numbers, policy: job.retry ?? task.options.retry, valueLimitBytes, random, redacts: task.options.redactErrors, logger };
  }
}

/** Why a job ends whose cancellation was asked for. */
export function cancelled({ job: { id, taskName } }: ClaimedJob, reason: string | undefined): Abort {
  return { cause: 'cancelled', reason: new JobCancelledError(id, taskName, reason) };
}
