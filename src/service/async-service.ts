/** The service: what an application asks for, given to those who do it; and its life, from start to stop. */

import { AsyncSubject, type Observable, ReplaySubject, switchMap, takeUntil } from 'rxjs';
import { checkOption, is } from '../check.js';
import { isReal } from '../clock.js';
import { JobTypeError, NotRunningError, OptionError } from '../errors.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import { jobDetails } from '../job/job-details.js';
import type { JobRecord, JobTree, QueuedJob } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import { debounceWithin, type JobSealer } from '../job/job-sealer.js';
import { OPEN } from '../job/job-status.js';
import type { Paused } from '../job/pauses.js';
import type { Revive } from '../job/payload.js';
import { type QuotaLimits, unknownQuota } from '../job/places.js';
import { type PrincipalReference, referenceTo } from '../job/principal.js';
import type { RateBook } from '../job/rates.js';
import type { AccessGuard } from '../principal/access-guard.js';
import { Actor, actAs, currentActor } from '../principal/actor.js';
import { checkRealm, PRINCIPAL_RULE } from '../principal/principal-check.js';
import { isAnsweredInTime, LAST_ANSWER_MS } from '../store/async/last-answer.js';
import type { AttemptEvents } from '../task/attempt-events.js';
import { signalAround, untilAborted } from '../task/current-task.js';
import { namesOf } from '../task/definition-of.js';
import type { TaskLike } from '../task/task.js';
import { cancelJobs, retryJobs } from './bulk-operations.js';
import { type DeadLetter, deadLetters } from './dead-letters.js';
import { drained } from './drain.js';
import { Enqueuer } from './enqueuer.js';
import { type Events, type JobEvent, outcomeEvents, StoreEvents } from './events.js';
import { logFailures } from './failure-logger.js';
import type { DispatcherView, IAsyncService } from './i-async-service.js';
import type { Draft, Job } from './job.js';
import { type JobAccess, see } from './job-access.js';
import { draftPlan, keyedPlan, parallel, planOf, serial } from './job-draft.js';
import { type JobFilter, queryOf } from './job-filter.js';
import { handleOf, handlesFor, handlesOf } from './job-handle.js';
import { type Pausable, pausableOf } from './pause-options.js';
import { type Queues, StoreQueues } from './queues.js';
import { type CheckedStopOptions, checkStopOptions, NOTHING_LEFT, type StopOptions, type StopReport } from './stop-options.js';
import { type UnreadableJob, unreadableJobs } from './unreadable-jobs.js';
import { type ScheduledJobs, WaitingWatch } from './waiting-watch.js';

/** The part of the dispatcher that the service uses. */
export interface OwnDispatcher extends DispatcherView {
  start(): void;
  quiet(): Promise<void>;
  /** @param waitMs - how long it waits for running jobs, if not as its options say. @returns how many jobs it had to abort */
  stop(waitMs?: number): Promise<number>;
}

export interface ServiceSources extends Pick<JobAccess, 'store' | 'clock' | 'logger'> {
  readonly expansion: ExpansionContext;
  readonly accessGuard: AccessGuard;
  readonly sealer: JobSealer;
  readonly quotas: QuotaLimits;
  readonly rates: RateBook;
  /** How long queueing waits for the store; `undefined` for as long as it takes. */
  readonly queueTimeoutMs: number | undefined;
  readonly attemptEvents: AttemptEvents;
  /** The versions of a task that this process can run. */
  readonly taskVersionsOf: (taskName: string) => readonly string[];
}

export class AsyncService implements IAsyncService {
  readonly events: Events;
  readonly #access: JobAccess;
  readonly #queues: StoreQueues;
  readonly #enqueuer: Enqueuer;
  readonly #waitingWatch: WaitingWatch;
  readonly #started = new AsyncSubject<void>();
  readonly #stopped = new ReplaySubject<void>(1);
  readonly #warned = new Set<string>();
  #state: 'new' | 'starting' | 'running' | 'stopped' = 'new';
  #stopping: Promise<StopReport> | undefined;
  /** Aborted where it was to be stopped before it had started. */
  readonly #unwanted = new AbortController();
  #dispatcher: OwnDispatcher | undefined;

