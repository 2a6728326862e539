/** When something recurs: a cron expression, read in a time zone. */

import { Cron } from 'croner';
import { OptionError } from '../errors.js';
import { storedError } from './stored-error.js';
import { type ClockChange, TimeZone } from './time-zone.js';

/** The rule for times at which no process was there to fire: one firing for all of them, none, or one for each. */
export type Missed = 'once' | 'skip' | 'all';

/** The same in all processes, whatever the zone of each is. */
export const UTC = 'UTC';

/** A firing that is not later than this has not been missed. */
const IN_TIME_MS = 60_000;
/** The largest number of missed firings that are made up for: the latest ones. */
const MOST_MISSED = 1_000;

/** Clocks that are put back repeat at most this much. */
const LONGEST_REPEAT_MS = 10_800_000;

/**
 * In the night in which clocks are put forward, one firing at the change makes up for the times that do not exist. In the night in which
 * they are put back, a time that comes twice counts once. An hourly schedule fires each hour on both nights, as on all others.
 */
export class CronSchedule {
  /** Its identity: two schedules with the same text fire alike. */
  readonly text: string;
  readonly #cron: Cron;
  /** The same for clocks that are never changed. */
  readonly #plain: Cron;
  readonly #zone: TimeZone;

  /**
   * @param owner - what messages call the option
   * @throws OptionError if the expression or the time zone is invalid, or no time of it ever comes
   */
  constructor(owner: string, every: string, timeZone: string = UTC) {
    this.text = `${every} ${timeZone}`;
    let first: Date | undefined;
    try {
      // Without a function it starts no timer.
      this.#cron = new Cron(every, { timezone: timeZone });
      this.#plain = new Cron(every, { timezone: UTC });
      this.#zone = new TimeZone(timeZone);
      first = this.next(new Date(0));
    } catch (error) {
      throw new OptionError(`${owner} cannot be read: ${storedError(error).message} It is a cron expression, such as '0 3 * * *'`, {
        cause: error,
      });
    }
    if (first === undefined) throw new OptionError(`${owner} is '${every}', which never comes; look at its day and its month`);
  }

  /** The first time after this one; `undefined` where none comes any more. */
  next(after: Date): Date | undefined {
    let next = this.#cron.nextRun(after);
    while (next !== null && this.#isRepeated(next)) next = this.#cron.nextRun(next);
    if (next === null) return undefined;
    const [skipped] = this.#skipped(after, next);
    return skipped ?? next;
  }

  /** The times after one moment and up to another for which something is to be fired; and up to when all is settled then. */
  occurrences(after: Date, now: Date, missed: Missed): { readonly at: readonly Date[]; readonly until: Date } {
    const last = this.#lastBefore(new Date(now.getTime() + 1), after);
    if (last === undefined) return { at: [], until: after };
    if (missed === 'all') return { at: this.#upTo(last, after), until: last };
    return { at: missed === 'once' || now.getTime() - last.getTime() <= IN_TIME_MS ? [last] : [], until: last };
  }

  /** The last time before a moment, where that is after another; reckoned backwards, for there may be a great many between. */
  #lastBefore(moment: Date, after: Date): Date | undefined {
    let [last] = this.#cron.previousRuns(1, moment);
    while (last !== undefined && last > after && this.#isRepeated(last)) [last] = this.#cron.previousRuns(1, last);
    const from = last !== undefined && last > after ? last : after;
    return this.#skipped(from, moment).at(-1) ?? (from === after ? undefined : from);
  }

  /** When clocks are put forward over times, after one moment and before another. */
  #skipped(after: Date, before: Date): readonly Date[] {
    return [...this.#zone.changes(after, before)].filter((change) => this.#isSkippedBy(change)).map(({ at }) => at);
  }

  /** Whether there are times among those that no clock reads, which it does not read later by as much either. */
  #isSkippedBy({ at, beforeMs, afterMs }: ClockChange): boolean {
    const end = at.getTime() + afterMs;
    let skipped = this.#plain.nextRun(new Date(at.getTime() + beforeMs - 1));
    while (skipped !== null && skipped.getTime() < end && this.#plain.match(new Date(skipped.getTime() + afterMs - beforeMs)))
      skipped = this.#plain.nextRun(skipped);
    return skipped !== null && skipped.getTime() < end;
  }

  /** Whether clocks read this time for the second time, and nothing recurs as much earlier by them. */
  #isRepeated(time: Date): boolean {
    const before = new Date(time.getTime() - LONGEST_REPEAT_MS);
    const back = [...this.#zone.changes(before, new Date(time.getTime() + 1))].find(({ beforeMs, afterMs }) => afterMs < beforeMs);
    if (back === undefined || time.getTime() >= back.at.getTime() + back.beforeMs - back.afterMs) return false;
    return !this.#plain.match(new Date(time.getTime() + 2 * back.afterMs - back.beforeMs));
  }

  /** One time with those before it, as far as they are made up for. */
  #upTo(last: Date, after: Date): readonly Date[] {
    const due: Date[] = [];
    for (let at: Date | undefined = last; at !== undefined && due.length < MOST_MISSED; at = this.#lastBefore(at, after)) due.push(at);
    return due.reverse();
  }
}
