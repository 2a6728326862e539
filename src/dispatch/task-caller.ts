/** Calls the code of a task: with its stored arguments, on a new instance of its service; and queues a draft that it returned. */

import { types } from 'node:util';
import { ContextNotFoundError, hasCode, OptionError, RetryLater } from '../errors.js';
import { DocumentReference } from '../job/document-reference.js';
import type { DocumentSource } from '../job/document-source.js';
import { expandReplacement } from '../job/expand-plan.js';
import type { ExpansionContext } from '../job/expansion-context.js';
import type { JobPlan } from '../job/job-plan.js';
import type { Input, JobTree, QueuedJob } from '../job/job-record.js';
import type { JobReference } from '../job/job-reference.js';
import { Payload, type Revive } from '../job/payload.js';
import { anonymous, type Principal } from '../job/principal.js';
import { storedError } from '../job/stored-error.js';
import type { AccessGuard } from '../principal/access-guard.js';
import type { ClaimedJob } from '../store/store-messages.js';
import type { Around } from '../task/around.js';
import { currentTask, untilAborted } from '../task/current-task.js';
import type { AnyFunction, Class } from '../task/task.js';
import type { TaskDefinition } from '../task/task-definition.js';
import type { SetUp } from '../task/task-options.js';
import type { Attempt } from './attempt.js';
import { runAround } from './run-around.js';

export interface CallSources {
  /** Gives the instance that a method is called on, new for each run. */
  readonly resolve: (service: Class) => Promise<object>;
  /** Looks jobs up that a stored value names. @returns what makes of each the handle that the application knows */
  readonly lookUp: (references: readonly JobReference[]) => Promise<Revive>;
  readonly expansion: ExpansionContext;
  readonly accessGuard: AccessGuard;
  /** Loads the documents that arguments refer to, if the application has bound it. */
  readonly documents: DocumentSource | undefined;
  /** Runs before the code of every task. */
  readonly setUp: SetUp | undefined;
  /** Runs around each attempt, `setUp` included. */
  readonly around: readonly Around[];
}

/** The attempt that the task is called in, which may be aborted before its code is. */
type Underway = Pick<Attempt, 'aborted' | 'actor' | 'logger' | 'resultOf' | 'session' | 'signal' | 'view'>;

/** After this time a job is tried again whose attempt could not be prepared. */
const PREPARE_AGAIN_MS = 10_000;

export class TaskCaller {
  constructor(private readonly sources: CallSources) {}

  /** Returns the task's result. Throws the task's error, or the reason of the abort if the attempt was aborted before its code. */
  call(task: TaskDefinition, claimed: ClaimedJob, attempt: Underway): unknown {
    const principal = this.#identified(task, claimed, attempt);
    if (!types.isPromise(principal)) return this.#callFor(principal, task, claimed, attempt);
    return untilAborted(principal, attempt.signal).then((known) => {
      throwIfAborted(attempt);
      return this.#callFor(known, task, claimed, attempt);
    });
  }

