/** Runs a listener in its own context, not in that of the code that caused the event, such as another call's transaction. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { type MonoTypeOperatorFunction, Observable } from 'rxjs';
import { signalAround } from '../task/current-task.js';

/**
 * Everything after it, handlers included, runs as code of the one who subscribed; in a task it fails when the task is aborted, with the
 * reason of its signal.
 */
export function bindContext<T>(): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable((subscriber) => {
      const within = AsyncLocalStorage.snapshot();
      const signal = signalAround();
      const abort = (): void => within(() => subscriber.error(signal?.reason));
      signal?.addEventListener('abort', abort);
      subscriber.add(() => signal?.removeEventListener('abort', abort));
      return source.subscribe({
        next: (value) => within(() => subscriber.next(value)),
        error: (error) => within(() => subscriber.error(error)),
        complete: () => within(() => subscriber.complete()),
      });
    });
}
