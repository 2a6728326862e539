/** A job in hand: its attempts, one after another, until one of them is recorded as its end. */

import { firstValueFrom, type Subscription, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import { TaskTimeoutError } from '../errors.js';
import type { QueuedJob } from '../job/job-record.js';
import type { JobSealer } from '../job/job-sealer.js';
import type { AttemptKey, AttemptInfo as AttemptNumbers, ClaimedJob } from '../store/store-messages.js';
import type { Logger } from '../task/logger.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { TaskRegistry } from '../task/task-registry.js';
import { type Abort, Attempt, type Ending } from './attempt.js';
import { type AttemptSources, beginAttempt } from './attempt-start.js';
import { ConflictSeries } from './conflict-series.js';
import { handBack } from './hand-back.js';
import { logRetry } from './retry-log.js';
import { StoredBytes } from './stored-bytes.js';
import { type Again, type AttemptContext, judge, judgeTimeout, type Verdict } from './verdict.js';

/** A method that has not returned this long after its signal was aborted ignores the signal. */
const HEED_MS = 250;

export interface JobRunSources extends AttemptSources {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: TaskRegistry;
  readonly sealer: JobSealer;
  readonly random: () => number;
  /** The limit on a result, on progress, and on an annotation. */
  readonly valueLimitBytes: number;
}

export class JobRun {
  /** The bytes that it stores, whichever attempt has reported them. */
  readonly #stored: StoredBytes;
  readonly #conflicts: ConflictSeries;
  #attempt: Attempt;
  #token: string;
  /** How many attempts have failed before this one. */
  #failures: number;
  /** Why it is not to go on, whichever attempt is under way. */
  #end: Abort | undefined;
  /** Given back to the store: the rest of its method has no effect. */
  #isAbandoned = false;
  /** Waits for the timeout of the attempt. */
  #watch: Subscription | undefined;
  /** As it is stored. */
  readonly #claimed: ClaimedJob;
  /** As its task is given it. */
  readonly #opened: ClaimedJob;
  /** Another job may take its place. */
  readonly #freeSlot: () => void;

  /** @throws an error for a record that cannot be worked on, such as progress that cannot be read */
  constructor(
    private readonly sources: JobRunSources,
    { claimed, opened, freeSlot }: { readonly claimed: ClaimedJob; readonly opened: QueuedJob; readonly freeSlot: () => void },
  ) {
    const { job, attempt } = claimed;
    this.#claimed = claimed;
    this.#opened = opened === job ? claimed : { ...claimed, job: opened };
    this.#freeSlot = freeSlot;
    this.#stored = new StoredBytes(job, claimed.reported);
    this.#conflicts = new ConflictSeries(sources);
    this.#attempt = this.#newAttempt(attempt);
    this.#token = attempt.token;
    this.#failures = attempt.failures;
  }

  /** The job, and which run of it this is. */
  get view(): { readonly id: string; readonly taskName: string; readonly attempt: number } {
    return { ...this.#attempt.job, attempt: this.#attempt.attempt };
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  get #key(): AttemptKey {
    return { id: this.#claimed.job.id, token: this.#token };
  }

  /** Tries it until it has ended, waits for a later attempt, or is interrupted; never rejects. */
  async run(): Promise<void> {
    try {
      // Its code may stop the dispatcher, which must have all that was claimed together in hand by then.
      await undefined;
      const { attempt } = this.#claimed;
      for (let next = await this.#try(attempt); next !== undefined; next = await this.#try(next)) {
        this.#attempt = this.#newAttempt(next);
        this.#token = next.token;
        this.#failures = next.failures;
        // An attempt that fails at once would otherwise keep the event loop from everything else.
        await firstValueFrom(this.sources.clock.turn());
      }
    } catch (error) {
      if (!this.#isAbandoned) await handBack(this.sources, this.#claimed, { ...this.#key, number: this.#attempt.attempt }, error);
    }
  }

  /** It is not to go on: the signal of its attempt is aborted. */
  end(end: Abort): void {
    this.#end ??= end;
    this.#attempt.abort(end);
  }

  /** Gives it up: whatever its method still does has no effect. @returns its attempt, which the store may be given back */
  abandon(): AttemptKey {
    this.#isAbandoned = true;
    this.#attempt.ignore();
    this.#watch?.unsubscribe();
    const { id, taskName } = this.#claimed.job;
    this.#attempt.logger.warn(`job ${id} (${taskName}) ignored its signal and was given up; it counts as interrupted`);
    return this.#key;
  }

  /** One attempt, to its record; the next one, where that is to follow at once. */
  async #try(numbers: AttemptNumbers): Promise<AttemptNumbers | undefined> {
    const { taskName } = this.#claimed.job;
    const task = this.sources.registry.get(taskName);
    if (task === undefined) throw new Error(`the task ${taskName} was claimed, but is not registered`);
    const context = this.#contextOf(numbers, task);
    if (this.#end !== undefined) return this.#record(judge({ thrown: this.#end.reason }, this.#end, context));
    const start = { key: this.#key, attempt: this.#attempt, context, claimed: this.#claimed, opened: this.#opened };
    const { returned, over, verdict } = beginAttempt(task, start, this.sources);
    const timeoutMs = task.options.timeoutMs;
    const late = timeoutMs === undefined ? undefined : await this.#overtime(returned, timeoutMs, context);
    if (late?.type === 'end') return this.#recordLate(over, late);
    await over;
    if (this.#isAbandoned) return undefined;
    const judged = late ?? (await verdict());
    if (judged?.type === 'conflict') return this.#record(await this.#conflicts.outlast(judged, this.#attempt, context));
    this.#conflicts.end();
    return this.#record(judged);
  }

  /** The verdict on an attempt that runs into its timeout, or nothing for one that ends before. */
  #overtime(ended: Promise<Ending>, timeoutMs: number, context: AttemptContext): Promise<Verdict | undefined> {
    const attempt = this.#attempt;
    return new Promise((resolve) => {
      const watch: Subscription = timer(timeoutMs, this.sources.clock.scheduler).subscribe(() => {
        if (attempt.aborted?.cause === 'cancelled') return resolve(judge({ thrown: attempt.aborted.reason }, attempt.aborted, context));
        if (attempt.aborted !== undefined) return;
        attempt.abort({ cause: 'timed-out', reason: new TaskTimeoutError(`ran longer than its \`timeoutMs\` of ${timeoutMs}`) });
        resolve(judgeTimeout(timeoutMs, context));
      });
      this.#watch = watch;
      void ended.then(() => {
        watch.unsubscribe();
        resolve(undefined);
      });
    });
  }

  /** Records a timeout that is final at once; slot and places are kept until the method has returned. */
  async #recordLate(ended: Promise<unknown>, verdict: Verdict & { type: 'end' }): Promise<undefined> {
    const { settlementWriter } = this.sources;
    const key = this.#key;
    this.#attempt.ignore();
    if (settlementWriter.hasUnwritten(key)) await settlementWriter.reported(key);
    await settlementWriter.settle({ ...key, outcome: verdict.outcome, keepsPlaces: true });
    if (!this.#isAbandoned) this.#warnUnlessSoon(ended);
    await ended;
    if (!this.#isAbandoned) await settlementWriter.release({ ...key, hasBegun: true });
    this.#freeSlot();
    return undefined;
  }

  /** A method that heeds its signal may need a moment to clean up. */
  #warnUnlessSoon(ended: Promise<unknown>): void {
    const { id, taskName } = this.#claimed.job;
    const watch = timer(HEED_MS, this.sources.clock.scheduler).subscribe(() =>
      this.#attempt.logger.warn(
        `job ${id} (${taskName}) ran into its timeout and ignores its signal; its slot and its places are kept until its method returns`,
      ),
    );
    this.#watch = watch;
    void ended.then(() => watch.unsubscribe());
  }

  /** @param verdict - `undefined` where it is recorded already */
  async #record(verdict: Verdict | undefined): Promise<AttemptNumbers | undefined> {
    const { settlementWriter } = this.sources;
    if (this.#isAbandoned) return undefined;
    if (verdict === undefined) return void this.#freeSlot();
    const key = this.#key;
    if (settlementWriter.hasUnwritten(key)) await settlementWriter.reported(key);
    if (verdict.type === 'again') return this.#again(verdict);
    this.#freeSlot();
    if (verdict.type === 'end') await settlementWriter.settle({ ...key, outcome: verdict.outcome });
    else await settlementWriter.release({ ...key, hasBegun: true });
    return undefined;
  }

  /** @returns the next attempt, where it follows at once */
  async #again(verdict: Again): Promise<AttemptNumbers | undefined> {
    const { settlementWriter, attemptEvents } = this.sources;
    const { job } = this.#claimed;
    const attempt = this.#attempt;
    logRetry(attempt.logger, job, this.#failures + 1, verdict);
    const { type: _, because, delayMs, error } = verdict;
    const given = error === undefined ? {} : { error };
    // A seal that lasts until the next attempt, and beyond.
    const seal = this.sources.sealer.renewed(job, delayMs);
    const renewal = seal === undefined ? {} : { seal };
    const counted = because === 'failed' ? given : {};
    const result = await settlementWriter.reschedule({ ...this.#key, delayMs, ...counted, ...renewal });
    if (result !== undefined && result !== 'refused')
      attemptEvents.emit(() => ({ type: 'retrying', job: attempt.view, because, delayMs, ...given }));
    if (typeof result === 'object') return result;
    // Not before its places are: a job that comes first and needs them would be passed over.
    this.#freeSlot();
    return undefined;
  }

  #newAttempt(numbers: AttemptNumbers): Attempt {
    const { settlementWriter, clock, logger, registry, valueLimitBytes, attemptEvents } = this.sources;
    const { job } = this.#claimed;
    const { redactErrors: redacts = false, transactional: isTransactional = false } = registry.get(job.taskName)?.options ?? {};
    const attempt: Attempt = new Attempt({
      job,
      valueLimitBytes,
      stored: this.#stored,
      number: numbers.number,
      clock,
      logger,
      redacts,
      isTransactional,
      report: (report) => {
        settlementWriter.report({ id: job.id, token: numbers.token, ...report });
        const { progress } = report;
        if (progress !== undefined) attemptEvents.emit(() => ({ type: 'progress', job: attempt.view, progress }));
      },
    });
    return attempt;
  }

  #contextOf(numbers: AttemptNumbers, task: TaskDefinition): AttemptContext {
    const { valueLimitBytes, random } = this.sources;
    const { job } = this.#claimed;
    const { retry, redactErrors: redacts } = task.options;
    return { job, numbers, policy: job.retry ?? retry, valueLimitBytes, random, redacts, logger: this.#attempt.logger };
  }
}
