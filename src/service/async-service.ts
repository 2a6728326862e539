/** The service that an application injects: checks each call, and passes it to the part that does it. */

import { type Observable, takeUntil } from 'rxjs';
import { checkOption, is } from '../check.js';
import { OptionError } from '../errors.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import { jobDetails } from '../job/job-details.js';
import type { JobTree, QueuedJob } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import type { Paused } from '../job/pauses.js';
import type { Revive } from '../job/payload.js';
import { unknownQuota } from '../job/places.js';
import { type PrincipalReference, referenceTo } from '../job/principal.js';
import type { AccessGuard } from '../principal/access-guard.js';
import { Actor, actAs, currentActor } from '../principal/actor.js';
import { checkRealm, PRINCIPAL_RULE } from '../principal/principal-check.js';
import type { AttemptEvents } from '../task/attempt-events.js';
import { signalAround, untilAborted } from '../task/current-task.js';
import type { TaskLike } from '../task/task.js';
import { cancelJobs, retryJobs } from './bulk-operations.js';
import { type DeadLetter, deadLetters } from './dead-letters.js';
import { Enqueuer } from './enqueuer.js';
import { type Events, type JobEvent, outcomeEvents, StoreEvents } from './events.js';
import type { DispatcherView, IAsyncService } from './i-async-service.js';
import type { Draft, Job } from './job.js';
import { type JobAccess, see } from './job-access.js';
import { draftPlan, keyedPlan, parallel, planOf, serial } from './job-draft.js';
import { checkTask, type JobFilter, queryOf } from './job-filter.js';
import { handleOf, handlesFor, handlesOf } from './job-handles.js';
import { type Pausable, pausableOf } from './pause-options.js';
import { type Queues, StoreQueues } from './queues.js';
import { ServiceLife, type ServiceLifeSources, type ServiceStart } from './service-life.js';
import type { StopOptions, StopReport } from './stop-options.js';
import { type UnreadableJob, unreadableJobs } from './unreadable-jobs.js';
import { WaitingWatch } from './waiting-watch.js';

export interface ServiceSources extends ServiceLifeSources {
  readonly expansion: ExpansionContext;
  readonly accessGuard: AccessGuard;
  /** How long queueing waits for the store; `undefined` for as long as it takes. */
  readonly queueTimeoutMs: number | undefined;
  readonly attemptEvents: AttemptEvents;
  /** The versions of a task that this process can run. */
  readonly taskVersionsOf: (taskName: string) => readonly string[];
}

export class AsyncService implements IAsyncService {
  readonly events: Events;
  readonly #life: ServiceLife;
  readonly #access: JobAccess;
  readonly #queues: StoreQueues;
  readonly #enqueuer: Enqueuer;
  readonly #waitingWatch: WaitingWatch;
  readonly #warned = new Set<string>();

  constructor(private readonly sources: ServiceSources) {
    const { store, clock, logger } = sources;
    const life = new ServiceLife(sources);
    this.#life = life;
    this.#access = {
      store,
      clock,
      logger,
      changes: (filter) => life.changes(filter),
      isRunning: () => life.isRunning,
      addCallback: (callback, parent) => this.#enqueuer.addCallback(callback, parent),
      retry: (id) => this.#enqueuer.retry(id),
    };
    this.#queues = new StoreQueues(this.#access);
    this.#enqueuer = new Enqueuer({
      ...sources,
      access: this.#access,
      checkRunning: () => life.checkRunning(),
      note: (tree) => this.#note(tree),
    });
    this.events = new StoreEvents(this.#access, sources.attemptEvents.all.pipe(takeUntil(life.stopped)));
    this.#waitingWatch = new WaitingWatch({ store, clock, logger, claimed: () => life.dispatcher?.claimed });
  }

  get dispatcher(): DispatcherView | undefined {
    return this.#life.dispatcher;
  }

  /** Whether nothing that was asked for is still to be stored. */
  get isIdle(): boolean {
    return this.#enqueuer.isIdle;
  }

  start(start: ServiceStart): Promise<void> {
    return this.#life.start({ access: this.#access, enqueuer: this.#enqueuer, waitingWatch: this.#waitingWatch }, start);
  }

  quiet(): Promise<void> {
    return this.#life.quiet();
  }

  stop(): Promise<void>;
  stop(options: StopOptions): Promise<StopReport>;
  stop(options?: StopOptions): Promise<unknown> {
    return this.#life.stop(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
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
    this.#life.checkRunning();
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
    this.#life.checkRunning();
    checkOption('`withSession`', 'session', session, is.object);
    checkOption('`withSession`', 'fn', fn, is.callable);
    return this.#enqueuer.within(session as object, fn);
  }

  async getJob(id: string, task?: TaskLike): Promise<Job<never> | undefined> {
    this.#life.checkStarted();
    const [record] = await this.sources.store.find({ ids: [id] });
    if (record === undefined) return undefined;
    if (task !== undefined) checkTask(record, task);
    return handleOf(this.#access, await see(record, this.sources.store)) as unknown as Job<never>;
  }

  async getJobs(filter: JobFilter = {}): Promise<readonly Job<unknown>[]> {
    this.#life.checkStarted();
    return handlesOf(this.#access, await this.sources.store.find(queryOf('the filter of `getJobs`', filter)));
  }

  async cancelJobs(filter: JobFilter, reason?: string): Promise<number> {
    if (reason !== undefined) checkOption('`cancelJobs`', 'reason', reason, is.labelOrEmpty);
    this.#life.checkStarted();
    return cancelJobs(this.#access, filter, reason);
  }

  async getDeadLetters(filter: Omit<JobFilter, 'statuses'> = {}): Promise<readonly DeadLetter[]> {
    this.#life.checkStarted();
    return deadLetters(this.#access, filter);
  }

  async retryJobs(filter: JobFilter): Promise<readonly Job<unknown>[]> {
    this.#life.checkRunning();
    return retryJobs(this.#access, filter);
  }

  async getUnreadableJobs(filter: Omit<JobFilter, 'statuses'> = {}): Promise<readonly UnreadableJob[]> {
    this.#life.checkStarted();
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
    this.#life.checkRunning('looked up');
    const { everything, queues, taskNames } = await this.sources.store.controls.paused();
    return { everything, queues: [...queues], taskNames: [...taskNames] };
  }

  async resizeQuota(quota: string, size: number): Promise<void> {
    this.#life.checkRunning('resized');
    checkOption('`resizeQuota`', 'size', size, is.count);
    const { controls, quotas } = this.sources.store;
    if (!quotas.has(quota)) throw unknownQuota('`resizeQuota`', quota, quotas);
    await controls.resize(quota, size);
  }

  async #pause(call: string, what: Pausable, isPaused: boolean): Promise<void> {
    this.#life.checkRunning(isPaused ? 'paused' : 'resumed');
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

  /** Once for each task: in another process it may well be known. */
  #warnOfUnknown(job: QueuedJob): void {
    const { taskName } = job;
    if (this.#life.dispatcher === undefined || this.sources.taskVersionsOf(taskName).length > 0 || this.#warned.has(taskName)) return;
    this.#warned.add(taskName);
    this.sources.logger.warn(
      `a job of ${taskName} was queued, but no dispatcher of this process will run it: it is not in \`tasks\` of asyncModule`,
      jobDetails(job, 0),
    );
  }
}
