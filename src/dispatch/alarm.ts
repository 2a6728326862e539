/** Emits when the earliest of its times has come. */

import { Observable, type OperatorFunction, type Subscription, timer } from 'rxjs';
import { MAX_TIMER_MS } from '../check.js';
import { type Clock, elapsedMs } from '../clock.js';

/**
 * Emits once when a time has come, then waits for the next time that is set. The wait counts from the call, whatever the clock is set to
 * meanwhile. For a time that is too far away for a timer it emits early, so that the caller sets it again.
 */
export function alarm(clock: Clock): OperatorFunction<Date, void> {
  return (times) =>
    new Observable<void>((subscriber) => {
      let earliestMs = Number.POSITIVE_INFINITY;
      let waiting: Subscription | undefined;
      const ring = (): void => {
        earliestMs = Number.POSITIVE_INFINITY;
        subscriber.next();
      };
      const subscription = times.subscribe({
        next: (time) => {
          const delayMs = Math.min(Math.max(0, time.getTime() - clock.now()), MAX_TIMER_MS);
          const ringsMs = elapsedMs(clock) + delayMs;
          if (ringsMs >= earliestMs) return;
          earliestMs = ringsMs;
          waiting?.unsubscribe();
          waiting = timer(delayMs, clock.scheduler).subscribe(ring);
        },
        error: (error) => subscriber.error(error),
      });
      return () => {
        subscription.unsubscribe();
        waiting?.unsubscribe();
      };
    });
}
