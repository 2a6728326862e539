/** Makes drafts and callbacks: `makeJob`, `serial`, `parallel`, `callback`. */

import { inspect } from 'node:util';
import { checkOptions, type Rule, type Rules, shown } from '../check.js';
import { NotATaskError } from '../errors.js';
import { referenceKey, type result } from '../job/future.js';
import type { CallbackPlan, JobPlan } from '../job/job-plan.js';
import type { Input } from '../job/job-record.js';
import type { Outcome } from '../job/outcome.js';
import { ARGUMENTS, Payload } from '../job/payload.js';
import { definitionOf } from '../task/definition-of.js';
import type { ArgsOf, ResultOf, SignatureOf, TaskLike } from '../task/task.js';
import type { BatchDraft, BatchOptions, Callback, CallbackFor, CallbackOf, Callbacks, Draft, JobOptions, JobsOf, RestOf } from './job.js';
import { keyOfTask, planOptions, taskPlanOptions } from './job-options.js';

const NO_ARGUMENTS = Payload.of([], ARGUMENTS);

/**
 * Makes a draft of a task with its arguments; queues nothing. The arguments are copied here and now.
 * @throws NotATaskError, UnstorableError naming the path, such as `arguments[1].onDone`; what the task's `uniqueKey` throws
 */
export function makeJob<T extends TaskLike>(task: T, ...args: ArgsOf<SignatureOf<T>>): Draft<ResultOf<SignatureOf<T>>> {
  return new JobDraft(keyedPlan(task, args)) as Draft<unknown> as Draft<ResultOf<SignatureOf<T>>>;
}

/** A batch that runs its children one after another; its result are the child jobs in this order. */
export function serial<D extends Draft<unknown>[]>(...drafts: D): BatchDraft<JobsOf<D>> {
  return batch('serial', drafts);
}

/** A batch that runs its children as its quotas and workers allow; its result are the child jobs in this order. */
export function parallel<D extends Draft<unknown>[]>(...drafts: D): BatchDraft<JobsOf<D>> {
  return batch('parallel', drafts);
}

/** A callback of a task that takes more than the value: that comes first, then `rest`. @throws NotATaskError, UnstorableError */
export function callback<T extends TaskLike>(task: T, ...rest: RestOf<T>): CallbackOf<T> {
  return new TaskCallback(taskPlan(task, rest, 'none', 'rest')) as unknown as CallbackOf<T>;
}

/** The plan of a task's job that is queued by itself, and so has the key that its task gives it. */
export function keyedPlan(task: TaskLike, args: readonly unknown[]): JobPlan {
  const plan = taskPlan(task, args);
  const key = keyOfTask(definitionOf(task), args);
  return key === undefined ? plan : { ...plan, options: { ...plan.options, keyOfTask: key } };
}

function taskPlan(task: TaskLike, args: readonly unknown[], input: Input = 'none', path = ARGUMENTS): JobPlan {
  const definition = definitionOf(task);
  const { encrypt, upcast, requires } = definition.options;
  return {
    kind: 'task',
    taskName: definition.name,
    args: Payload.of(args, path),
    ...(upcast === undefined ? {} : { version: upcast.version }),
    ...(encrypt === false ? {} : { encrypt }),
    ...(requires.length === 0 ? {} : { requires }),
    input,
    options: taskPlanOptions(definition),
    steps: [],
    callbacks: [],
  };
}

/** The plan behind a draft, or `undefined` for anything else. */
export function draftPlan(value: unknown): JobPlan | undefined {
  return value instanceof JobDraft ? value[referenceKey] : undefined;
}

/** The plan of a callback that gets something of its job. @throws NotATaskError */
export function callbackPlan(callback: CallbackFor<never>, input: 'result' | 'error' | 'outcome'): JobPlan {
  if (callback instanceof TaskCallback) return { ...callback.plan, input };
  return draftPlan(callback) ?? taskPlan(callback as TaskLike, [], input);
}

