/** The plan behind a draft: a job that is not queued yet, with everything below it. */

import { TooLargeError } from '../errors.js';
import type { FailureLogLevel } from './failure-log-level.js';
import type { Input, OnFailure } from './job-record.js';
import type { Encrypted } from './job-sealer.js';
import type { Metadata } from './metadata.js';
import type { Payload } from './payload.js';
import type { Places } from './places.js';
import type { PrincipalReference } from './principal.js';
import type { StoredRetry } from './retry-policy.js';
import type { UniqueOptions } from './unique-key-options.js';

/** A job that is not queued yet, with everything below it; immutable. */
export interface JobPlan {
  readonly kind: 'task' | 'serial' | 'parallel';
  readonly taskName: string;
  readonly args: Payload;
  /** Of the arguments; absent for the first. */
  readonly version?: number;
  /** Which of the task's arguments are to be encrypted. */
  readonly encrypt?: Encrypted;
  /** The roles that its task requires of the principal. */
  readonly requires?: readonly string[];
  readonly input: Input;
  readonly options: PlanOptions;
  readonly steps: readonly JobPlan[];
  readonly postprocess?: JobPlan;
  readonly onFailure?: OnFailure;
  readonly callbacks: readonly CallbackPlan[];
}

/** The options of a task and a draft; checked before they get here. */
export interface PlanOptions extends UniqueOptions {
  readonly name?: string;
  readonly queue?: string;
  /** Absent where neither task nor draft named any. */
  readonly places?: Places;
  readonly priority?: number;
  readonly delayMs?: number;
  readonly beginAfter?: Date;
  readonly beginBy?: Date;
  /** Of this one job, in place of the task's policy. */
  readonly retry?: StoredRetry;
  readonly interruptions?: { readonly limit: number; readonly delayMs: number };
  readonly keepMs?: number;
  readonly failureLogLevel?: FailureLogLevel;
  /** On whose behalf, where that is not who queues it. */
  readonly principal?: PrincipalReference;
  readonly metadata?: Metadata;
  /** The task's own key for its jobs: for those that are not part of another one. */
  readonly keyOfTask?: UniqueOptions;
}

/** One callback for every end, or one for each of the two sides. */
export type CallbackPlan = { readonly both: JobPlan } | { readonly success?: JobPlan | undefined; readonly failure?: JobPlan | undefined };

/** The plans directly below a plan, and the place of each, such as `.steps[1]`. */
export function plansBelow({ steps, postprocess, callbacks }: JobPlan): readonly (readonly [JobPlan, string])[] {
  return [
    ...steps.map((step, index) => [step, `.steps[${index}]`] as const),
    ...(postprocess === undefined ? [] : [[postprocess, '.postprocess'] as const]),
    ...callbacks.flatMap((callback, index) => sidesOf(callback).map(([side, at]) => [side, `.callbacks[${index}]${at}`] as const)),
  ];
}

/** The plans of one callback, and where they stand in it. */
export function sidesOf(callback: CallbackPlan): readonly (readonly [JobPlan, string])[] {
  if ('both' in callback) return [[callback.both, '']];
  const { success, failure } = callback;
  return [
    ...(success === undefined ? [] : [[success, '.success'] as const]),
    ...(failure === undefined ? [] : [[failure, '.failure'] as const]),
  ];
}

/** How many levels of jobs a job may have below it when it is queued: steps of batches, callbacks, and the jobs below these. */
export const MAX_LEVELS = 100;

/** Refuses a plan before anything walks through it recursively. @throws TooLargeError */
export function checkLevels(plan: JobPlan): void {
  let level: readonly JobPlan[] = [plan];
  for (let levels = 0; level.length > 0; levels++) {
    if (levels > MAX_LEVELS)
      throw new TooLargeError(
        `${plan.taskName} has more than ${MAX_LEVELS} levels of jobs below it, the limit; put them side by side, or let a task queue, or return, the next of them`,
      );
    level = level.flatMap((one) => plansBelow(one).map(([below]) => below));
  }
}