  /** @throws UnauthorizedError; RetryLater where nobody can say on whose behalf it would run, for that is not the job's fault */
  #identified({ name, options }: TaskDefinition, { job }: ClaimedJob, attempt: Underway): Principal | Promise<Principal> {
    const later = (error: unknown): never => {
      if (hasCode(error, 'MILLRACE_UNAUTHORIZED')) throw error;
      throw putOff('its principal could not be resolved', error, attempt);
    };
    try {
      const required = { taskName: name, requires: options.requires };
      const principal = this.sources.accessGuard.identify(job.principal ?? anonymous, required);
      return types.isPromise(principal) ? principal.catch(later) : principal;
    } catch (error) {
      return later(error);
    }
  }

  #callFor(principal: Principal, task: TaskDefinition, claimed: ClaimedJob, attempt: Underway): unknown {
    attempt.actor.identified(principal, this.sources.accessGuard.grants);
    const { around } = this.sources;
    if (around.length === 0) return this.#callAfterSetUp(task, claimed, attempt);
    return runAround(around, attempt.view, () => {
      // A middleware may have waited for long.
      throwIfAborted(attempt);
      return attempt.resultOf(() => this.#callAfterSetUp(task, claimed, attempt));
    });
  }

  #callAfterSetUp(task: TaskDefinition, claimed: ClaimedJob, attempt: Underway): unknown {
    const { setUp } = task.options;
    if (setUp === undefined && this.sources.setUp === undefined) return this.#call(task, claimed, attempt);
    return this.#setUp([this.sources.setUp, setUp], attempt).then(() => this.#call(task, claimed, attempt));
  }

  /** The functions that they return run when the attempt is over, the last one first. */
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
    const { args, callbackInput } = claimed.job;
    if ('fn' in code && options.upcast === undefined && callbackInput === 'none' && args.references.length === 0 && !args.hasDocuments)
      return Reflect.apply(code.fn, undefined, args.read() as never[]);
    return this.#callWith(task, claimed, attempt);
  }

  /** The jobs of a draft that a task returned; they stand in for the job that returned it. @throws what queueing throws */
  async planted(plan: JobPlan, { job }: ClaimedJob, { actor }: Underway): Promise<JobTree> {
    await this.sources.accessGuard.admit([plan], actor);
    return expandReplacement(job, plan, this.sources.expansion);
  }

  async #callWith({ code, options }: TaskDefinition, { job, input }: ClaimedJob, attempt: Underway): Promise<unknown> {
    const stored = (await this.#read(job.args, attempt)) as unknown[];
    if (job.callbackInput !== 'none') stored.unshift(await this.#given(job.callbackInput, input, attempt));
    throwIfAborted(attempt);
    const args = options.upcast === undefined ? stored : [...options.upcast.apply(stored, job.version)];
    const session = options.transactional ? (attempt.session as object) : undefined;
    await this.#loadDocuments(args, job, { attempt, session });
    if ('fn' in code) return Reflect.apply(code.fn, undefined, args as never[]);
    const instance = await this.sources.resolve(code.service);
    throwIfAborted(attempt);
    return Reflect.apply((instance as Record<string, AnyFunction>)[code.method] as AnyFunction, instance, args);
  }

  /** One after the other, since a session does one thing at a time. The first value of a callback is a result, not an argument. */
  async #loadDocuments(
    args: unknown[],
    { id, taskName, callbackInput }: QueuedJob,
    { attempt, session }: { readonly attempt: Underway; readonly session: object | undefined },
  ): Promise<void> {
    for (const [index, arg] of args.entries()) {
      if (!(arg instanceof DocumentReference) || (index === 0 && callbackInput !== 'none')) continue;
      const owner = `\`arguments[${index}]\` of job ${id} (${taskName}) refers to ${arg}`;
      const { documents } = this.sources;
      if (documents === undefined) throw new OptionError(`${owner}, but no DocumentSource is bound in the container, which could load it`);
      const document = await documents.load({ collection: arg.collection, id: arg.id, session });
      throwIfAborted(attempt);
      if (document === undefined || document === null) throw new ContextNotFoundError(String(arg), `${owner}, which is not there any more`);
      args[index] = document;
    }
  }

  /** The first value of a callback or postprocess, which comes from its parent. */
  async #given(input: Input, given: ClaimedJob['input'], attempt: Underway): Promise<unknown> {
    if (given === undefined) return undefined;
    if (!('status' in given)) return this.#read(Payload.of(given, 'jobs'), attempt);
    const outcome =
      given.status === 'completed' ? { status: given.status, result: await this.#read(given.result, attempt) } : structuredClone(given);
    if (input === 'outcome') return outcome;
    if (outcome.status === 'completed') return outcome.result;
    return outcome.status === 'failed' ? outcome.error : undefined;
  }

  /** @throws RetryLater while the store cannot be asked for the jobs that the value names */
  async #read(payload: Payload, attempt: Underway): Promise<unknown> {
    const { references } = payload;
    if (references.length === 0) return payload.read();
    const revive = await this.sources.lookUp(references).catch((error: unknown) => {
      throw putOff('the jobs that it is given could not be read', error, attempt);
    });
    return payload.read(revive);
  }
}

/** Puts a job off for which the attempt could not be prepared: that is not the job's fault, and its code has not run. */
function putOff(reason: string, error: unknown, attempt: Underway): RetryLater {
  throwIfAborted(attempt);
  const { id, taskName } = attempt.view;
  attempt.logger.warn(`job ${id} (${taskName}) is tried again in ${PREPARE_AGAIN_MS} ms, since ${reason}: ${storedError(error).message}`, {
    err: error,
  });
  return new RetryLater(PREPARE_AGAIN_MS);
}

function throwIfAborted({ aborted }: Underway): void {
  if (aborted !== undefined) throw aborted.reason;
}
