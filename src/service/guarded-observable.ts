/** An observable whose subscribers cannot do harm: a handler that throws is logged, and goes on being called. */

import { types } from 'node:util';
import { Observable, type Observer, type Operator, Subscriber, type Subscription } from 'rxjs';
import type { JobDetails } from '../job/job-details.js';
import { taskAround } from '../task/current-task.js';
import type { Logger } from '../task/logger.js';

type Handlers<T> = Partial<Observer<T>> | ((value: T) => void) | null;

export class GuardedObservable<T> extends Observable<T> {
  readonly #logger: Logger;
  readonly #about: (value: unknown) => JobDetails | undefined;

  /** @param about - the details of the job that a value is about, for the log */
  constructor(source: Observable<T>, logger: Logger, about: (value: unknown) => JobDetails | undefined = () => undefined) {
    super();
    this.source = source;
    this.#logger = logger;
    this.#about = about;
  }

  /** Observables that operators make of it are guarded, too. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this as Observable<unknown> as Observable<R>, this.#logger, this.#about);
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
      next: (value) => this.#guard(() => handlers.next?.(value), value),
      error: (thrown) => this.#guard(() => (onError === undefined ? this.#unheard(thrown) : onError(thrown))),
      complete: () => this.#guard(() => onComplete?.()),
    });
  }

  #guard(handle: () => unknown, value?: T): void {
    try {
      const returned = handle();
      if (types.isPromise(returned)) returned.catch((error: unknown) => this.#report(error, value));
    } catch (error) {
      this.#report(error, value);
    }
  }

  #report(error: unknown, value: T | undefined): void {
    this.#logger.error('a handler threw, which changes nothing', { ...this.#about(value), err: error });
  }

  /** A task that was aborted knows that its subscriptions have ended. */
  #unheard(error: unknown): void {
    const signal = taskAround()?.signal;
    if (signal?.aborted === true && error === signal.reason) return;
    this.#logger.error('an observable failed, and nobody handled it', { ...this.#about(undefined), err: error });
  }
}
