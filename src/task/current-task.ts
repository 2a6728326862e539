/** `currentTask()`: facts for a running task, available everywhere in its code. */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { AbortSignalType } from '../abort-signal.js';
import { NoCurrentTaskError } from '../errors.js';
import type { Progress } from '../job/job-record.js';
import type { Metadata } from '../job/metadata.js';
import type { Principal } from '../job/principal.js';
import type { Session } from '../job/register.js';
import { type Actor, actAs, currentActor } from '../principal/actor.js';
import type { Logger } from './logger.js';
import type { TaskClock } from './task-clock.js';

export interface CurrentTask {
  readonly job: { readonly id: string; readonly taskName: string };
  /** The id of the batch of which it is a step, for `extendBatch`. */
  readonly batch: string | undefined;
  /** The time for which it was scheduled, by its `beginAfter` or by a schedule, whenever it has begun. */
  readonly scheduledFor: Date | undefined;
  /** The principal of the job, with its present roles; `currentPrincipal()` is the same. */
  readonly principal: Principal;
  /** The facts of the job's draft, and the inherited ones; frozen. */
  readonly metadata: Metadata;
  /** Which run of the job this is, from 1. */
  readonly attempt: number;
  /** Tells the time and waits; in a test with `testAsync` it goes by virtual time. */
  readonly clock: TaskClock;
  /** Aborted when the job is cancelled, runs longer than its `timeoutMs`, or its process stops. */
  readonly signal: AbortSignalType;
  /** Says how far it is; seen by everybody who watches the job. Does nothing once the attempt is over. @throws OptionError if the value is not a progress, TooLargeError */
  readonly progress: (value: Progress) => void;
  /** Keeps a value with the job, seen by everybody who watches it. Does nothing once the attempt is over. @throws UnstorableError, TooLargeError */
  readonly annotate: (key: string, value: unknown) => void;
  /**
   * Of the transaction that its writes belong to, in a task that is `transactional`.
   * @throws NoTransactionError in all others, and when the method has ended
   */
  readonly session: Session;
  /** The logger of the application; adds the job to the details of each message: `jobId`, `taskName`, `attempt`, `queue`. */
  readonly logger: Logger;
  /** Runs when this attempt is over, however it ended; the last one added first, one added later at once. */
  readonly onEnd: (cleanUp: () => unknown) => void;
}

/** The facts of the running task; they follow its code through promises, timers and streams. @throws NoCurrentTaskError outside of tasks */
export function currentTask(): CurrentTask {
  const task = taskAround();
  if (task === undefined)
    throw new NoCurrentTaskError('no task is running here: call `currentTask()` inside a task, not in a function that is called directly');
  return task;
}

/** The task whose code calls this; `undefined` outside tasks. */
export function taskAround(): CurrentTask | undefined {
  return currentActor()?.task as CurrentTask | undefined;
}

/** The signal of the task whose code calls this, unless it is aborted already: code that cleans up may take its time. */
export function signalAround(): AbortSignalType | undefined {
  const signal = taskAround()?.signal;
  return signal?.aborted === true ? undefined : signal;
}

/** Waits for something as long as a signal is not aborted. @throws the reason of the signal */
export function untilAborted<T>(wait: Promise<T>, signal: AbortSignalType | undefined): Promise<T> {
  if (signal === undefined) return wait;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    const done = (): void => signal.removeEventListener('abort', abort);
    wait.then(resolve, reject).finally(done);
  });
}

/** Runs code outside of the context that woke the dispatcher, such as a caller's `runAs` or transaction. */
export const outsideAnyTask: <T>(fn: () => T) => T = AsyncLocalStorage.snapshot();

/** Runs code as the task of an actor. */
export function runAsTask<T>(actor: Actor<CurrentTask>, fn: () => T): T {
  return outsideAnyTask(() => actAs(actor, fn));
}
