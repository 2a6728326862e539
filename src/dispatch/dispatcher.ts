/** Claims jobs from a store and runs them: wake-ups, free slots, claims, work and its record, as one pipeline. */

import {
  catchError,
  connect,
  defer,
  endWith,
  exhaustMap,
  firstValueFrom,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  Observable,
  ReplaySubject,
  race,
  retry,
  Subject,
  switchMap,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs';
import type { Clock } from '../clock.js';
import { OptionError } from '../errors.js';
import { jobDetails } from '../job/job-details.js';
import { taskNameIn } from '../job/task-version.js';
import { isAnsweredInTime, LAST_ANSWER_MS } from '../store/async/last-answer.js';
import { DISPATCHER_EVENTS, type DispatcherEvent } from '../store/dispatcher-event.js';
import type { JobStore } from '../store/job-store.js';
import type { AgentInfo } from '../store/store-insight.js';
import type { AttemptKey, ClaimedJob, ClaimRequest } from '../store/store-messages.js';
import { namesOf } from '../task/definition-of.js';
import type { Logger } from '../task/logger.js';
import type { TaskRegistry } from '../task/task-registry.js';
import type { Abort } from './attempt.js';
import { claims } from './claims.js';
import { ConnectionMonitor } from './connection-monitor.js';
import type { CheckedAgentOptions, CheckedDispatcherOptions } from './dispatcher-options.js';
import { cancelled, type JobRunner } from './job-runner.js';
import { LeaseKeeper, LeaseLost } from './lease-keeper.js';
import { runMaintenance } from './maintenance.js';
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
  /** What recurs. */
  readonly schedules: readonly Schedule[];
  readonly recorder: SettlementWriter;
  readonly worker: JobRunner;
  /** What it is called; others may be called the same. */
  readonly name: string;
  /** Names one life of the dispatcher: from its first heartbeat until it stops, or loses its lease. */
  readonly newId: () => string;
  /** Makes a stream one whose subscribers can do no harm. */
  readonly guarded: <T>(source: Observable<T>) => Observable<T>;
}

type Agent = CheckedAgentOptions & Required<Pick<ClaimRequest, 'taskVersions' | 'transactional'>>;

/** One life of the dispatcher. */
interface Life {
  readonly dispatcher: string;
  readonly lease: LeaseKeeper;
}

/** Before a claim that failed is tried again. */
const RETRY_MS = 1_000;
/** How long a method may take to notice that its signal was aborted by `stop`. */
const ABORT_MS = 1_000;

