/** One try to run a job: calls the task, lets it be aborted, and says how it went. */

import { setMaxListeners } from 'node:events';
import { isObservable } from 'rxjs';
import { checkOption, is } from '../check.js';
import type { Clock } from '../clock.js';
import { NoTransactionError, TooLargeError } from '../errors.js';
import type { Progress, QueuedJob } from '../job/job-record.js';
import { annotationPath } from '../job/job-size.js';
import { type Metadata, NO_METADATA } from '../job/metadata.js';
import { Payload } from '../job/payload.js';
import { anonymous, type Principal } from '../job/principal.js';
import type { Session } from '../job/register.js';
import { Actor } from '../principal/actor.js';
import type { AttemptReport } from '../store/store-messages.js';
import type { AttemptView } from '../task/around.js';
import { type CurrentTask, runAsTask } from '../task/current-task.js';
import { jobLogger } from '../task/job-logger.js';
import type { Logger } from '../task/logger.js';
import { type TaskClock, taskClock } from '../task/task-clock.js';
import { lastOf } from './last-of.js';
import type { StoredBytes } from './stored-bytes.js';

/** Why an attempt was aborted. */
export interface Abort {
  readonly cause: 'cancelled' | 'timed-out' | 'stopped';
  /** The reason that its signal gives. */
  readonly reason: unknown;
}

/** How the task's code ended. */
export type Ending = { readonly value: unknown } | { readonly thrown: unknown };

export interface AttemptSources {
  readonly job: Pick<QueuedJob, 'id' | 'taskName' | 'queue' | 'role' | 'parent' | 'beginAfter' | 'principal' | 'metadata'>;
  readonly number: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether its error messages must not be logged. */
  readonly redacts?: boolean;
  /** @default false */
  readonly isTransactional?: boolean;
  readonly report: (report: Omit<AttemptReport, 'id' | 'token'>) => void;
  /** The limit on progress, and on each annotation. */
  readonly valueLimitBytes: number;
  /** The bytes that the job has stored by now. */
  readonly stored: StoredBytes;
}

export class Attempt implements CurrentTask {
  readonly job: { readonly id: string; readonly taskName: string };
  readonly batch: string | undefined;
  readonly scheduledFor: Date | undefined;
  readonly metadata: Metadata;
  readonly attempt: number;
  readonly clock: TaskClock;
  readonly logger: Logger;
  /** The actor in its code; its roles are not known before the code is called. */
  readonly actor: Actor<CurrentTask>;
  readonly #queue: string;
  readonly #isTransactional: boolean;
  readonly #report: AttemptSources['report'];
  readonly #redacts: boolean;
  readonly #valueLimitBytes: number;
  readonly #stored: StoredBytes;
  /** Made when it is first asked for: most tasks never ask. */
  #controller: AbortController | undefined;
  #aborted: Abort | undefined;
  #cleanUps: (() => unknown)[] | undefined;
  #isOver = false;
  /** Until its end is being recorded, or it is given up: what it reports later is dropped. */
  #isHeard = true;
  /** While its code runs in a transaction. */
  #session: object | undefined;

  constructor({ job, number, clock, logger, redacts = false, isTransactional = false, report, valueLimitBytes, stored }: AttemptSources) {
    this.job = { id: job.id, taskName: job.taskName };
    this.batch = job.role === 'step' ? job.parent : undefined;
    this.scheduledFor = job.beginAfter;
    this.metadata = job.metadata ?? NO_METADATA;
    this.attempt = number;
    this.#queue = job.queue;
    this.#isTransactional = isTransactional;
    this.actor = new Actor(job.principal ?? anonymous, this);
    this.clock = taskClock(clock, () => this.signal);
    this.logger = jobLogger(logger, job, number);
    this.#report = report;
    this.#redacts = redacts;
    this.#valueLimitBytes = valueLimitBytes;
    this.#stored = stored;
  }

