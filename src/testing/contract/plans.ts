/** Short ways to write the plans of the jobs that the cases of the store contract queue. */

import type { CallbackPlan, JobPlan, PlanOptions } from '../../job/job-plan.js';
import type { Input, OnFailure } from '../../job/job-record.js';
import { Payload } from '../../job/payload.js';
import { NO_PLACES } from '../../job/places.js';

/** The parts of a plan beside its task: options, input, callbacks. No quotas unless `places` names some. */
export interface Extras extends PlanOptions {
  readonly args?: readonly unknown[];
  readonly input?: Input;
  readonly callbacks?: readonly CallbackPlan[];
}

/** More options for the plan of a batch. */
export interface BatchExtras extends Extras {
  readonly onFailure?: OnFailure;
  readonly postprocess?: JobPlan;
}

/** One run of a task. */
export function work(extras: Extras = {}, taskName = 'work'): JobPlan {
  const { args = [], input = 'none', callbacks = [], ...options } = extras;
  return {
    kind: 'task',
    taskName,
    args: Payload.of([...args], 'arguments'),
    input,
    options: { places: NO_PLACES, ...options },
    steps: [],
    callbacks,
  };
}

/** One run of each of these tasks. */
export function steps(...taskNames: readonly string[]): readonly JobPlan[] {
  return taskNames.map((taskName) => work({}, taskName));
}

/** Steps one after another. */
export function serial(steps: readonly JobPlan[], extras: BatchExtras = {}): JobPlan {
  return batch('serial', steps, extras);
}

/** Steps side by side. */
export function parallel(steps: readonly JobPlan[], extras: BatchExtras = {}): JobPlan {
  return batch('parallel', steps, extras);
}

function batch(kind: 'serial' | 'parallel', steps: readonly JobPlan[], extras: BatchExtras): JobPlan {
  const { onFailure, postprocess, ...rest } = extras;
  return {
    ...work(rest, kind),
    kind,
    steps,
    ...(postprocess === undefined ? {} : { postprocess }),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}

/** The task that makes a batch's result of its children. */
export function summary(extras: Extras = {}): JobPlan {
  return work({ input: 'jobs', ...extras }, 'summary');
}

/** A callback for either end, given the outcome. */
export function both(extras: Extras = {}): CallbackPlan {
  return { both: work({ input: 'outcome', ...extras }, 'after') };
}

/** A callback for success, given the result. */
export function onSuccess(extras: Extras = {}): CallbackPlan {
  return { success: work({ input: 'result', ...extras }, 'success') };
}

/** A callback for failure, given the error. */
export function onError(extras: Extras = {}): CallbackPlan {
  return { failure: work({ input: 'error', ...extras }, 'failure') };
}
