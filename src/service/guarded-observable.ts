/** An observable whose subscribers cannot do harm: a handler that throws is logged, and goes on being called. */

import { Observable, type Observer, type Operator, Subscriber, type Subscription } from 'rxjs';
import { taskAround } from '../task/current-task.js';
import type { Logger } from '../task/logger.js';

type Handlers<T> = Partial<Observer<T>> | ((value: T) => void) | null;

export class GuardedObservable<T> extends Observable<T> {
  readonly #logger: Logger;

  constructor(source: Observable<T>, logger: Logger) {
    super();
    this.source = source;
    this.#logger = logger;
  }

  /** Also what operators make of it is guarded. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this as Observable<unknown> as Observable<R>, this.#logger);
    lifted.operator = operator as Operator<unknown, R>;
    return lifted;
  }

  override subscribe(
    observerOrNext?: Handlers<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator subscribes with a subscriber of its own, whose end must end this subscription; what it makes is guarded itself.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const handlers: Partial<Observer<T>> = typeof observerOrNext === 'function' ? { next: observerOrNext } : (observerOrNext ?? {});
    const onError = error ?? handlers.error?.bind(handlers);
    const onComplete = complete ?? handlers.complete?.bind(handlers);
    return super.subscribe({
      next: (value) => this.#guard(() => handlers.next?.(value)),
      error: (thrown) => this.#guard(() => (onError === undefined ? this.#unheard(thrown) : onError(thrown))),
      complete: () => this.#guard(() => onComplete?.()),
    });
  }

  #guard(handle: () => unknown): void {
    try {
      const returned = handle();
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#report(error));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#logger.error('a handler threw, which changes nothing', { error });
  }

  /** A task that was aborted knows that its subscriptions have ended. */
  #unheard(error: unknown): void {
    const signal = taskAround()?.signal;
    if (signal?.aborted === true && error === signal.reason) return;
    this.#logger.error('an observable failed, and nobody handled it', { error });
  }
}
