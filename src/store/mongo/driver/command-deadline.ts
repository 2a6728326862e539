/** Gives up waiting for a command that is not answered in time; the server may still execute it, then or later. */

import { type Observable, switchMap, throwError, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import { UncertainError } from '../../../errors.js';

/** Longer than an election takes, and than the driver looks for a server. */
const COMMAND_MS = 35_000;

export class CommandDeadline {
  constructor(
    private readonly clock: Clock,
    private readonly ms: number = COMMAND_MS,
  ) {}

  /** @throws UncertainError when there is no answer in time */
  of<T>(send: () => Promise<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const watch = this.unanswered(what).subscribe({ error: reject });
      const done = (): void => watch.unsubscribe();
      send().then(resolve, reject).finally(done);
    });
  }

  /** Fails with an UncertainError once the time for the answer is over. */
  unanswered(what: string): Observable<never> {
    return this.over(
      () => new UncertainError(`MongoDB has not answered ${what} within ${this.ms} ms; it may have been executed, or may still be`),
    );
  }

  /** Fails with an error of the caller's once the time for an answer is over. */
  over(error: () => unknown): Observable<never> {
    return timer(this.ms, this.clock.scheduler).pipe(switchMap(() => throwError(error)));
  }
}
