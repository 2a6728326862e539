/** The clock of a running task: `currentTask().clock`. */

import { firstValueFrom, fromEvent, map, race, type SchedulerLike, timer } from 'rxjs';
import { checkOption, is } from '../check.js';
import type { Clock } from '../clock.js';

/** The time of the system; in a test with `testAsync`, time that only the test moves. */
export interface TaskClock {
  /** Milliseconds since the epoch: `new Date(clock.now())`. */
  now(): number;
  /** Resolves after `ms` milliseconds. Rejects with the reason of the task's signal as soon as that is aborted. @throws OptionError */
  wait(ms: number): Promise<void>;
  /** For RxJS operators that take time: `interval(1_000, clock.scheduler)`. */
  readonly scheduler: SchedulerLike;
}

/** @param signal - that of the task, which is made when it is first asked for */
export function taskClock(clock: Clock, signal: () => AbortSignal): TaskClock {
  const { scheduler } = clock;
  return { now: () => clock.now(), scheduler, wait: (ms) => wait(ms, scheduler, signal()) };
}

async function wait(ms: number, scheduler: SchedulerLike, signal: AbortSignal): Promise<void> {
  checkOption('currentTask()', 'clock.wait(ms)', ms, is.timerFromZeroMs);
  signal.throwIfAborted();
  const abortion = fromEvent(signal, 'abort').pipe(
    map(() => {
      throw signal.reason;
    }),
  );
  await firstValueFrom(race(timer(ms, scheduler), abortion));
}
