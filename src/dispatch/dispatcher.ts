/** Claims jobs from a store and runs them: wake-ups, free slots, claims, work and its record, as one pipeline. */

import {
  catchError,
  defer,
  endWith,
  exhaustMap,
  firstValueFrom,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  ReplaySubject,
  race,
  Subject,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Clock } from '../clock.js';
import { jobDetails } from '../job/job-details.js';
import { isAnsweredInTime, LAST_ANSWER_MS } from '../store/async/last-answer.js';
import { DISPATCHER_EVENTS, type DispatcherEvent } from '../store/dispatcher-event.js';
import type { JobStore } from '../store/job-store.js';
import type { Logger } from '../task/logger.js';
import type { TaskRegistry } from '../task/task-registry.js';
import { type Agent, infoOf, openAgents } from './agents.js';
import { claims } from './claims.js';
import { ConnectionMonitor } from './connection-monitor.js';
import type { CheckedDispatcherOptions } from './dispatcher-options.js';
import type { JobRunner } from './job-runner.js';
import { LeaseKeeper, LeaseLost, whileHeld } from './lease-keeper.js';
import { runMaintenance } from './maintenance.js';
import { OpenClaims } from './open-claims.js';
import { runJobs } from './run-jobs.js';
import { runSchedules, type Schedule } from './scheduler.js';
import type { SettlementWriter } from './settlement-writer.js';
import { Slots } from './slots.js';
import { wakeUps } from './wake-ups.js';

export interface DispatcherSources {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: TaskRegistry;
  /** The schedules. */
  readonly schedules: readonly Schedule[];
  readonly settlementWriter: SettlementWriter;
  readonly jobRunner: JobRunner;
  /** Its name; other dispatchers may have the same. */
  readonly name: string;
  /** Names one life of the dispatcher: from its first heartbeat until it stops, or loses its lease. */
  readonly newId: () => string;
  /** Makes a stream one whose subscribers can do no harm. */
  readonly guarded: <T>(source: Observable<T>) => Observable<T>;
}

/** One life of the dispatcher. */
interface Life {
  readonly dispatcher: string;
  readonly lease: LeaseKeeper;
}

/** Between the end of a life and the beginning of the next. */
const RETRY_MS = 1_000;
/** How long a method may take to notice that its signal was aborted by `stop`. */
const ABORT_MS = 1_000;

