/** Options of one job, checked and turned into those of a plan. */

import { checkOption, checkOptions, is, type Rules } from '../check.js';
import { FAILURE_LOG_RULE } from '../job/failure-log-level.js';
import type { PlanOptions } from '../job/job-plan.js';
import { METADATA_RULE, metadataOf } from '../job/metadata.js';
import { placesOf, QUOTAS_RULE } from '../job/places.js';
import { referenceTo } from '../job/principal.js';
import { checkStoredRetry, RETRY_DEFAULTS, RETRY_RULE, type RetryPolicy } from '../job/retry-policy.js';
import { UNIQUE_RULES, type UniqueOptions } from '../job/unique-key-options.js';
import { checkRealm, PRINCIPAL_RULE } from '../principal/principal-check.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { BatchOptions, JobOptions } from './job.js';

const RULES: Rules<JobOptions> = {
  name: is.label,
  queue: is.labelOrEmpty,
  quotas: QUOTAS_RULE,
  priority: is.integer,
  delayMs: is.durationMs,
  beginAfter: is.date,
  beginBy: is.date,
  retry: RETRY_RULE,
  keepMs: is.durationMs,
  failureLogLevel: FAILURE_LOG_RULE,
  principal: PRINCIPAL_RULE,
  metadata: METADATA_RULE,
  ...UNIQUE_RULES,
};

const BATCH_RULES: Rules<BatchOptions> = { ...RULES, onFailure: is.oneOf('continue', 'stop', 'fail') };

/** @param owner - what messages call the draft. @throws OptionError */
export function planOptions(owner: string, options: JobOptions, isBatch: boolean): PlanOptions {
  checkOptions<BatchOptions>(owner, options, isBatch ? BATCH_RULES : (RULES as Rules<BatchOptions>));
  const { name, queue, quotas, priority, delayMs, beginAfter, beginBy, retry, keepMs } = options;
  const { failureLogLevel, principal, metadata, uniqueKey, uniqueFor, debounceMs, debounceMaxMs } = options;
  if (retry !== undefined) checkStoredRetry(owner, retry);
  if (principal !== undefined) checkRealm(owner, principal);
  return {
    ...(name === undefined ? {} : { name }),
    ...(queue === undefined ? {} : { queue }),
    ...(quotas === undefined ? {} : { places: placesOf(quotas, owner) }),
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(beginAfter === undefined ? {} : { beginAfter: new Date(beginAfter) }),
    ...(beginBy === undefined ? {} : { beginBy: new Date(beginBy) }),
    ...(keepMs === undefined ? {} : { keepMs }),
    ...(failureLogLevel === undefined ? {} : { failureLogLevel }),
    ...(principal === undefined ? {} : { principal: referenceTo(principal) }),
    ...(metadata === undefined ? {} : { metadata: metadataOf(owner, metadata) }),
    ...(uniqueKey === undefined ? {} : { uniqueKey }),
    ...(uniqueFor === undefined ? {} : { uniqueFor }),
    ...(debounceMs === undefined ? {} : { debounceMs }),
    ...(debounceMaxMs === undefined ? {} : { debounceMaxMs }),
    ...(retry === undefined ? {} : { retry: Object.freeze({ ...retry }), interruptions: interruptionsOf(retry) }),
  };
}

const ofTasks = new WeakMap<TaskDefinition, PlanOptions>();

/** The options of a task for its jobs. */
export function taskPlanOptions(task: TaskDefinition): PlanOptions {
  const known = ofTasks.get(task);
  if (known !== undefined) return known;
  const { places, retry, keepMs, failureLogLevel } = task.options;
  const options = Object.freeze({
    interruptions: interruptionsOf(retry),
    ...(places === undefined ? {} : { places }),
    ...(keepMs === undefined ? {} : { keepMs }),
    ...(failureLogLevel === undefined ? {} : { failureLogLevel }),
  });
  ofTasks.set(task, options);
  return options;
}

/** The key that a task gives a job with these arguments. @throws OptionError, and the errors of the task's own function */
export function keyOfTask(
  { name, options: { uniqueKey, uniqueFor, debounceMs, debounceMaxMs } }: TaskDefinition,
  args: readonly unknown[],
) {
  if (uniqueKey === undefined) return undefined;
  const key: unknown = uniqueKey(...(args as never));
  checkOption(`the task ${name}`, 'uniqueKey(…)', key, UNIQUE_RULES.uniqueKey);
  return { uniqueKey: String(key), uniqueFor, debounceMs, debounceMaxMs } satisfies UniqueOptions;
}

function interruptionsOf({ interruptions, interruptionDelayMs }: RetryPolicy): NonNullable<PlanOptions['interruptions']> {
  return { limit: interruptions ?? RETRY_DEFAULTS.interruptions, delayMs: interruptionDelayMs ?? RETRY_DEFAULTS.interruptionDelayMs };
}
