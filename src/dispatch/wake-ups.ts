/** What makes an agent look for work: a first look, news from the store, and a look now and then in case news was lost. */

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

/** What follows runs as nobody in particular: a store may bring news at once, in the code of who queued the work. */
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