export class Dispatcher {
  readonly #quiet = new ReplaySubject<void>(1);
  readonly #stop = new Subject<void>();
  readonly #agents: readonly Agent[];
  readonly #events = new ReplaySubject<DispatcherEvent>(1);
  /** They say nothing about the state of the dispatcher, so they are not replayed to later subscribers. */
  readonly #refusals: Observable<DispatcherEvent>;
  readonly #connection = new ConnectionMonitor({
    onLost: (error) => this.#tell({ type: 'database-lost', error }, 'warn'),
    onBack: () => this.#tell({ type: 'database-back' }),
  });
  readonly #claims: OpenClaims;
  #ended: Promise<void> = Promise.resolve();
  #id = '';

  /** @throws NotATaskError, OptionError for agents that accept a task which this process does not have */
  constructor(
    private readonly sources: DispatcherSources,
    private readonly options: CheckedDispatcherOptions,
  ) {
    const { registry, jobRunner, logger, name } = sources;
    this.#agents = openAgents(options.agents, registry);
    this.#claims = new OpenClaims({ ...sources, connection: this.#connection });
    this.#refusals = jobRunner.refusals.pipe(
      map(({ job: { id, taskName }, error }) => ({ type: 'refused', job: { id, taskName }, error })),
    );
    jobRunner.refusals.subscribe(({ job, attempt, error }) =>
      logger.error(`dispatcher ${name} ${DISPATCHER_EVENTS.refused}: ${error.message}`, jobDetails(job, attempt, { err: error })),
    );
  }

  get name(): string {
    return this.sources.name;
  }

  get events(): Observable<DispatcherEvent> {
    return this.sources.guarded(
      merge(this.#events, this.#refusals.pipe(takeUntil(this.#events.pipe(ignoreElements(), endWith(undefined))))),
    );
  }

  /** The jobs in hand, and which run of each this is. */
  get running(): readonly { readonly id: string; readonly taskName: string; readonly attempt: number }[] {
    return this.sources.jobRunner.running;
  }

  /** How many jobs it has claimed since its start. */
  get claimed(): number {
    return this.#claims.claimed;
  }

  /** Whether no claim and no record is under way. */
  get isSettled(): boolean {
    return this.#claims.areAnswered && this.sources.settlementWriter.isIdle;
  }

  start(): void {
    this.#ended = new Promise((resolve) => {
      this.#lives().pipe(takeUntil(this.#stop)).subscribe({ complete: resolve });
    });
  }

  /**
   * Claims nothing more; running jobs go on. Resolves when no claim is under way, or the wait for it has timed out: jobs that it brings
   * later are handed back.
   */
  async quiet(): Promise<void> {
    const { clock, logger, name } = this.sources;
    this.#quiet.next();
    if (this.#claims.areAnswered || (await isAnsweredInTime(this.#claims.answered(), clock))) return;
    logger.warn(
      `the store has not answered a claim of dispatcher ${name} within ${LAST_ANSWER_MS} ms, so the dispatcher waits no longer; jobs that it brings are handed back`,
    );
  }

  /**
   * Takes no more jobs, waits for those that run, then aborts them; jobs that still do not end are handed back as interrupted.
   * @returns how many it had to abort
   */
  async stop(waitMs = this.options.stopMs): Promise<number> {
    const { jobRunner, settlementWriter } = this.sources;
    await this.quiet();
    await this.#unloaded(waitMs);
    const left = jobRunner.load;
    if (left > 0) {
      jobRunner.abortAll('the dispatcher stops');
      await this.#unloaded(ABORT_MS);
    }
    const recorded = jobRunner.abandonAll(true).then(() => settlementWriter.idle());
    await firstValueFrom(race(recorded, timer(ABORT_MS, this.sources.clock.scheduler)));
    settlementWriter.giveUp();
    this.#stop.next();
    await this.#ended;
    await this.#giveLeaseUp();
    this.#tell({ type: 'stopped' });
    this.#events.complete();
    return left;
  }

  /** If this fails, the lease ends by itself. */
  async #giveLeaseUp(): Promise<void> {
    const { store, clock, logger, name } = this.sources;
    try {
      if (await isAnsweredInTime(store.heartbeat(this.#id, 0), clock)) return;
      logger.warn(
        `the store has not answered the last heartbeat of dispatcher ${name} within ${LAST_ANSWER_MS} ms, so the dispatcher waits no longer; its lease ends by itself`,
      );
    } catch (error) {
      logger.warn(`the lease of dispatcher ${name} could not be given up`, { err: error });
    }
  }

  /** One life after another: a new one begins when the lease of the last was lost. */
  #lives(): Observable<void> {
    const { jobRunner } = this.sources;
    return defer(() => this.#life()).pipe(
      catchError((error: unknown) => {
        this.#connection.forget();
        this.#tell(error instanceof LeaseLost ? { type: 'lease-lost' } : { type: 'failed', error }, 'error');
        jobRunner.abortAll('the lease of the dispatcher is over');
        return defer(() => jobRunner.abandonAll(false)).pipe(
          mergeMap(() => timer(RETRY_MS, this.sources.clock.scheduler)),
          mergeMap(() => this.#lives()),
        );
      }),
    );
  }

  /** The whole of it: nothing is claimed before the first heartbeat, nor after the last. */
  #life(): Observable<void> {
    const { store, clock, logger, newId, schedules } = this.sources;
    const { leaseMs, heartbeatMs, idleHeartbeatMs, pollMs } = this.options;
    const dispatcher = newId();
    this.#id = dispatcher;
    const connection = this.#connection;
    const isBusy = (): boolean => this.sources.jobRunner.load > 0 || !this.isSettled;
    const agents = this.#agents.map(infoOf);
    const lease = new LeaseKeeper({ store, clock, logger, connection, dispatcher, agents, leaseMs, heartbeatMs, idleHeartbeatMs, isBusy });
    const work = defer(() => {
      this.#tell({ type: 'started' });
      return merge(
        ...this.#agents.map((agent) => this.#agent(agent, { dispatcher, lease })),
        runMaintenance({ store, clock, dispatcher, pollMs }).pipe(
          exhaustMap(({ running = [] }) => this.#claims.compare(running)),
          ignoreElements(),
        ),
        runSchedules({ store, clock, pollMs, logger, schedules }),
        store.changes({ cancelsOf: dispatcher }).pipe(
          tap((change) => change.type === 'cancel' && this.#claims.cancel(change.id, change.reason)),
          ignoreElements(),
        ),
      );
    });
    return whileHeld(lease, work);
  }

  /** The pipeline of one agent. */
  #agent({ queue, concurrency, taskVersions, transactional }: Agent, { dispatcher, lease }: Life): Observable<void> {
    const { store, clock, jobRunner } = this.sources;
    const slots = new Slots(concurrency);
    return wakeUps({ store, queue, clock, pollMs: this.options.pollMs }).pipe(
      claims({ slots, clock, claim: (limit) => this.#claims.claim({ dispatcher, queue, taskVersions, transactional, limit }, lease) }),
      takeUntil(this.#quiet),
      runJobs({ work: (job, freeSlot) => jobRunner.work(job, freeSlot, this.#claims.endBefore(job)) }, slots),
    );
  }

  #tell(event: DispatcherEvent, level: 'info' | 'warn' | 'error' = 'info'): void {
    const { logger, name } = this.sources;
    logger[level](`dispatcher ${name} ${DISPATCHER_EVENTS[event.type]}`, 'error' in event ? { err: event.error } : undefined);
    this.#events.next(event);
  }

  /** Resolves when nothing is in hand, or after this time. */
  async #unloaded(withinMs: number): Promise<void> {
    const { jobRunner, clock } = this.sources;
    if (jobRunner.load === 0) return;
    await firstValueFrom(race(jobRunner.unloaded, timer(withinMs, clock.scheduler)), { defaultValue: undefined });
  }
}
