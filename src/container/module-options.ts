/** The options of `asyncModule`. */

import { checkOption, checkOptions, is, type Rules } from '../check.js';
import { type Clock, systemClock } from '../clock.js';
import { type CheckedDispatcherOptions, checkDispatcherOptions, type DispatcherOptions } from '../dispatch/dispatcher-options.js';
import { METADATA_KEYS_RULE } from '../job/metadata.js';
import type { QuotaLimits } from '../job/places.js';
import type { RateBook } from '../job/rates.js';
import type { QuotaSizes } from '../job/register.js';
import { checkSecrets, type Secrets, type SecretsOptions } from '../principal/secrets.js';
import type { JobStore } from '../store/job-store.js';
import type { Around } from '../task/around.js';
import { consoleLogger, guardedLogger, type Logger } from '../task/logger.js';
import type { Class, TaskLike } from '../task/task.js';
import type { SetUp } from '../task/task-options.js';
import { checkQuotas } from './quota-options.js';
import { type CheckedSchedule, checkSchedules, type ScheduleOptions } from './schedule-options.js';

export interface AsyncModuleOptions {
  /** Where jobs live: `memoryStore()`. */
  readonly store: JobStore;
  /** The tasks that this process can run: classes with `@Task`, and tasks made with `task(name, fn)`. @default [] */
  readonly tasks?: readonly (TaskLike | Class)[] | undefined;
  /** Quotas and their sizes, in the order in which jobs may hold several; those that have one, with their rate. @default { default: 1 } */
  readonly quotas?: QuotaSizes | undefined;
  /** Jobs that recur; each firing is queued once, by whichever process of the deployment that runs jobs comes first. @default [] */
  readonly schedules?: readonly ScheduleOptions[] | undefined;
  /** How jobs are run here; `false` for a process that only queues. @default one agent for the queue '', with a concurrency of 10 */
  readonly dispatcher?: DispatcherOptions | false | undefined;
  /**
   * Seals jobs, so that jobs which others alter in the store are refused, and encrypts arguments.
   * @default none: nothing is sealed, and nothing sealed is run
   */
  readonly secrets?: SecretsOptions | undefined;
  /**
   * The keys of the metadata that a job takes over, such as `['tenant']`: from the job whose task queues it, and from the job above it, if
   * it is a step, a callback or a returned draft. Its own counts first. Name the same in all processes. @default [] */
  readonly inheritMetadata?: readonly string[] | undefined;
  /** Runs before the code of every task, with each attempt, as a task's own `setUp` does, and before that. @default nothing */
  readonly setUp?: SetUp | undefined;
  /**
   * Middleware: functions `(job, next)` around each attempt of each task, `setUp` included. The first is the outermost. It runs as the task
   * does: with `currentTask()`, the principal and, in a transactional task, the session. @default [] */
  readonly around?: readonly Around[] | undefined;
  /**
   * The limit on the arguments of one job, on its result, its progress and each annotation; all of them together may take 14 MiB.
   * @default 1_048_576
   */
  readonly valueLimitBytes?: number | undefined;
  /**
   * Milliseconds after which queueing outside transactions fails with an `UncertainError`: the job may have been queued, or may be queued
   * later. A unique key makes it safe to ask again. @default as long as the store waits for its database, 35 s for each command
   */
  readonly queueTimeoutMs?: number | undefined;
  /**
   * Where messages go: `console`, a logger of pino or winston, or any with `debug`, `info`, `warn` and `error`. Errors that it throws are
   * ignored. Of several services on one store object each logs every failure.
   * @default warnings and errors to the console
   */
  readonly logger?: Logger | undefined;
  /** The time; tests replace it. @default the system's */
  readonly clock?: Clock | undefined;
  /** Gives numbers in [0, 1), for ids and jitter; tests replace it. @default Math.random */
  readonly random?: (() => number) | undefined;
}

