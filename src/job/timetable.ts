/** When something recurs: a cron expression, read in a time zone. */

import { Cron } from 'croner';
import { OptionError } from '../errors.js';
import { storedError } from './stored-error.js';

/** What is done about times at which nobody was there to fire: one firing for all of them, none, or one for each. */
export type Missed = 'once' | 'skip' | 'all';

/** A firing that is not later than this has not been missed. */
const IN_TIME_MS = 60_000;
/** So many missed firings are made up for at most, the latest of them. */
const MOST_MISSED = 1_000;

export class Timetable {
  /** What tells it from another. */
  readonly text: string;
  readonly #cron: Cron;

  /** @param owner - what messages call the option. @throws OptionError for what is no cron expression, or no time zone, or never comes */
  constructor(owner: string, every: string, timeZone: string | undefined) {
    this.text = timeZone === undefined ? every : `${every} ${timeZone}`;
    let first: Date | undefined;
    try {
      // Without a function it starts no timer.
      this.#cron = new Cron(every, timeZone === undefined ? {} : { timezone: timeZone });
      // Whether it knows the time zone it finds out when it is asked.
      first = this.next(new Date(0));
    } catch (error) {
      throw new OptionError(`${owner} cannot be read: ${storedError(error).message}`, { cause: error });
    }
    if (first === undefined) throw new OptionError(`${owner} is '${every}', which never comes; look at its day and its month`);
  }

  /** The first time after this one; `undefined` where none comes any more. */
  next(after: Date): Date | undefined {
    return this.#cron.nextRun(after) ?? undefined;
  }

  /** The times after one moment and up to another for which something is to be fired; and up to when all is settled then. */
  firings(after: Date, now: Date, missed: Missed): { readonly at: readonly Date[]; readonly until: Date } {
    const last = this.#lastBefore(new Date(now.getTime() + 1), after);
    if (last === undefined) return { at: [], until: after };
    if (missed === 'all') return { at: this.#upTo(last, after), until: last };
    return { at: missed === 'once' || now.getTime() - last.getTime() <= IN_TIME_MS ? [last] : [], until: last };
  }

  /** The last time before a moment, where that is after another; reckoned backwards, for there may be a great many between. */
  #lastBefore(moment: Date, after: Date): Date | undefined {
    const [last] = this.#cron.previousRuns(1, moment);
    return last !== undefined && last > after ? last : undefined;
  }

  /** One time with those before it, as far as they are made up for. */
  #upTo(last: Date, after: Date): readonly Date[] {
    const due: Date[] = [];
    for (let at: Date | undefined = last; at !== undefined && due.length < MOST_MISSED; at = this.#lastBefore(at, after)) due.push(at);
    return due.reverse();
  }
}
