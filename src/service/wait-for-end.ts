/** Waits for the end of a job, until it is reported, a limit is reached, or the wait is given up. */

import { type Observable, timer } from 'rxjs';
import { is, type Rules } from '../check.js';
import type { Clock } from '../clock.js';
import type { WaitTimeoutError } from '../errors.js';
import type { Outcome } from '../job/outcome.js';
import type { WaitOptions } from './job.js';

/** Also one of another realm, or of a package that stands in for the platform's. */
function isSignal(value: unknown): boolean {
  return (
    is.object.holds(value) &&
    ['throwIfAborted', 'addEventListener'].every((name) => typeof Reflect.get(value as object, name) === 'function')
  );
}

/** The options of waiting. */
export const WAIT_RULES: Rules<WaitOptions> = {
  timeoutMs: is.timerFromZeroMs,
  signal: { must: 'an AbortSignal', holds: isSignal },
};

/** The job that is waited for. */
export interface Awaited {
  /** Emits whenever the job may have ended; completes when there will be no more notifications. */
  readonly changes: Observable<unknown>;
  /** As last seen. */
  readonly outcome: () => Outcome<unknown> | undefined;
  /** When there will be no more notifications: reads once more. */
  readonly lastWord: () => Promise<Outcome<unknown>>;
  readonly late: (timeoutMs: number) => WaitTimeoutError;
  readonly clock: Clock;
  /** Of the task that waits. */
  readonly around: AbortSignal | undefined;
}

/** @throws WaitTimeoutError, or the reason of `signal`, or of the task's signal */
export function waitForEnd(
  { changes, outcome, lastWord, late, clock, around }: Awaited,
  { timeoutMs, signal }: WaitOptions,
): Promise<Outcome<unknown>> {
  return new Promise((resolve, reject) => {
    const told = (): void => {
      const ended = outcome();
      if (ended !== undefined) resolve(ended);
    };
    const wait = changes.subscribe({ next: told, error: reject, complete: () => outcome() === undefined && resolve(lastWord()) });
    for (const given of [signal, around]) {
      if (given === undefined || wait.closed) continue;
      const abort = (): void => {
        wait.unsubscribe();
        reject(given.reason);
      };
      given.addEventListener('abort', abort);
      wait.add(() => given.removeEventListener('abort', abort));
      if (given.aborted) abort();
    }
    if (wait.closed) return;
    if (timeoutMs === undefined) return;
    const limit = timer(timeoutMs, clock.scheduler).subscribe(() => {
      wait.unsubscribe();
      reject(late(timeoutMs));
    });
    wait.add(limit);
  });
}
