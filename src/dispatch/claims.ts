/** Turns wake-ups into claimed jobs: never more than there are free slots, one claim at a time. */

import { filter, map, merge, mergeMap, type Observable, type OperatorFunction, Subject, tap } from 'rxjs';
import type { Clock } from '../clock.js';
import type { ClaimedJob } from '../store/store-messages.js';
import { coalesceMap } from './coalesce-map.js';
import type { Slots } from './slots.js';

export interface ClaimSources {
  readonly slots: Slots;
  readonly clock: Clock;
  /** Claims at most this number of jobs. */
  readonly claim: (limit: number) => Observable<readonly ClaimedJob[]>;
}

/**
 * Claims as many jobs as there are free slots, in the turn after a wake-up, so that what one turn brings
 * (jobs queued together, slots freed together) is claimed together. A slot that becomes free makes it
 * claim again only while the queue may have more: after a claim that came back full.
 */
export function claims({ slots, clock, claim }: ClaimSources): OperatorFunction<void, ClaimedJob> {
  return (wakeUps) => {
    let mayHaveMore = true;
    const freedMeanwhile = new Subject<void>();
    const woken = wakeUps.pipe(
      tap(() => {
        mayHaveMore = true;
      }),
    );
    const freed = slots.freed.pipe(filter(() => mayHaveMore));
    return merge(woken, freed, freedMeanwhile).pipe(
      coalesceMap(() =>
        clock.turn().pipe(
          map(() => slots.free),
          filter((limit) => limit > 0),
          mergeMap((limit) => {
            mayHaveMore = false;
            return claim(limit).pipe(
              tap((claimed) => {
                slots.take(claimed.length);
                if (claimed.length < limit) return;
                mayHaveMore = true;
                if (slots.free > 0) freedMeanwhile.next();
              }),
            );
          }),
        ),
      ),
      mergeMap((claimed) => claimed),
    );
  };
}