export interface CheckedModuleOptions {
  readonly store: JobStore;
  readonly tasks: readonly (TaskLike | Class)[];
  readonly quotas: QuotaLimits;
  readonly rates: RateBook;
  readonly schedules: readonly CheckedSchedule[];
  readonly dispatcher: CheckedDispatcherOptions | false;
  readonly secrets: Secrets | undefined;
  readonly inheritMetadata: readonly string[];
  readonly setUp: SetUp | undefined;
  readonly around: readonly Around[];
  readonly valueLimitBytes: number;
  readonly queueTimeoutMs: number | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

export const MODULE_DEFAULTS = Object.freeze({
  tasks: Object.freeze([]),
  schedules: Object.freeze([]),
  inheritMetadata: Object.freeze([]),
  around: Object.freeze([]),
  dispatcher: Object.freeze({}),
  valueLimitBytes: 1_048_576,
  logger: consoleLogger,
  clock: systemClock,
  random: Math.random,
} as const satisfies Partial<AsyncModuleOptions>);

const hasAll =
  (...methods: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');

export const MODULE_RULES: Rules<AsyncModuleOptions> = {
  store: {
    must: 'a store, such as `memoryStore()` or `mongoStore({ client, database })`',
    holds: hasAll('insert', 'claim', 'settle', 'changes'),
  },
  tasks: { must: 'an array of classes with `@Task()` and of tasks, such as `[Documents]`', holds: is.array.holds },
  quotas: { must: 'sizes by name, such as `{ default: 1, files: 4 }`', holds: is.object.holds },
  schedules: { must: "an array of schedules, such as `[{ every: '0 3 * * *', job: makeJob(task) }]`", holds: is.array.holds },
  dispatcher: { must: 'an object, or false', holds: (value) => value === false || is.object.holds(value) },
  secrets: is.anything,
  inheritMetadata: METADATA_KEYS_RULE,
  setUp: is.callable,
  around: {
    must: 'an array of functions `async (job, next) => { await next(); }`',
    holds: (value) => Array.isArray(value) && value.every(is.callable.holds),
  },
  valueLimitBytes: is.count,
  queueTimeoutMs: is.timerMs,
  logger: { must: 'a logger, with `debug`, `info`, `warn` and `error`', holds: hasAll('debug', 'info', 'warn', 'error') },
  clock: { must: 'a clock, with `now`, `turn` and a `scheduler`', holds: hasAll('now', 'turn') },
  random: is.callable,
};

/** @throws OptionError */
export function checkModuleOptions(options: AsyncModuleOptions): CheckedModuleOptions {
  checkOptions<AsyncModuleOptions>('`asyncModule`', options, MODULE_RULES);
  checkOption('`asyncModule`', 'store', options.store, MODULE_RULES.store);
  const { dispatcher = MODULE_DEFAULTS.dispatcher } = options;
  return Object.freeze({
    store: options.store,
    tasks: options.tasks ?? MODULE_DEFAULTS.tasks,
    ...checkQuotas(options.quotas ?? {}),
    schedules: checkSchedules(options.schedules ?? MODULE_DEFAULTS.schedules),
    dispatcher: dispatcher === false ? false : checkDispatcherOptions(dispatcher),
    secrets: options.secrets === undefined ? undefined : checkSecrets(options.secrets),
    around: [...(options.around ?? MODULE_DEFAULTS.around)],
    inheritMetadata: [...(options.inheritMetadata ?? MODULE_DEFAULTS.inheritMetadata)],
    setUp: options.setUp,
    valueLimitBytes: options.valueLimitBytes ?? MODULE_DEFAULTS.valueLimitBytes,
    queueTimeoutMs: options.queueTimeoutMs,
    logger: guardedLogger(options.logger ?? MODULE_DEFAULTS.logger),
    clock: options.clock ?? MODULE_DEFAULTS.clock,
    random: options.random ?? MODULE_DEFAULTS.random,
  });
}
