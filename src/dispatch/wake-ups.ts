/** Emits when an agent is to look for work: at first, when the store signals some, and now and then in case a signal was lost. */

import { filter, interval, merge, Observable, type OperatorFunction, of } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';
import { outsideAnyTask } from '../task/current-task.js';

export interface WakeUpSources {
  readonly store: JobStore;
  readonly queue: string;
  readonly clock: Clock;
  readonly pollMs: number;
}

export function wakeUps({ store, queue, clock, pollMs }: WakeUpSources): Observable<void> {
  const news = store.changes({ work: queue }).pipe(filter(({ type }) => type === 'work'));
  return merge(of(undefined), news, interval(pollMs, clock.scheduler)).pipe(fromOutside());
}

/** Subscribers run as the anonymous principal: a store may signal at once, in the code of the caller that queued the work. */
function fromOutside(): OperatorFunction<unknown, void> {
  return (source) =>
    new Observable((subscriber) =>
      source.subscribe({
        next: () => outsideAnyTask(() => subscriber.next()),
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}
