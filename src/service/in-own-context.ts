/** Keeps the context of who listens apart from that of who happens to cause what is told, such as somebody's transaction. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { type MonoTypeOperatorFunction, Observable } from 'rxjs';

/** Everything after it, handlers included, runs as code of the one who subscribed. */
export function inOwnContext<T>(): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable((subscriber) => {
      const within = AsyncLocalStorage.snapshot();
      return source.subscribe({
        next: (value) => within(() => subscriber.next(value)),
        error: (error) => within(() => subscriber.error(error)),
        complete: () => within(() => subscriber.complete()),
      });
    });
}
