/** Gives up waiting for a command that is not answered in time; it may be done all the same, then or later. */

import { timer } from 'rxjs';
import type { Clock } from '../../clock.js';
import { UncertainError } from '../../errors.js';

/** Longer than an election takes, and than the driver looks for a server. */
const COMMAND_MS = 35_000;

export class Deadline {
  constructor(
    private readonly clock: Clock,
    private readonly ms: number = COMMAND_MS,
  ) {}

  /** @throws UncertainError when there is no answer in time */
  of<T>(send: () => Promise<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const watch = timer(this.ms, this.clock.scheduler).subscribe(() =>
        reject(new UncertainError(`MongoDB has not answered ${what} within ${this.ms} ms; it may have been done, or be done yet`)),
      );
      const done = (): void => watch.unsubscribe();
      send().then(resolve, reject).finally(done);
    });
  }
}
