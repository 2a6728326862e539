/** The life of a service: it is new, starts, runs, and stops. Calls that come too early or too late are refused. */

import { AsyncSubject, type Observable, ReplaySubject, switchMap, takeUntil } from 'rxjs';
import { isReal } from '../clock.js';
import { NotRunningError } from '../errors.js';
import { debounceWithin, type JobSealer } from '../job/job-sealer.js';
import { OPEN } from '../job/job-status.js';
import type { QuotaLimits } from '../job/places.js';
import type { RateBook } from '../job/rates.js';
import { isAnsweredInTime, LAST_ANSWER_MS } from '../store/async/last-answer.js';
import type { ChangeFilter, StoreChange } from '../store/store-changes.js';
import { signalAround, untilAborted } from '../task/current-task.js';
import { drained } from './drain.js';
import type { Enqueuer } from './enqueuer.js';
import { logFailures } from './failure-logger.js';
import type { DispatcherView } from './i-async-service.js';
import type { JobAccess } from './job-access.js';
import { type CheckedStopOptions, checkStopOptions, NOTHING_LEFT, type StopOptions, type StopReport } from './stop-options.js';
import type { ScheduledJobs, WaitingWatch } from './waiting-watch.js';

/** The part of the dispatcher that the service uses. */
export interface OwnDispatcher extends DispatcherView {
  start(): void;
  quiet(): Promise<void>;
  /** @param waitMs - how long it waits for running jobs, if not as its options say. @returns how many jobs it had to abort */
  stop(waitMs?: number): Promise<number>;
}

export interface ServiceLifeSources extends Pick<JobAccess, 'store' | 'clock' | 'logger'> {
  readonly sealer: JobSealer;
  readonly quotas: QuotaLimits;
  readonly rates: RateBook;
}

/** The parts of the service that begin and end with it. */
export interface ServiceParts {
  readonly access: JobAccess;
  readonly enqueuer: Enqueuer;
  readonly waitingWatch: WaitingWatch;
}

export interface ServiceStart {
  readonly dispatcher: OwnDispatcher | undefined;
  /** Checks what can be checked only when the store has been opened; throws where nothing is to be started. @returns what recurs */
  readonly check: () => readonly ScheduledJobs[];
}

export class ServiceLife {
  readonly #started = new AsyncSubject<void>();
  readonly #stopped = new ReplaySubject<void>(1);
  #state: 'new' | 'starting' | 'running' | 'stopped' = 'new';
  #parts: ServiceParts | undefined;
  #dispatcher: OwnDispatcher | undefined;
  #stopping: Promise<StopReport> | undefined;
  /** Aborted where it was to be stopped before it had started. */
  readonly #unwanted = new AbortController();

  constructor(private readonly sources: ServiceLifeSources) {}

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Emits when the service stops, or at once if it has. */
  get stopped(): Observable<void> {
    return this.#stopped;
  }

  /** Once it has started. */
  get dispatcher(): OwnDispatcher | undefined {
    return this.#dispatcher;
  }

  /** The changes of the store, until the service stops. A subscriber from before the start receives all changes from then on. */
  changes(filter: ChangeFilter): Observable<StoreChange> {
    return this.#started.pipe(
      switchMap(() => this.sources.store.changes(filter)),
      takeUntil(this.#stopped),
    );
  }

  /** @throws NotRunningError if it has been started before, or was stopped meanwhile; what the store throws: then it can be started again */
  async start(parts: ServiceParts, { dispatcher, check }: ServiceStart): Promise<void> {
    if (this.#state !== 'new') throw new NotRunningError('a service is started once: make a new container with a new asyncModule');
    this.#state = 'starting';
    try {
      await this.#openStore();
    } catch (error) {
      this.#state = 'new';
      if (this.#unwanted.signal.aborted) throw unstarted(error);
      throw error;
    }
    this.#state = 'running';
    this.#parts = parts;
    if (this.#unwanted.signal.aborted) {
      await this.stop();
      throw unstarted();
    }
    const schedules = await this.#checked(check);
    this.#started.next();
    this.#started.complete();
    logFailures(parts.access);
    this.#dispatcher = dispatcher;
    parts.access.changes({ longWaits: 'here' }).subscribe(() => parts.waitingWatch.noteWaiting());
    dispatcher?.start();
    await parts.waitingWatch.start(schedules);
  }

  async #openStore(): Promise<void> {
    const { store, clock, logger, quotas, rates, sealer } = this.sources;
    await store.start({
      clock,
      quotas,
      rates,
      putOff: debounceWithin(sealer),
      onDamage: (message, details) => logger.error(message, details),
      onWaiting: (message) => logger.warn(message),
      signal: this.#unwanted.signal,
    });
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

  async stop(options: StopOptions = {}): Promise<StopReport> {
    const checked = checkStopOptions(options);
    if (this.isRunning && this.#parts !== undefined) this.#stopping ??= this.#stop(this.#parts, checked);
    else if (this.#state !== 'stopped') this.#unwanted.abort();
    return untilAborted(this.#stopping ?? Promise.resolve(NOTHING_LEFT), signalAround());
  }

  async #stop({ access, enqueuer, waitingWatch }: ServiceParts, options: CheckedStopOptions): Promise<StopReport> {
    const { store } = this.sources;
    const aborted = await this.#drain(access, options);
    waitingWatch.stop();
    this.#state = 'stopped';
    await this.#answered(enqueuer.close(this.#notRunning('queued')), 'whether jobs were queued');
    this.#stopped.next();
    const left = store.isEmbedded === true ? await this.#tried(this.#leftInMemory(), aborted) : aborted;
    await this.#answered(store.stop(), '`stop`');
    return { left };
  }

  /** Stops the dispatcher, once the jobs to finish first have ended. @returns how many jobs it had to abort */
  async #drain(access: JobAccess, { drain, timeoutMs }: CheckedStopOptions): Promise<number> {
    if (!drain) return (await this.#dispatcher?.stop()) ?? 0;
    const isEmbedded = this.sources.store.isEmbedded === true;
    if (isEmbedded) await this.#tried(drained(access, timeoutMs), undefined);
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

  /** @throws NotRunningError before the start and after the stop */
  checkRunning(what = 'queued'): void {
    if (!this.isRunning) throw this.#notRunning(what);
  }

  /** A store that was not opened would answer that it has no jobs. One that is closed answers as far as it can. @throws NotRunningError */
  checkStarted(): void {
    if (this.#state === 'new') throw this.#notRunning('looked up');
  }

  #notRunning(what: string): NotRunningError {
    return new NotRunningError(
      this.#state !== 'stopped'
        ? `nothing can be ${what} yet: await \`start(container)\` first`
        : `nothing can be ${what} any more: the service was stopped`,
    );
  }
}

function unstarted(cause?: unknown): NotRunningError {
  return new NotRunningError('the service was stopped before it had started', cause === undefined ? {} : { cause });
}
