/** The only file that reads time: the clock of a process, behind one seam that tests replace. */

import { asyncScheduler, Observable, type SchedulerLike, timer } from 'rxjs';

/** The process's real timers, even if a test fakes timers later: a turn of the event loop must be a real one. */
const { setImmediate, clearImmediate, performance: realPerformance } = globalThis;
const { now: realNow } = realPerformance;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** For RxJS operators that take time: `timer(ms, clock.scheduler)`. */
  readonly scheduler: SchedulerLike;
  /** Emits once in the next turn of the event loop, after everything that this turn still has to do. */
  turn(): Observable<void>;
}

/** The real time. */
export const systemClock: Clock = {
  now: () => asyncScheduler.now(),
  scheduler: asyncScheduler,
  turn: nextTurn,
};

/** Whether the timers of a clock are the platform's: not in a test that moves the time. */
export function isReal({ scheduler }: Pick<Clock, 'scheduler'>): boolean {
  return scheduler === asyncScheduler;
}

/**
 * Milliseconds that have passed, as the timers of a clock count them: setting the time of day has no effect; a sleep of the machine may be
 * left out.
 */
export function elapsedMs(clock: Clock): number {
  return isReal(clock) ? performance.now() : clock.scheduler.now();
}

/** As `timer`, but a process may end while it waits. */
export function idleTimer(ms: number, { scheduler }: Pick<Clock, 'scheduler'>): Observable<unknown> {
  if (!isReal({ scheduler })) return timer(ms, scheduler);
  return new Observable((subscriber) => {
    const handle = setTimeout(() => {
      subscriber.next(undefined);
      subscriber.complete();
    }, ms);
    handle.unref();
    return () => clearTimeout(handle);
  });
}

/** One turn of the real event loop; virtual clocks use it too, since a turn takes no time. */
export function nextTurn(): Observable<void> {
  return new Observable((subscriber) => {
    const handle = setImmediate(() => {
      subscriber.next();
      subscriber.complete();
    });
    return () => clearImmediate(handle);
  });
}

/** Milliseconds of real time since some moment, also while a test fakes the time. */
export function realMs(): number {
  return realNow.call(realPerformance);
}

/** Whether timers were faked already when this file was loaded, so that no turn would ever come. */
export function areTurnsFaked(): boolean {
  return 'clock' in setImmediate || '_isMockFunction' in setImmediate;
}
