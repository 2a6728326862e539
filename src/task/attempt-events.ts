/** Events of the attempts that run in this process: they begin, report progress, and are followed by another one. */

import { type Observable, Subject } from 'rxjs';
import type { Progress } from '../job/job-record.js';
import type { StoredError } from '../job/stored-error.js';
import type { AttemptView } from './around.js';

/** The code of an attempt begins. */
export interface StartedEvent {
  readonly type: 'started';
  readonly job: AttemptView;
}

/** A task has reported progress; it is stored a moment later. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly job: AttemptView;
  readonly progress: Progress;
}

/** An attempt is over, and the store has recorded that another one follows, unless the job is cancelled before. */
export interface RetryingEvent {
  readonly type: 'retrying';
  readonly job: AttemptView;
  readonly because: RetryCause;
  /** The error of the attempt, or the conflict; absent if it is to run again later by request. */
  readonly error?: StoredError;
  /** Milliseconds until the next attempt may begin; a paused queue or task can put it off further. */
  readonly delayMs: number;
}

/** The reason for another attempt. */
export const RETRY_CAUSES = Object.freeze({
  failed: 'the attempt failed, and its retry policy allows another one',
  conflict: 'its transaction met a conflict with another one, which does not count as a failure',
  'retry-later': 'its task threw `RetryLater`, or it could not be found out on whose behalf it runs',
});

export type RetryCause = keyof typeof RETRY_CAUSES;

export type AttemptEvent = StartedEvent | ProgressEvent | RetryingEvent;

/** The meaning of each event. */
export const ATTEMPT_EVENTS: Readonly<Record<AttemptEvent['type'], string>> = Object.freeze({
  started: 'the code of an attempt begins',
  progress: 'a task has reported progress',
  retrying: 'an attempt is over, and another one follows',
});

export class AttemptEvents {
  readonly #events = new Subject<AttemptEvent>();

  get all(): Observable<AttemptEvent> {
    return this.#events;
  }

  /** @param make - is called only if there is a listener */
  emit(make: () => AttemptEvent): void {
    if (this.#events.observed) this.#events.next(make());
  }
}
