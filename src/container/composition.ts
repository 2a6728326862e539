/** How the rooms are put together: the only place that knows them all. */

import { Dispatcher } from '../dispatch/dispatcher.js';
import { JobRunner } from '../dispatch/job-runner.js';
import { SettlementWriter } from '../dispatch/settlement-writer.js';
import { TaskCaller } from '../dispatch/task-caller.js';
import { NotRunningError, StartError } from '../errors.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import { JobIds } from '../job/job-id.js';
import { type JobSealer, NO_SEALER } from '../job/job-sealer.js';
import { NO_PLACES, unknownQuota } from '../job/places.js';
import { storedError } from '../job/stored-error.js';
import { AccessGuard } from '../principal/access-guard.js';
import { currentActor } from '../principal/actor.js';
import { SecretJobSealer } from '../principal/secret-job-sealer.js';
import { AsyncService } from '../service/async-service.js';
import { GuardedObservable } from '../service/guarded-observable.js';
import type { OwnDispatcher } from '../service/service-life.js';
import type { ScheduledJobs } from '../service/waiting-watch.js';
import { AttemptEvents } from '../task/attempt-events.js';
import { taskAround } from '../task/current-task.js';
import type { Class } from '../task/task.js';
import { TaskRegistry } from '../task/task-registry.js';
import { dispatcherName } from './dispatcher-name.js';
import type { CheckedModuleOptions } from './module-options.js';
import type { Ports } from './ports.js';
import { schedulesOn } from './schedule-options.js';

/** Gives an instance of a class, in a request scope of its own. */
export type Resolve = (service: Class) => Promise<object>;

export class Composition {
  readonly registry: TaskRegistry;
  readonly service: AsyncService;
  readonly accessGuard = new AccessGuard();
  readonly #sealer: JobSealer;
  readonly #attemptEvents = new AttemptEvents();
  readonly #ids: JobIds;
  readonly #expansion: ExpansionContext;
  #resolve: Resolve = () => Promise.reject(new NotRunningError('tasks cannot be resolved yet: await `start(container)` first'));

  constructor(readonly options: CheckedModuleOptions) {
    const { store, clock, logger, random, valueLimitBytes, quotas, rates, secrets, inheritMetadata, queueTimeoutMs } = options;
    this.registry = new TaskRegistry(options.tasks);
    this.#ids = new JobIds(random);
    const nextId = (): string => this.#ids.next(clock.now());
    this.#sealer = secrets === undefined ? NO_SEALER : new SecretJobSealer(secrets, () => clock.now());
    this.#expansion = {
      nextId,
      sealer: this.#sealer,
      valueLimitBytes,
      principal: () => currentActor()?.reference,
      metadata: () => taskAround()?.metadata,
      inheritMetadata,
      get book() {
        return store.quotas;
      },
    };
    this.service = new AsyncService({
      store,
      clock,
      logger,
      quotas,
      rates,
      expansion: this.#expansion,
      accessGuard: this.accessGuard,
      sealer: this.#sealer,
      queueTimeoutMs,
      attemptEvents: this.#attemptEvents,
      taskVersionsOf: (name) => this.registry.taskVersionsOf(name),
    });
  }

  /** Starts the service, and the dispatcher where this process has one. */
  async start(dispatcher: OwnDispatcher | undefined, resolve: Resolve): Promise<AsyncService> {
    this.#resolve = resolve;
    await this.service.start({ dispatcher, check: () => this.#tryOut() });
    return this.service;
  }

  /**
   * Now that the quotas are known.
   * @returns what the schedules queue.
   * @throws StartError for tasks and schedules whose jobs could never be queued
   */
  #tryOut(): readonly ScheduledJobs[] {
    const problems = [...this.#unknownQuotas()];
    const scheduled = this.#scheduled(problems);
    if (problems.length > 0) throw new StartError(problems);
    return scheduled;
  }

  /** The quotas that tasks name, and neither this process nor another one has configured. */
  #unknownQuotas(): readonly string[] {
    const { book } = this.#expansion;
    return this.registry.tasks.flatMap(({ name, options: { places = NO_PLACES } }) =>
      Object.keys(places)
        .filter((quota) => !book.has(quota))
        .map((quota) => unknownQuota(`the task ${name}`, quota, book).message),
    );
  }

  /** @param problems - the schedules whose jobs cannot be queued are added to it */
  #scheduled(problems: string[]): readonly ScheduledJobs[] {
    const now = new Date(this.options.clock.now());
    return schedulesOn(this.#expansion, this.options.schedules).flatMap(({ name, tree }) => {
      try {
        return [{ name, tree: tree(now) }];
      } catch (error) {
        problems.push(`\`schedules\`: ${name} cannot be queued: ${storedError(error).message}`);
        return [];
      }
    });
  }

  /** @throws NotATaskError, OptionError */
  makeDispatcher({ documents }: Ports): OwnDispatcher | undefined {
    const { options, registry, service } = this;
    if (options.dispatcher === false) return undefined;
    const { store, clock, logger, random, setUp, around } = options;
    const settlementWriter = new SettlementWriter({ store, clock, logger });
    const caller = new TaskCaller({
      setUp,
      around,
      documents,
      expansion: this.#expansion,
      accessGuard: this.accessGuard,
      resolve: (cls) => this.#resolve(cls),
      lookUp: (references) => service.lookUp(references),
    });
    const transactional = { store, queueIn: <T>(session: object, code: () => Promise<T>) => service.withSession(session, code) };
    const { valueLimitBytes } = options;
    const sealer = this.#sealer;
    const jobRunner = new JobRunner({
      attemptEvents: this.#attemptEvents,
      clock,
      logger,
      registry,
      settlementWriter,
      caller,
      sealer,
      transactional,
      random,
      valueLimitBytes,
    });
    const name = dispatcherName(options.dispatcher.name);
    return new Dispatcher(
      {
        store,
        clock,
        logger,
        registry,
        settlementWriter,
        schedules: schedulesOn(this.#expansion, options.schedules),
        jobRunner,
        name,
        newId: () => `${name}-${this.#ids.next(clock.now())}`,
        guarded: (source) => new GuardedObservable(source, logger),
      },
      options.dispatcher,
    );
  }
}