  /** As middleware and events see it. */
  get view(): AttemptView {
    const { job, attempt, metadata } = this;
    return Object.freeze({ ...job, queue: this.#queue, attempt, isTransactional: this.#isTransactional, metadata });
  }

  get principal(): Principal {
    return this.actor.principal as Principal;
  }

  get session(): Session {
    if (this.#session !== undefined) return this.#session as Session;
    const { id, taskName } = this.job;
    throw new NoTransactionError(
      `job ${id} (${taskName}) is in no transaction here: declare its task \`transactional: true\`, and use the session before its method has ended`,
    );
  }

  get signal(): AbortSignal {
    this.#controller ??= controllerOfMany();
    if (this.#aborted !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  get progress(): (value: Progress) => void {
    return (value) => {
      checkOption('currentTask()', 'progress', value, PROGRESS);
      const progress = typeof value === 'number' ? value : onlyProgress(value);
      this.#send('progress', Payload.of(progress, 'progress'), { progress });
    };
  }

  get annotate(): (key: string, value: unknown) => void {
    return (key, value) => {
      checkOption('currentTask()', 'annotate(key)', key, is.label);
      const path = annotationPath(key);
      const annotation = Payload.of(value, path);
      this.#send(path, annotation, { annotations: { [key]: annotation } });
    };
  }

  get onEnd(): (cleanUp: () => unknown) => void {
    return (cleanUp) => {
      checkOption('currentTask()', 'onEnd(fn)', cleanUp, is.callable);
      if (this.#isOver) return void this.#cleanUp([cleanUp]);
      this.#cleanUps ??= [];
      this.#cleanUps.push(cleanUp);
    };
  }

  #send(path: string, { bytes }: Payload, report: Parameters<AttemptSources['report']>[0]): void {
    if (bytes > this.#valueLimitBytes)
      throw new TooLargeError(`\`${path}\` takes ${bytes} bytes, but the limit is ${this.#valueLimitBytes}; keep large data elsewhere`);
    if (!this.#isHeard) return;
    this.#stored.add(path, bytes);
    this.#report(report);
  }

  /** From now on its reports are dropped, while its method may run on. */
  ignore(): void {
    this.#isHeard = false;
  }

  /** Why it was aborted, if it was; the first cause counts. */
  get aborted(): Abort | undefined {
    return this.#aborted;
  }

  abort(abort: Abort): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = abort;
    const controller = this.#controller;
    // A listener of the signal is code of the task, and not of the caller that cancels it.
    if (controller !== undefined) runAsTask(this.actor, () => controller.abort(abort.reason));
  }

  /** Runs the code as this task; never throws. */
  run(code: () => unknown): Promise<Ending> {
    return runAsTask(this.actor, () => this.#run(code));
  }

  /** The same, in the transaction of a session, which the code finds in `session`. */
  runIn(session: object, code: () => unknown): Promise<Ending> {
    this.#session = session;
    return this.run(code);
  }

  /** The result of the code: of an observable, its last value. */
  async resultOf(code: () => unknown): Promise<unknown> {
    const value = await code();
    if (!isObservable(value)) return value;
    return lastOf(value, this.signal, (error) => this.#logHarmless('the observable', 'threw when it was left', error));
  }

  async #run(code: () => unknown): Promise<Ending> {
    let ending: Ending;
    try {
      ending = { value: await this.resultOf(code) };
    } catch (thrown) {
      ending = { thrown };
    }
    this.#isOver = true;
    this.#session = undefined;
    if (this.#cleanUps !== undefined) await this.#cleanUp(this.#cleanUps);
    this.ignore();
    return ending;
  }

  #logHarmless(what: string, threw: string, error: unknown): void {
    const { id, taskName } = this.job;
    this.logger.error(`${what} of job ${id} (${taskName}) ${threw}, which changes nothing`, this.#redacts ? undefined : { err: error });
  }

  async #cleanUp(cleanUps: (() => unknown)[]): Promise<void> {
    for (let cleanUp = cleanUps.pop(); cleanUp !== undefined; cleanUp = cleanUps.pop()) {
      try {
        await cleanUp();
      } catch (error) {
        this.#logHarmless('a clean-up', 'threw', error);
      }
    }
  }
}

/** A task may wait for hundreds of jobs at once, and each wait listens: that leaks nothing, so Node is not to warn of it. */
function controllerOfMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

function onlyProgress({ done, total, note }: Exclude<Progress, number>): Progress {
  return Object.freeze({ done, ...(total === undefined ? {} : { total }), ...(note === undefined ? {} : { note }) });
}

const isShare = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;

const PROGRESS = {
  must: 'a finite number of at least 0, or { done, total, note } with such numbers and a string',
  holds: (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) return isShare(value);
    const { done, total, note } = value as { done?: unknown; total?: unknown; note?: unknown };
    return isShare(done) && (total === undefined || isShare(total)) && (note === undefined || typeof note === 'string');
  },
};
