/** Calls the code of a task: with its stored arguments, on a new instance of its service; and queues a draft that it returned. */

import { type Ground, type JobPlan, plantFor } from '../job/job-plan.js';
import type { Input, JobTree } from '../job/job-record.js';
import { Payload } from '../job/payload.js';
import type { ClaimedJob } from '../store/job-store.js';
import { currentTask } from '../task/current-task.js';
import type { AnyFunction, Class } from '../task/task.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { SetUp } from '../task/task-options.js';
import type { Attempt } from './attempt.js';

export interface CallSources {
  /** Gives the instance that a method is called on, new for each run. */
  readonly resolve: (service: Class) => Promise<object>;
  /** Reads a stored value, with jobs in it as the application knows them. */
  readonly read: (payload: Payload) => Promise<unknown>;
  readonly ground: Ground;
  /** Runs before the code of every task. */
  readonly setUp: SetUp | undefined;
}

/** The attempt that the task is called in, which may be aborted before its code is. */
type Underway = Pick<Attempt, 'aborted'>;

export class TaskCaller {
  constructor(private readonly sources: CallSources) {}

  /** Whatever the task returns; throws what it throws, or why the attempt was aborted where that came before its code. */
  call(task: TaskDefinition, claimed: ClaimedJob, attempt: Underway): unknown {
    const { setUp } = task.options;
    if (setUp === undefined && this.sources.setUp === undefined) return this.#call(task, claimed, attempt);
    return this.#setUp([this.sources.setUp, setUp], attempt).then(() => this.#call(task, claimed, attempt));
  }

  /** What each returns runs when the attempt is over, the last one first. */
  async #setUp(setUps: readonly (SetUp | undefined)[], attempt: Underway): Promise<void> {
    const task = currentTask();
    for (const setUp of setUps) {
      const tearDown = await setUp?.(task);
      if (typeof tearDown === 'function') task.onEnd(() => Reflect.apply(tearDown, undefined, []));
      throwIfAborted(attempt);
    }
  }

  #call(task: TaskDefinition, claimed: ClaimedJob, attempt: Underway): unknown {
    const { code, options } = task;
    const { args, input } = claimed.job;
    if ('fn' in code && options.upcast === undefined && input === 'none' && args.references.length === 0)
      return Reflect.apply(code.fn, undefined, args.read() as never[]);
    return this.#callWith(task, claimed, attempt);
  }

  /** The jobs of a draft that a task returned; they stand in for the job that returned it. @throws what queueing throws */
  planted(plan: JobPlan, { job }: ClaimedJob): JobTree {
    return plantFor(job, plan, this.sources.ground);
  }

  async #callWith({ code, options: { upcast } }: TaskDefinition, { job, given }: ClaimedJob, attempt: Underway): Promise<unknown> {
    const stored = (await this.sources.read(job.args)) as unknown[];
    if (job.input !== 'none') stored.unshift(await this.#given(job.input, given));
    throwIfAborted(attempt);
    const args = upcast === undefined ? stored : upcast.apply(stored, job.version);
    if ('fn' in code) return Reflect.apply(code.fn, undefined, args as never[]);
    const instance = await this.sources.resolve(code.service);
    throwIfAborted(attempt);
    return Reflect.apply((instance as Record<string, AnyFunction>)[code.method] as AnyFunction, instance, args);
  }

  /** What a callback or postprocess gets in front: something of its parent. */
  async #given(input: Input, given: ClaimedJob['given']): Promise<unknown> {
    if (given === undefined) return undefined;
    if (!('status' in given)) return this.sources.read(Payload.of(given, 'jobs'));
    const outcome =
      given.status === 'completed' ? { status: given.status, result: await this.sources.read(given.result) } : structuredClone(given);
    if (input === 'outcome') return outcome;
    if (outcome.status === 'completed') return outcome.result;
    return outcome.status === 'failed' ? outcome.error : undefined;
  }
}

function throwIfAborted({ aborted }: Underway): void {
  if (aborted !== undefined) throw aborted.reason;
}
