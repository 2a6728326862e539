/** Queues jobs that recur, each firing once for the whole deployment, by the dispatcher that comes first. */

import { catchError, concatMap, defer, EMPTY, expand, ignoreElements, merge, type Observable, retry, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import { OptionError } from '../errors.js';
import type { CronSchedule, Missed } from '../job/cron-schedule.js';
import type { JobTree } from '../job/job-record.js';
import { storedError } from '../job/stored-error.js';
import type { JobStore } from '../store/job-store.js';
import type { Logger } from '../task/logger.js';

export interface Schedule {
  readonly name: string;
  readonly timetable: CronSchedule;
  readonly missed: Missed;
  /** Expands the job that is queued for a time. */
  readonly tree: (at: Date) => JobTree;
}

export interface ScheduleSources {
  readonly store: Pick<JobStore, 'schedules'>;
  readonly clock: Clock;
  /** A timer is not trusted for longer than this: the machine may have slept, or the store's time may have been set. */
  readonly pollMs: number;
  readonly logger: Logger;
  readonly schedules: readonly Schedule[];
}

type Sources = Omit<ScheduleSources, 'schedules'>;

/** After a firing that failed. */
const RETRY_MS = 5_000;

/** Emits nothing, and completes where no schedule fires any more. */
export function runSchedules({ schedules, ...sources }: ScheduleSources): Observable<never> {
  return merge(...schedules.map((schedule) => firingsOf(schedule, sources)));
}

/** From the last firing that is recorded to the next, again and again, by the time of the store. */
function firingsOf(schedule: Schedule, sources: Sources): Observable<never> {
  const { clock, logger } = sources;
  const { name, timetable } = schedule;
  return defer(() => begin(schedule, sources)).pipe(
    expand((after) => {
      const next = timetable.next(after);
      if (next === undefined) return EMPTY;
      return waits(next, sources).pipe(concatMap(() => fire(schedule, after, sources)));
    }),
    catchError((error: unknown) => {
      logger.error(`the schedule ${name} could not fire; trying again in ${RETRY_MS} ms: ${storedError(error).message}`, { err: error });
      throw error;
    }),
    retry({ delay: () => timer(RETRY_MS, clock.scheduler) }),
    ignoreElements(),
  );
}

/** @returns up to when all is fired */
async function begin({ name, timetable }: Schedule, { store }: Sources): Promise<Date> {
  return store.schedules.begin(name, await store.schedules.now(), timetable.text);
}

/** Emits once, when the time has come or is to be looked at again. */
function waits(next: Date, { store, clock, pollMs }: Sources): Observable<unknown> {
  return defer(() => store.schedules.now()).pipe(
    concatMap((now) => timer(Math.min(Math.max(0, next.getTime() - now.getTime()), pollMs), clock.scheduler)),
  );
}

/** @returns up to when all is fired */
async function fire(schedule: Schedule, after: Date, { store }: Sources): Promise<Date> {
  const { name, timetable, missed } = schedule;
  const now = await store.schedules.now();
  const { at, until } = timetable.occurrences(after, now, missed);
  if (until <= after) return after;
  const isOurs = await store.schedules.fire(name, { after, until }, treesFor(schedule, at));
  // Another process has fired, perhaps for later times as well; or it is not time yet.
  return isOurs ? until : store.schedules.begin(name, now);
}

/** @throws OptionError for a draft that can be queued no more, such as one of a quota that is gone */
function treesFor({ tree }: Schedule, at: readonly Date[]): readonly JobTree[] {
  try {
    return at.map(tree);
  } catch (cause) {
    throw new OptionError(`its \`job\` cannot be queued any more (${storedError(cause).message}): change it in \`schedules\``, { cause });
  }
}
