/** The result of a task that returns an observable. */

import type { Observable, Subscription } from 'rxjs';

/**
 * The last value of an observable, or `undefined` of an empty one; rejects with its error, or with the reason of the signal, which ends the
 * subscription.
 * @param onThrown - is given the error of a teardown, which is code of the task as well
 */
export function lastOf(values: Observable<unknown>, signal: AbortSignal, onThrown: (error: unknown) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let last: unknown;
    const stop = (): void => {
      reject(signal.reason);
      leave(subscription, onThrown);
    };
    const subscription = values.subscribe({
      next: (value) => {
        last = value;
      },
      error: reject,
      complete: () => resolve(last),
    });
    subscription.add(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
    else if (!subscription.closed) signal.addEventListener('abort', stop);
  });
}

function leave(subscription: Subscription, onThrown: (error: unknown) => void): void {
  try {
    subscription.unsubscribe();
  } catch (error) {
    onThrown(error);
  }
}
