/** Runs the store's maintenance when jobs become due, and now and then in case a notification was lost. */

import { defer, filter, interval, map, merge, type Observable, of, retry, Subject, tap, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';
import type { RecoveryResult } from '../store/store-messages.js';
import { alarm } from './alarm.js';
import { coalesceMap } from './coalesce-map.js';

export interface MaintenanceSources {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly dispatcher: string;
  readonly pollMs: number;
}

/** After a round that failed. */
const RETRY_MS = 1_000;

export function runMaintenance({ store, clock, dispatcher, pollMs }: MaintenanceSources): Observable<RecoveryResult> {
  return defer(() => {
    const nextTimes = new Subject<Date>();
    const news = store.changes({ due: true }).pipe(
      map((change) => (change.type === 'due' ? change.at : undefined)),
      filter((at) => at !== undefined),
    );
    const due = merge(nextTimes, news).pipe(alarm(clock));
    return merge(due, interval(pollMs, clock.scheduler), of(undefined)).pipe(
      coalesceMap(() => defer(() => store.recover(dispatcher)).pipe(retry({ delay: () => timer(RETRY_MS, clock.scheduler) }))),
      tap(({ nextAt }) => nextAt !== undefined && nextTimes.next(nextAt)),
    );
  });
}
