/** What makes an agent look for work: a first look, news from the store, and a look now and then in case news was lost. */

import { filter, interval, map, merge, type Observable, of } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';

export interface WakeUpSources {
  readonly store: JobStore;
  readonly queue: string;
  readonly clock: Clock;
  readonly pollMs: number;
}

export function wakeUps({ store, queue, clock, pollMs }: WakeUpSources): Observable<void> {
  const news = store.changes({ work: queue }).pipe(filter(({ type }) => type === 'work'));
  return merge(of(undefined), news, interval(pollMs, clock.scheduler)).pipe(map(() => undefined));
}