  constructor(private readonly sources: ServiceSources) {
    const { store, clock, logger } = sources;
    // A subscriber from before the start receives everything from then on.
    const changes: JobAccess['changes'] = (interest) =>
      this.#started.pipe(
        switchMap(() => store.changes(interest)),
        takeUntil(this.#stopped),
      );
    const isRunning = (): boolean => this.#state === 'running';
    this.#access = {
      store,
      clock,
      logger,
      changes,
      isRunning,
      addCallback: (callback, parent) => this.#enqueuer.addCallback(callback, parent),
      retry: (id) => this.#enqueuer.retry(id),
    };
    this.#queues = new StoreQueues(this.#access);
    this.#enqueuer = new Enqueuer({
      ...sources,
      access: this.#access,
      checkRunning: () => this.#checkRunning(),
      note: (tree) => this.#note(tree),
    });
    this.events = new StoreEvents(this.#access, sources.attemptEvents.all.pipe(takeUntil(this.#stopped)));
    this.#waitingWatch = new WaitingWatch({ store, clock, logger, claimed: () => this.#dispatcher?.claimed });
  }

  get dispatcher(): DispatcherView | undefined {
    return this.#dispatcher;
  }

  /** Whether nothing that was asked for is still to be stored. */
  get isIdle(): boolean {
    return this.#enqueuer.isIdle;
  }

  /**
   * @param check - what can be checked only when the store has been opened; throws where nothing is to be started, and gives what recurs
   */
  async start(dispatcher: OwnDispatcher | undefined, check: () => readonly ScheduledJobs[]): Promise<void> {
    if (this.#state !== 'new') throw new NotRunningError('a service is started once: make a new container with a new asyncModule');
    this.#state = 'starting';
    const { store, clock, logger, quotas, rates, sealer } = this.sources;
    try {
      await store.start({
        clock,
        quotas,
        rates,
        putOff: debounceWithin(sealer),
        onDamage: (message, details) => logger.error(message, details),
        onWaiting: (message) => logger.warn(message),
        signal: this.#unwanted.signal,
      });
    } catch (error) {
      this.#state = 'new';
      if (this.#unwanted.signal.aborted) throw unstarted(error);
      throw error;
    }
    this.#state = 'running';
    if (this.#unwanted.signal.aborted) {
      await this.stop();
      throw unstarted();
    }
    const schedules = await this.#checked(check);
    this.#started.next();
    this.#started.complete();
    logFailures(this.#access);
    this.#dispatcher = dispatcher;
    this.#access.changes({ longWaits: 'here' }).subscribe(() => this.#waitingWatch.noteWaiting());
    dispatcher?.start();
    await this.#waitingWatch.start(schedules);
  }

  async #checked<T>(check: () => T): Promise<T> {
    try {
      return check();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async quiet(): Promise<void> {
    await untilAborted(Promise.resolve(this.#dispatcher?.quiet()), signalAround());
  }

  stop(): Promise<void>;
  stop(options: StopOptions): Promise<StopReport>;
  async stop(options: StopOptions = {}): Promise<unknown> {
    const checked = checkStopOptions(options);
    if (this.#state === 'running') this.#stopping ??= this.#stop(checked);
    else if (this.#state !== 'stopped') this.#unwanted.abort();
    return untilAborted(this.#stopping ?? Promise.resolve(NOTHING_LEFT), signalAround());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(options: CheckedStopOptions): Promise<StopReport> {
    const aborted = await this.#drain(options);
    this.#waitingWatch.stop();
    this.#state = 'stopped';
    await this.#answered(this.#enqueuer.close(this.#notRunning('queued')), 'whether jobs were queued');
    this.#stopped.next();
    const left = this.sources.store.isEmbedded === true ? await this.#tried(this.#leftInMemory(), aborted) : aborted;
    await this.#answered(this.sources.store.stop(), '`stop`');
    return { left };
  }

  /** Stops the dispatcher, once what is to be finished first has been. @returns how many jobs it had to abort */
  async #drain({ drain, timeoutMs }: CheckedStopOptions): Promise<number> {
    if (!drain) return (await this.#dispatcher?.stop()) ?? 0;
    const isEmbedded = this.sources.store.isEmbedded === true;
    if (isEmbedded) await this.#tried(drained(this.#access, timeoutMs), undefined);
    return (await this.#dispatcher?.stop(isEmbedded ? 0 : timeoutMs)) ?? 0;
  }

  /** The service stops, also if the store fails. */
  #tried<T>(answer: Promise<T>, otherwise: T): Promise<T> {
    return answer.catch((error: unknown) => {
      this.sources.logger.warn('the store has failed while the service stopped, which goes on', { err: error });
      return otherwise;
    });
  }

  /** Says how many jobs end with the process; in a test, which knows, only where it asks for all lines. */
  async #leftInMemory(): Promise<number> {
    const { store, clock, logger } = this.sources;
    const [left, others] = await Promise.all([store.count({ statuses: OPEN }), store.insight.dispatchers()]);
    if (left > 0 && others.length === 0)
      logger[isReal(clock) ? 'warn' : 'info'](
        `\`stop\` leaves ${left} ${left === 1 ? 'job' : 'jobs'} behind in memory, which ${left === 1 ? 'ends' : 'end'} with the process: \`stop({ drain: true, timeoutMs })\` finishes first what can still run, and \`mongoStore\` keeps jobs`,
      );
    return left;
  }

  /** One that never answers must not keep the process from ending. */
  async #answered(answer: Promise<void>, what: string): Promise<void> {
    const { clock, logger } = this.sources;
    if (await isAnsweredInTime(answer, clock)) return;
    logger.warn(`the store has not answered ${what} within ${LAST_ANSWER_MS} ms, so the service waits no longer`);
  }

  async queueJob(work: TaskLike | Draft<unknown>, ...args: readonly unknown[]): Promise<Job<never>> {
    const plan = draftPlan(work);
    if (plan !== undefined && args.length > 0)
      throw new OptionError(
        `\`queueJob\` got a draft of ${plan.taskName} and arguments beside it: give them to \`makeJob\`, which made the draft`,
      );
    return this.#enqueuer.queue(plan ?? keyedPlan(work as TaskLike, args));
  }

  async queueSerialJobs(...drafts: Draft<unknown>[]): Promise<Job<never>> {
    return this.#enqueuer.queue(planOf(serial(...drafts), 'drafts'));
  }

  async queueParallelJobs(...drafts: Draft<unknown>[]): Promise<Job<never>> {
    return this.#enqueuer.queue(planOf(parallel(...drafts), 'drafts'));
  }

  async queueJobs(drafts: readonly Draft<unknown>[]): Promise<never> {
    checkOption('`queueJobs`', 'drafts', drafts, { ...is.array, must: 'an array of drafts' });
    return this.#enqueuer.queueAll(Array.from(drafts, (draft, index) => planOf(draft, `drafts[${index}]`))) as Promise<never>;
  }

  async extendBatch(batch: Job<unknown> | string, ...drafts: Draft<unknown>[]): Promise<never> {
    const plans = drafts.map((draft, index) => planOf(draft, `drafts[${index}]`));
    return this.#enqueuer.extend(typeof batch === 'string' ? batch : batch.id, plans) as Promise<never>;
  }

  async transaction<T>(fn: (session: never) => Promise<T>): Promise<T> {
    this.#checkRunning();
    checkOption('`transaction`', 'fn', fn, is.callable);
    return this.#enqueuer.transaction((session) => fn(session as never));
  }

  runAs<T>(principal: PrincipalReference, fn: () => T): T {
    checkOption('`runAs`', 'principal', principal, PRINCIPAL_RULE);
    checkRealm('`runAs`', principal);
    checkOption('`runAs`', 'fn', fn, is.callable);
    const reference = referenceTo(principal);
    this.sources.accessGuard.checkMayActAs(reference);
    return actAs(new Actor(principal, currentActor()?.task, reference), fn);
  }

  async withSession<T>(session: unknown, fn: () => Promise<T>): Promise<T> {
    this.#checkRunning();
    checkOption('`withSession`', 'session', session, is.object);
    checkOption('`withSession`', 'fn', fn, is.callable);
    return this.#enqueuer.within(session as object, fn);
  }

  async getJob(id: string, task?: TaskLike): Promise<Job<never> | undefined> {
    this.#checkStarted();
    const [record] = await this.sources.store.find({ ids: [id] });
    if (record === undefined) return undefined;
    if (task !== undefined) checkTask(record, task);
    return handleOf(this.#access, await see(record, this.sources.store)) as unknown as Job<never>;
  }

  async getJobs(filter: JobFilter = {}): Promise<readonly Job<unknown>[]> {
    this.#checkStarted();
    return handlesOf(this.#access, await this.sources.store.find(queryOf('the filter of `getJobs`', filter)));
  }

  async cancelJobs(filter: JobFilter, reason?: string): Promise<number> {
    if (reason !== undefined) checkOption('`cancelJobs`', 'reason', reason, is.labelOrEmpty);
    this.#checkStarted();
    return cancelJobs(this.#access, filter, reason);
  }

  async getDeadLetters(filter: Omit<JobFilter, 'statuses'> = {}): Promise<readonly DeadLetter[]> {
    this.#checkStarted();
    return deadLetters(this.#access, filter);
  }

  async retryJobs(filter: JobFilter): Promise<readonly Job<unknown>[]> {
    this.#checkRunning();
    return retryJobs(this.#access, filter);
  }

  async getUnreadableJobs(filter: Omit<JobFilter, 'statuses'> = {}): Promise<readonly UnreadableJob[]> {
    this.#checkStarted();
    return unreadableJobs(this.#access, filter, this.sources.taskVersionsOf);
  }

  outcomes(): Observable<JobEvent<unknown>> {
    return outcomeEvents(this.#access, { outcomes: 'everywhere' });
  }

  pause(what: Pausable): Promise<void> {
    return this.#pause('`pause`', what, true);
  }

  resume(what: Pausable): Promise<void> {
    return this.#pause('`resume`', what, false);
  }

  async getPaused(): Promise<Paused> {
    this.#checkRunning('looked up');
    const { everything, queues, taskNames } = await this.sources.store.controls.paused();
    return { everything, queues: [...queues], taskNames: [...taskNames] };
  }

  async resizeQuota(quota: string, size: number): Promise<void> {
    this.#checkRunning('resized');
    checkOption('`resizeQuota`', 'size', size, is.count);
    const { controls, quotas } = this.sources.store;
    if (!quotas.has(quota)) throw unknownQuota('`resizeQuota`', quota, quotas);
    await controls.resize(quota, size);
  }

  async #pause(call: string, what: Pausable, isPaused: boolean): Promise<void> {
    this.#checkRunning(isPaused ? 'paused' : 'resumed');
    await untilAborted(this.sources.store.controls.pause(pausableOf(`the argument of ${call}`, what), isPaused), signalAround());
  }

  getQueues(): Queues {
    return this.#queues;
  }

  /** Looks jobs up that a stored value names. @returns what makes handles of them */
  lookUp(references: readonly JobReference[]): Promise<Revive> {
    return handlesFor(this.#access, references);
  }

  #note(tree: JobTree): void {
    this.#waitingWatch.noteQueued(tree);
    for (const job of tree) {
      this.#queues.note(job.queue);
      if (job.kind === 'task') this.#warnOfUnknown(job);
    }
  }

  #checkRunning(what = 'queued'): void {
    if (this.#state !== 'running') throw this.#notRunning(what);
  }

  /** A store that was not opened would answer that it has no jobs. One that is closed says what it can. */
  #checkStarted(): void {
    if (this.#state === 'new') throw this.#notRunning('looked up');
  }

  #notRunning(what: string): NotRunningError {
    return new NotRunningError(
      this.#state !== 'stopped'
        ? `nothing can be ${what} yet: await \`start(container)\` first`
        : `nothing can be ${what} any more: the service was stopped`,
    );
  }

  /** Once for each task: in another process it may well be known. */
  #warnOfUnknown(job: QueuedJob): void {
    const { taskName } = job;
    if (this.#dispatcher === undefined || this.sources.taskVersionsOf(taskName).length > 0 || this.#warned.has(taskName)) return;
    this.#warned.add(taskName);
    this.sources.logger.warn(
      `a job of ${taskName} was queued, but no dispatcher of this process will run it: it is not in \`tasks\` of asyncModule`,
      jobDetails(job, 0),
    );
  }
}

function unstarted(cause?: unknown): NotRunningError {
  return new NotRunningError('the service was stopped before it had started', cause === undefined ? {} : { cause });
}

function checkTask({ job }: JobRecord, task: TaskLike): void {
  const names = namesOf(task);
  if (names.includes(job.taskName)) return;
  throw new JobTypeError(`job ${job.id} is one of ${job.taskName}, not of ${names[0]}; ask for it with its own task, or with none`);
}