/** The plan of callbacks for two sides. @throws OptionError, NotATaskError */
export function callbacksPlan(callbacks: Callbacks<never>): CallbackPlan {
  checkOptions<Callbacks<never>>('`callbacks`', callbacks, CALLBACK_RULES);
  const { success, failure } = callbacks;
  return {
    success: success === undefined ? undefined : callbackPlan(success, 'result'),
    failure: failure === undefined ? undefined : callbackPlan(failure, 'error'),
  };
}

/** Of anything that is given as a draft. @throws NotATaskError */
export function planOf(draft: unknown, path: string): JobPlan {
  const plan = draftPlan(draft);
  if (plan !== undefined) return plan;
  throw new NotATaskError(
    `\`${path}\` is ${shown(draft)}, which is not a draft: make one with \`makeJob(task, …args)\`, \`serial(…)\` or \`parallel(…)\``,
  );
}

const CALLBACK: Rule = {
  must: 'a task, `callback(task, …)` or a draft',
  holds: (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
};

const CALLBACK_RULES: Rules<Callbacks<never>> = { success: CALLBACK, failure: CALLBACK };

function batch<D extends Draft<unknown>[]>(kind: 'serial' | 'parallel', drafts: D): BatchDraft<JobsOf<D>> {
  const steps = drafts.map((draft, index) => planOf(draft, `${kind}(…)[${index}]`));
  const plan: JobPlan = { kind, taskName: kind, args: NO_ARGUMENTS, input: 'none', options: {}, steps, callbacks: [] };
  return new JobDraft(plan) as unknown as BatchDraft<JobsOf<D>>;
}

class JobDraft implements Draft<unknown> {
  declare readonly [result]: unknown;
  readonly [referenceKey]: JobPlan;

  constructor(plan: JobPlan) {
    this[referenceKey] = plan;
    Object.freeze(this);
  }

  /** The text that `console.log` shows, without the arguments. */
  [inspect.custom](): string {
    return `Draft (${this[referenceKey].taskName})`;
  }

  with(options: BatchOptions): JobDraft {
    const plan = this[referenceKey];
    const isBatch = plan.kind !== 'task';
    const checked = planOptions(`\`with\` of ${plan.taskName}`, options, isBatch);
    const { onFailure = plan.onFailure } = options;
    return this.#but({ options: { ...plan.options, ...checked }, ...(onFailure === undefined ? {} : { onFailure }) });
  }

  withCallback(callback: CallbackFor<Outcome<unknown>>): JobDraft {
    return this.#withCallbackPlan({ both: callbackPlan(callback, 'outcome') });
  }

  withCallbacks(callbacks: Callbacks<unknown>): JobDraft {
    return this.#withCallbackPlan(callbacksPlan(callbacks));
  }

  postprocess(task: TaskLike | Callback<never, unknown>): JobDraft {
    const plan = task instanceof TaskCallback ? { ...task.plan, input: 'jobs' as const } : taskPlan(task as TaskLike, [], 'jobs');
    return this.#but({ postprocess: plan });
  }

  #withCallbackPlan(plan: CallbackPlan): JobDraft {
    return this.#but({ callbacks: [...this[referenceKey].callbacks, plan] });
  }

  #but(changes: Partial<JobPlan>): JobDraft {
    return new JobDraft({ ...this[referenceKey], ...changes });
  }
}

/** Not declared as a `Callback`: what that takes and gives is known only to the compiler. */
class TaskCallback {
  declare readonly plan: JobPlan;

  constructor(plan: JobPlan) {
    Object.defineProperty(this, 'plan', { value: plan });
    Object.freeze(this);
  }

  with(options: JobOptions): TaskCallback {
    const checked = planOptions(`\`with\` of ${this.plan.taskName}`, options, false);
    return new TaskCallback({ ...this.plan, options: { ...this.plan.options, ...checked } });
  }
}
