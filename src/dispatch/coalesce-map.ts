/** Runs one inner observable at a time; all values that come meanwhile cause one more run afterwards. */

import { defer, Observable, type ObservableInput, type OperatorFunction, type Subscription } from 'rxjs';

/**
 * Like `exhaustMap`, but nothing that comes during a run is forgotten:
 *
 *     source  -a-b-c---------d-|
 *     run      ---x|   (of a)
 *     result  ----x---x--------x|     (of a, of b and c together, of d)
 */
export function coalesceMap<T, R>(run: (value: T) => ObservableInput<R>): OperatorFunction<T, R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      let inner: Subscription | undefined;
      let isRunning = false;
      let isComplete = false;
      let waiting: { readonly value: T } | undefined;
      const next = (): void => {
        while (!isRunning && waiting !== undefined && !subscriber.closed) {
          const { value } = waiting;
          waiting = undefined;
          isRunning = true;
          inner = defer(() => run(value)).subscribe({
            next: (result) => subscriber.next(result),
            error: (error) => subscriber.error(error),
            complete: ended,
          });
        }
        if (isComplete && !isRunning) subscriber.complete();
      };
      const ended = (): void => {
        isRunning = false;
        next();
      };
      const outer = source.subscribe({
        next: (value) => {
          waiting = { value };
          next();
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          isComplete = true;
          next();
        },
      });
      return () => {
        outer.unsubscribe();
        inner?.unsubscribe();
      };
    });
}
