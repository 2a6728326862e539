/** Streams of the outcomes of jobs. */

import { concatMap, filter, map, type Observable, of } from 'rxjs';
import { type JobDetails, jobDetails } from '../job/job-details.js';
import { type Outcome, readOutcome, type StoredOutcome } from '../job/outcome.js';
import type { StoredError } from '../job/stored-error.js';
import type { ChangeFilter } from '../store/store-changes.js';
import type { AttemptView } from '../task/around.js';
import type { AttemptEvent, ProgressEvent, RetryingEvent, StartedEvent } from '../task/attempt-events.js';
import { namesOf } from '../task/definition-of.js';
import type { ResultOf, SignatureOf, TaskLike } from '../task/task.js';
import { bindContext } from './bind-context.js';
import { GuardedObservable } from './guarded-observable.js';
import type { Job } from './job.js';
import { type JobAccess, reviver, sightings } from './job-access.js';
import { JobHandle } from './job-handle.js';
import { handleOf } from './job-handles.js';

export interface JobEvent<R> {
  readonly job: Job<R>;
  readonly outcome: Outcome<R>;
}

/**
 * Jobs that ended in this process, batches and callbacks too: once each, after the outcome is stored (callbacks may still be running). A
 * handler that throws is logged and changes nothing. The streams complete with `stop()`; a subscription of a task fails when the task is
 * aborted.
 *
 * `started`, `progress` and `retrying` are of attempts in this process, as they happen. For one job they come in order: `started`, any
 * `progress`, then `retrying` and the next `started`, or the end. A handler runs before the attempt goes on, so it should be short.
 */
export interface Events {
  readonly all: Observable<JobEvent<unknown>>;
  readonly success: Observable<{ readonly job: Job<unknown>; readonly result: unknown }>;
  readonly failure: Observable<{ readonly job: Job<unknown>; readonly error: StoredError }>;
  readonly cancelled: Observable<{ readonly job: Job<unknown>; readonly reason: string | undefined }>;
  /** The code of an attempt begins. */
  readonly started: Observable<StartedEvent>;
  /** A task has reported progress. Each report is an event, also if the store keeps only the last of several. */
  readonly progress: Observable<ProgressEvent>;
  /** Another attempt follows, unless the job is cancelled before; the store has noted that. */
  readonly retrying: Observable<RetryingEvent>;
  /** The ends of one task's jobs, typed by it; the events of its attempts are those with its name in `job.taskName`. */
  of<T extends TaskLike>(task: T): Observable<JobEvent<ResultOf<SignatureOf<T>>>>;
}

/** Outcomes as the application sees them. */
export function outcomeEvents(
  access: JobAccess,
  interest: Extract<ChangeFilter, { readonly outcomes: unknown }>,
): Observable<JobEvent<unknown>> {
  const events = access.changes(interest).pipe(
    bindContext(),
    sightings(access.store),
    map((sighting) => {
      const revive = reviver(sighting.named, (reference, named) => new JobHandle(access, reference, named));
      return { job: handleOf(access, sighting), outcome: readOutcome(sighting.record.state.outcome as StoredOutcome, revive) };
    }),
  );
  return new GuardedObservable(events, access.logger, detailsOfEvent);
}

/** The job of a value that the application's operators have made of an event, if it still has one. */
function detailsOfEvent(event: unknown): JobDetails | undefined {
  const job = typeof event === 'object' && event !== null && 'job' in event ? event.job : undefined;
  return job instanceof JobHandle ? job.details : undefined;
}

function detailsOfAttempt(event: unknown): JobDetails | undefined {
  if (typeof event !== 'object' || event === null || !('job' in event)) return undefined;
  const { id, taskName, queue, attempt } = event.job as AttemptView;
  return jobDetails({ id, taskName, queue }, attempt);
}

export class StoreEvents implements Events {
  readonly all: Observable<JobEvent<unknown>>;
  readonly #attempts: Observable<AttemptEvent>;

  constructor(access: JobAccess, attempts: Observable<AttemptEvent>) {
    this.all = outcomeEvents(access, { outcomes: 'here' });
    this.#attempts = new GuardedObservable(attempts.pipe(bindContext()), access.logger, detailsOfAttempt);
  }

  get started(): Events['started'] {
    return this.#attempts.pipe(filter((event) => event.type === 'started'));
  }

  get progress(): Events['progress'] {
    return this.#attempts.pipe(filter((event) => event.type === 'progress'));
  }

  get retrying(): Events['retrying'] {
    return this.#attempts.pipe(filter((event) => event.type === 'retrying'));
  }

  get success(): Events['success'] {
    return this.all.pipe(concatMap(({ job, outcome }) => (outcome.status === 'completed' ? of({ job, result: outcome.result }) : [])));
  }

  get failure(): Events['failure'] {
    return this.all.pipe(concatMap(({ job, outcome }) => (outcome.status === 'failed' ? of({ job, error: outcome.error }) : [])));
  }

  get cancelled(): Events['cancelled'] {
    return this.all.pipe(concatMap(({ job, outcome }) => (outcome.status === 'cancelled' ? of({ job, reason: outcome.reason }) : [])));
  }

  of<T extends TaskLike>(task: T): Observable<JobEvent<ResultOf<SignatureOf<T>>>> {
    const names = namesOf(task);
    return this.all.pipe(filter(({ job }) => names.includes(job.taskName))) as Observable<JobEvent<never>>;
  }
}
