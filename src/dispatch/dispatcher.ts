/** Claims jobs from a store and runs them: wake-ups, free slots, claims, work and its record, as one pipeline. */

import {
  catchError,
  connect,
  defer,
  firstValueFrom,
  ignoreElements,
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
import type { ClaimedJob, ClaimRequest, JobStore } from '../store/job-store.js';
import { namesOf } from '../task/definition-of.js';
import type { Logger } from '../task/logger.js';
import type { TaskRegistry } from '../task/task-registry.js';
import type { Abort } from './attempt.js';
import { claims } from './claims.js';
import type { CheckedAgentOptions, CheckedDispatcherOptions } from './dispatcher-options.js';
import { LeaseLost, lease } from './lease.js';
import type { Recorder } from './recorder.js';
import { rounds } from './rounds.js';
import { Slots } from './slots.js';
import { wakeUps } from './wake-ups.js';
import { workOn } from './work-on.js';
import { cancelled, type Worker } from './worker.js';

export interface DispatcherSources {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: TaskRegistry;
  readonly recorder: Recorder;
  readonly worker: Worker;
  /** Names one life of the dispatcher: from its first heartbeat until it stops, or loses its lease. */
  readonly newId: () => string;
}

type Agent = CheckedAgentOptions & { readonly tasks: ReadonlySet<string> };

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
  #claimed = 0;
  #ended: Promise<void> = Promise.resolve();
  #id = '';

  /** @throws NotATaskError, OptionError for agents that accept what is no task of this process */
  constructor(
    private readonly sources: DispatcherSources,
    private readonly options: CheckedDispatcherOptions,
  ) {
    this.#agents = options.agents.map((agent, index) => ({ ...agent, tasks: acceptedTasks(agent, index, sources.registry) }));
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

  /** Claims nothing more; what runs goes on. Resolves when no claim is under way. */
  async quiet(): Promise<void> {
    this.#quiet.next();
    await Promise.all(this.#claiming);
  }

  /** Quiet, waits for what runs, then aborts it; jobs that even so do not end are handed back as interrupted. */
  async stop(): Promise<void> {
    const { worker, recorder, store } = this.sources;
    await this.quiet();
    await this.#unloaded(this.options.stopMs);
    if (worker.load > 0) {
      worker.abortAll('the dispatcher stops');
      await this.#unloaded(ABORT_MS);
    }
    const recorded = worker.abandonAll(true).then(() => recorder.idle());
    await firstValueFrom(race(recorded, timer(ABORT_MS, this.sources.clock.scheduler)));
    recorder.giveUp();
    this.#stop.next();
    await this.#ended;
    await store.heartbeat(this.#id, 0).catch((error: unknown) => this.sources.logger.warn('the lease could not be given up', { error }));
  }

  /** One life after another: a new one begins when the lease of the last was lost. */
  #lives(): Observable<void> {
    const { worker, logger } = this.sources;
    return defer(() => this.#life()).pipe(
      catchError((error: unknown) => {
        if (error instanceof LeaseLost) logger.error('the lease of the dispatcher is over: its jobs are given up, and it begins anew');
        else logger.error('the dispatcher failed, gives up its jobs and begins anew', { error });
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
    const { store, clock, logger, newId } = this.sources;
    const { leaseMs, heartbeatMs, pollMs } = this.options;
    const dispatcher = newId();
    this.#id = dispatcher;
    const work = defer(() =>
      merge(
        ...this.#agents.map((agent) => this.#agent(agent, dispatcher)),
        rounds({ store, clock, dispatcher, pollMs }).pipe(ignoreElements()),
        store.changes({ cancelsOf: dispatcher }).pipe(
          tap((change) => change.type === 'cancel' && this.#cancel(change.id, change.reason)),
          ignoreElements(),
        ),
      ),
    );
    return lease({ store, clock, logger, dispatcher, leaseMs, heartbeatMs }).pipe(
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
  #agent({ queue, concurrency, tasks }: Agent, dispatcher: string): Observable<void> {
    const { store, clock, worker } = this.sources;
    const slots = new Slots(concurrency);
    return wakeUps({ store, queue, clock, pollMs: this.options.pollMs }).pipe(
      claims({ slots, clock, claim: (limit) => this.#claim({ dispatcher, queue, tasks, limit }) }),
      takeUntil(this.#quiet),
      workOn({ work: (job, freeSlot) => worker.work(job, freeSlot, this.#endBefore(job)) }, slots),
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
  #claim(request: ClaimRequest): Observable<readonly ClaimedJob[]> {
    const { store, clock, logger } = this.sources;
    const once = new Observable<readonly ClaimedJob[]>((subscriber) => {
      const answered = async (): Promise<void> => {
        const claimed = await store.claim(request);
        this.#claimed += claimed.length;
        if (subscriber.closed) return this.#handBack(claimed);
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
      logger.error(`a claim failed; trying again in ${RETRY_MS} ms`, { error });
      return timer(RETRY_MS, clock.scheduler);
    };
    return once.pipe(retry({ delay }));
  }

  async #handBack(claimed: readonly ClaimedJob[]): Promise<void> {
    const { recorder } = this.sources;
    await Promise.all(claimed.map(({ job, attempt }) => recorder.release({ id: job.id, token: attempt.token, hasBegun: false })));
  }

  /** Resolves when nothing is in hand, or after so many milliseconds. */
  async #unloaded(withinMs: number): Promise<void> {
    const { worker, clock } = this.sources;
    if (worker.load === 0) return;
    await firstValueFrom(race(worker.unloaded, timer(withinMs, clock.scheduler)), { defaultValue: undefined });
  }
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
