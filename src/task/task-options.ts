/** What can be said of a task where it is declared. */

import { checkOptions, is, type Rules } from '../check.js';
import { type Places, placesOf } from '../job/places.js';
import type { Quotas } from '../job/register.js';
import { checkRetry, type RetryPolicy, retryCommon } from '../job/retry-policy.js';
import { checkTogether, UNIQUE_RULES, type UniqueFor, type UniqueOptions } from '../job/uniqueness.js';

/** Makes a unique key of a job's arguments. */
export type KeyFunction = (...args: never) => string;

/** @typeParam Key - the type of the function that makes unique keys */
export interface TaskOptions<Key extends KeyFunction = KeyFunction> extends Omit<UniqueOptions, 'uniqueKey'> {
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
  /** How long its jobs are kept after their end, in milliseconds, by a store that keeps jobs by time. @default the store's own, of MongoDB's a week */
  readonly keepMs?: number | undefined;
  /** The key of a job, of its arguments: while one has it, no other is queued under it, and who asks is given that one. Not of steps and callbacks. */
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
  readonly uniqueKey: KeyFunction | undefined;
  readonly uniqueFor: UniqueFor | undefined;
  readonly debounceMs: number | undefined;
  readonly debounceMaxMs: number | undefined;
}

export const TASK_DEFAULTS = Object.freeze({ aliases: Object.freeze([]), retry: retryCommon } as const satisfies TaskOptions);

const RULES: Rules<TaskOptions> = {
  name: is.text,
  aliases: is.texts,
  quotas: is.either(is.array, is.object),
  timeoutMs: is.timerMs,
  retry: is.object,
  keepMs: is.durationMs,
  ...UNIQUE_RULES,
  uniqueKey: is.callable,
};

/** @param owner - what messages call the task, such as `@Task` of create. @throws OptionError */
export function checkTaskOptions(owner: string, options: TaskOptions): CheckedTaskOptions {
  checkOptions<TaskOptions>(owner, options, RULES);
  if (options.retry !== undefined) checkRetry(owner, options.retry);
  checkTogether(owner, options);
  return Object.freeze({
    name: options.name,
    aliases: options.aliases ?? TASK_DEFAULTS.aliases,
    places: options.quotas === undefined ? undefined : placesOf(options.quotas, owner),
    timeoutMs: options.timeoutMs,
    retry: options.retry ?? TASK_DEFAULTS.retry,
    keepMs: options.keepMs,
    uniqueKey: options.uniqueKey,
    uniqueFor: options.uniqueFor,
    debounceMs: options.debounceMs,
    debounceMaxMs: options.debounceMaxMs,
  });
}
