/** The options of a task. */

import { checkOptions, is, type Rule, type Rules } from '../check.js';
import { FAILURE_LOG_RULE, type FailureLogLevel } from '../job/failure-log-level.js';
import type { Encrypted } from '../job/job-sealer.js';
import { type Places, placesOf, QUOTAS_RULE } from '../job/places.js';
import type { Quotas } from '../job/register.js';
import { checkRetry, RETRY_RULE, type RetryPolicy, retryCommon } from '../job/retry-policy.js';
import { checkUniqueOptions, UNIQUE_RULES, type UniqueFor, type UniqueOptions } from '../job/unique-key-options.js';
import type { CurrentTask } from './current-task.js';
import { UpcastChain } from './upcast.js';

/** Prepares an attempt; a function that it returns, or promises, cleans up after it. */
export type SetUp = (task: CurrentTask) => unknown;

/** Makes a unique key of a job's arguments. */
export type KeyFunction = (...args: never) => string;

/**
 * @typeParam Key - the type of the function that makes unique keys
 * @typeParam Old - the type of the chain from older arguments
 */
export interface TaskOptions<Key extends KeyFunction = KeyFunction, Old = { readonly version: number }>
  extends Omit<UniqueOptions, 'uniqueKey'> {
  /** The name under which jobs are stored. Set one where class names are shortened by a bundler. @default `Class.method`, or `Class` */
  readonly name?: string | undefined;
  /** Older names, under which jobs may still be stored. @default [] */
  readonly aliases?: readonly string[] | undefined;
  /** The quotas its jobs take places of; none of them for `[]`. @default `['default']`, and none inside a batch */
  readonly quotas?: Quotas | undefined;
  /** Milliseconds after which an attempt is aborted and fails. @default no limit */
  readonly timeoutMs?: number | undefined;
  /** When it runs again after an error or an interruption. @default retryCommon */
  readonly retry?: RetryPolicy | undefined;
  /**
   * How long its jobs are kept after their end, in milliseconds, by a store that keeps jobs by time.
   * @default the store's own, of MongoDB's a week
   */
  readonly keepMs?: number | undefined;
  /**
   * How a failure of its jobs is logged, in the process that records it. Failures after which a job is tried again are warnings, the
   * first and each fifth; with 'none' they are not logged either. @default 'error'
   */
  readonly failureLogLevel?: FailureLogLevel | undefined;
  /**
   * Arguments that nobody can read in the store: all, or those at these places. Needs `secrets` of `asyncModule`. Results, unique keys, and
   * the inputs of callbacks are not encrypted.
   * @default false
   */
  readonly encrypt?: Encrypted | undefined;
  /** Whether of its errors only name and code are stored, and logged. @default whether it has `encrypt` */
  readonly redactErrors?: boolean | undefined;
  /**
   * The roles, or what its `Authorizer` knows, that a job's principal needs: at queueing, where known, and before each attempt.
   * @default []
   */
  readonly requires?: readonly string[] | undefined;
  /**
   * Runs each attempt in a transaction, with `currentTask().session`: its writes, the jobs that it queues and its outcome commit together,
   * or not at all. After a conflict it runs again, as `retry` says.
   * @default false
   */
  readonly transactional?: boolean | undefined;
  /**
   * Runs before the code, with each attempt; when it throws, that is the attempt's error. A function that it returns runs when the attempt
   * is over, however it ended; its errors are logged, and change nothing.
   */
  readonly setUp?: SetUp | undefined;
  /**
   * How arguments that an older build has stored become today's: `upcast(v1 => v2).to(v2 => v3)`.
   * @default the arguments have never changed
   */
  readonly upcast?: Old | undefined;
  /**
   * The key of a job, made of its arguments: while a job has the key, queueing under it returns that job. Not for steps and callbacks. For
   * a document that is named by a reference it gets the `_id`.
   */
  readonly uniqueKey?: Key | undefined;
}

/** The options, checked and filled. */
export interface CheckedTaskOptions {
  readonly name: string | undefined;
  readonly aliases: readonly string[];
  /** `undefined` where none were named. */
  readonly places: Places | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: RetryPolicy;
  readonly keepMs: number | undefined;
  readonly failureLogLevel: FailureLogLevel | undefined;
  readonly encrypt: Encrypted;
  readonly redactErrors: boolean;
  readonly requires: readonly string[];
  readonly transactional: boolean;
  readonly setUp: SetUp | undefined;
  readonly upcast: UpcastChain | undefined;
  readonly uniqueKey: KeyFunction | undefined;
  readonly uniqueFor: UniqueFor | undefined;
  readonly debounceMs: number | undefined;
  readonly debounceMaxMs: number | undefined;
}

export const TASK_DEFAULTS = Object.freeze({
  aliases: Object.freeze([]),
  encrypt: false,
  requires: Object.freeze([]),
  retry: retryCommon,
  transactional: false,
} as const satisfies TaskOptions);

const PLACES: Rule = {
  must: 'an array of the places of arguments, from 0',
  holds: (value) => Array.isArray(value) && value.length > 0 && value.every((place) => Number.isSafeInteger(place) && place >= 0),
};

const RULES: Rules<TaskOptions> = {
  name: is.label,
  aliases: is.labels,
  quotas: QUOTAS_RULE,
  timeoutMs: is.timerMs,
  retry: RETRY_RULE,
  keepMs: is.durationMs,
  failureLogLevel: FAILURE_LOG_RULE,
  encrypt: is.either(is.boolean, PLACES),
  redactErrors: is.boolean,
  requires: is.texts,
  transactional: is.boolean,
  setUp: is.callable,
  upcast: { must: 'made with `upcast(step)`', holds: (value) => value instanceof UpcastChain },
  ...UNIQUE_RULES,
  uniqueKey: is.callable,
};

/** @param owner - what messages call the task, such as `@Task` of create. @throws OptionError */
export function checkTaskOptions(owner: string, options: TaskOptions): CheckedTaskOptions {
  checkOptions<TaskOptions>(owner, options, RULES);
  if (options.retry !== undefined) checkRetry(owner, options.retry);
  checkUniqueOptions(owner, options);
  const encrypt = options.encrypt ?? TASK_DEFAULTS.encrypt;
  return Object.freeze({
    name: options.name,
    encrypt: typeof encrypt === 'boolean' ? encrypt : Object.freeze([...encrypt]),
    redactErrors: options.redactErrors ?? encrypt !== false,
    aliases: options.aliases ?? TASK_DEFAULTS.aliases,
    places: options.quotas === undefined ? undefined : placesOf(options.quotas, owner),
    timeoutMs: options.timeoutMs,
    retry: options.retry ?? TASK_DEFAULTS.retry,
    keepMs: options.keepMs,
    failureLogLevel: options.failureLogLevel,
    requires: Object.freeze([...(options.requires ?? TASK_DEFAULTS.requires)]),
    transactional: options.transactional ?? TASK_DEFAULTS.transactional,
    setUp: options.setUp,
    upcast: options.upcast as UpcastChain | undefined,
    uniqueKey: options.uniqueKey,
    uniqueFor: options.uniqueFor,
    debounceMs: options.debounceMs,
    debounceMaxMs: options.debounceMaxMs,
  });
}