export class Dispatcher {
  readonly #quiet = new ReplaySubject<void>(1);
  readonly #stop = new Subject<void>();
  readonly #claiming = new Set<Promise<void>>();
  /** Cancellations heard of jobs that are not in hand, while claims are under way. */
  readonly #cancelledBefore = new Map<string, { readonly reason: string | undefined }>();
  readonly #agents: readonly Agent[];
  readonly #events = new ReplaySubject<DispatcherEvent>(1);
  /** They say nothing of how the dispatcher is, so that nobody is told of them later. */
  readonly #refusals: Observable<DispatcherEvent>;
  readonly #contact = new ConnectionMonitor({
    onLost: (error) => this.#tell({ type: 'database-lost', error }, 'warn'),
    onBack: () => this.#tell({ type: 'database-back' }),
  });
  #claimed = 0;
  #ended: Promise<void> = Promise.resolve();
  #id = '';

  /** @throws NotATaskError, OptionError for agents that accept what is no task of this process */
  constructor(
    private readonly sources: DispatcherSources,
    private readonly options: CheckedDispatcherOptions,
  ) {
    const { registry, worker, logger, name } = sources;
    this.#agents = options.agents.map((agent, index) => {
      const taskVersions = acceptedTaskVersions(agent, index, registry);
      return { ...agent, taskVersions, transactional: transactionalAmong(taskVersions, registry) };
    });
    this.#refusals = worker.refusals.pipe(map(({ job: { id, taskName }, error }) => ({ type: 'refused', job: { id, taskName }, error })));
    worker.refusals.subscribe(({ job, attempt, error }) =>
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
    return this.sources.worker.running;
  }

  /** How many jobs it has claimed since its start. */
  get claimed(): number {
    return this.#claimed;
  }

  /** Whether no claim and no record is under way. */
  get isSettled(): boolean {
    return this.#claiming.size === 0 && this.sources.recorder.isIdle;
  }

  start(): void {
    this.#ended = new Promise((resolve) => {
      this.#lives().pipe(takeUntil(this.#stop)).subscribe({ complete: resolve });
    });
  }

  /** Claims nothing more; what runs goes on. Resolves when no claim is under way, or the wait for it has timed out: jobs that it brings later are handed back. */
  async quiet(): Promise<void> {
    const { clock, logger, name } = this.sources;
    this.#quiet.next();
    if (this.#claiming.size === 0 || (await isAnsweredInTime(Promise.all(this.#claiming), clock))) return;
    logger.warn(
      `the store has not answered a claim of dispatcher ${name} within ${LAST_ANSWER_MS} ms, so the dispatcher waits no longer; jobs that it brings are handed back`,
    );
  }

  /**
   * Quiet, waits for what runs, then aborts it; jobs that even so do not end are handed back as interrupted.
   * @returns how many it had to abort
   */
  async stop(waitMs = this.options.stopMs): Promise<number> {
    const { worker, recorder } = this.sources;
    await this.quiet();
    await this.#unloaded(waitMs);
    const left = worker.load;
    if (left > 0) {
      worker.abortAll('the dispatcher stops');
      await this.#unloaded(ABORT_MS);
    }
    const recorded = worker.abandonAll(true).then(() => recorder.idle());
    await firstValueFrom(race(recorded, timer(ABORT_MS, this.sources.clock.scheduler)));
    recorder.giveUp();
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
    const { worker } = this.sources;
    return defer(() => this.#life()).pipe(
      catchError((error: unknown) => {
        this.#contact.forget();
        this.#tell(error instanceof LeaseLost ? { type: 'lease-lost' } : { type: 'failed', error }, 'error');
        worker.abortAll('the lease of the dispatcher is over');
        return defer(() => worker.abandonAll(false)).pipe(
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
    const contact = this.#contact;
    const isBusy = (): boolean => this.sources.worker.load > 0 || !this.isSettled;
    const agents = this.#agents.map(
      ({ queue, taskVersions, concurrency }): AgentInfo => ({ queue, taskVersions: [...taskVersions], concurrency }),
    );
    const lease = new LeaseKeeper({ store, clock, logger, contact, dispatcher, agents, leaseMs, heartbeatMs, idleHeartbeatMs, isBusy });
    const work = defer(() => {
      this.#tell({ type: 'started' });
      return merge(
        ...this.#agents.map((agent) => this.#agent(agent, { dispatcher, lease })),
        runMaintenance({ store, clock, dispatcher, pollMs }).pipe(
          exhaustMap(({ running = [] }) => this.#compared(running)),
          ignoreElements(),
        ),
        runSchedules({ store, clock, pollMs, logger, schedules }),
        store.changes({ cancelsOf: dispatcher }).pipe(
          tap((change) => change.type === 'cancel' && this.#cancel(change.id, change.reason)),
          ignoreElements(),
        ),
      );
    });
    return lease.renewals.pipe(
      connect((renewals) =>
        merge(
          renewals.pipe(ignoreElements()),
          renewals.pipe(
            take(1),
            switchMap(() => work),
          ),
        ),
      ),
    );
  }

  /** The pipeline of one agent. */
  #agent({ queue, concurrency, taskVersions, transactional }: Agent, { dispatcher, lease }: Life): Observable<void> {
    const { store, clock, worker } = this.sources;
    const slots = new Slots(concurrency);
    return wakeUps({ store, queue, clock, pollMs: this.options.pollMs }).pipe(
      claims({ slots, clock, claim: (limit) => this.#claim({ dispatcher, queue, taskVersions, transactional, limit }, lease) }),
      takeUntil(this.#quiet),
      runJobs({ work: (job, freeSlot) => worker.work(job, freeSlot, this.#endBefore(job)) }, slots),
    );
  }

  /** What is heard of a job before the answer of the claim that brings it is kept until then. */
  #cancel(id: string, reason: string | undefined): void {
    if (!this.sources.worker.cancel(id, reason) && this.#claiming.size > 0) this.#cancelledBefore.set(id, { reason });
  }

  #endBefore(job: ClaimedJob): Abort | undefined {
    const before = this.#cancelledBefore.get(job.job.id);
    return before === undefined ? undefined : cancelled(job, before.reason);
  }

  /** A claim whose answer comes when nobody wants it any more is handed back. */
  #claim(request: ClaimRequest, lease: LeaseKeeper): Observable<readonly ClaimedJob[]> {
    const { store, clock, logger, name } = this.sources;
    const what = `claim ${request.queue}`;
    const once = new Observable<readonly ClaimedJob[]>((subscriber) => {
      const answered = async (): Promise<void> => {
        const claimed = await store.claim(request);
        this.#contact.worked(what);
        this.#claimed += claimed.length;
        if (subscriber.closed) return this.#handBack(claimed.map(({ job: { id }, attempt: { token } }) => ({ id, token })));
        subscriber.next(claimed);
        subscriber.complete();
      };
      // Not at once: the store may tell of these jobs before it has answered, and then this counts as under way.
      const claiming = Promise.resolve()
        .then(answered)
        .catch((error: unknown) => subscriber.error(error))
        .finally(() => {
          this.#claiming.delete(claiming);
          if (this.#claiming.size === 0) this.#cancelledBefore.clear();
        });
      this.#claiming.add(claiming);
    });
    const delay = (error: unknown): Observable<unknown> => {
      logger.error(`a claim of dispatcher ${name} failed; trying again in ${RETRY_MS} ms`, { err: error });
      this.#contact.failed(what, error);
      return timer(RETRY_MS, clock.scheduler);
    };
    return lease.confirmed().pipe(
      switchMap(() => once),
      retry({ delay }),
    );
  }

  /**
   * Releases the attempts that the store counts as running here, but that are not in hand: their claim failed or was lost, so they have
   * not begun. Only a claim that is under way may still bring them, so these are awaited first.
   */
  #compared(running: readonly AttemptKey[]): Observable<unknown> {
    return from(Promise.all(this.#claiming)).pipe(
      tap(() => {
        const { worker, recorder } = this.sources;
        const inHand = new Set([...worker.running, ...recorder.writing].map(({ id }) => id));
        void this.#handBack(running.filter(({ id }) => !inHand.has(id)));
      }),
    );
  }

  /** Jobs that have not begun. */
  async #handBack(attempts: readonly AttemptKey[]): Promise<void> {
    const { recorder } = this.sources;
    await Promise.all(attempts.map(({ id, token }) => recorder.release({ id, token, hasBegun: false })));
  }

  #tell(event: DispatcherEvent, level: 'info' | 'warn' | 'error' = 'info'): void {
    const { logger, name } = this.sources;
    logger[level](`dispatcher ${name} ${DISPATCHER_EVENTS[event.type]}`, 'error' in event ? { err: event.error } : undefined);
    this.#events.next(event);
  }

  /** Resolves when nothing is in hand, or after so many milliseconds. */
  async #unloaded(withinMs: number): Promise<void> {
    const { worker, clock } = this.sources;
    if (worker.load === 0) return;
    await firstValueFrom(race(worker.unloaded, timer(withinMs, clock.scheduler)), { defaultValue: undefined });
  }
}

/** The forms of the jobs that an agent accepts. */
function acceptedTaskVersions(agent: CheckedAgentOptions, index: number, registry: TaskRegistry): ReadonlySet<string> {
  return new Set([...acceptedTasks(agent, index, registry)].flatMap((name) => registry.formsOf(name)));
}

function transactionalAmong(taskVersions: ReadonlySet<string>, registry: TaskRegistry): ReadonlySet<string> {
  return new Set([...taskVersions].filter((taskVersion) => registry.get(taskNameIn(taskVersion))?.options.transactional === true));
}

/** The names of the tasks that an agent accepts. */
function acceptedTasks({ accepts }: CheckedAgentOptions, index: number, registry: TaskRegistry): ReadonlySet<string> {
  const { names } = registry;
  if (typeof accepts === 'function') return new Set([...names].filter((name) => accepts(name)));
  for (const task of accepts) {
    const unknown = namesOf(task).find((name) => !names.has(name));
    if (unknown !== undefined) throw new OptionError(`\`dispatcher.agents[${index}].accepts\` has ${unknown}, which is not in \`tasks\``);
  }
  return new Set(accepts.flatMap(namesOf));
}
