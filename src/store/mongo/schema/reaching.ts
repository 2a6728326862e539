/** Waits for a database that cannot be reached yet: logs that it waits, gives up in time, and names the next step. */

import { MongoServerError, MongoWriteConcernError } from 'mongodb';
import {
  defer,
  expand,
  firstValueFrom,
  ignoreElements,
  map,
  merge,
  NEVER,
  type Observable,
  retry,
  switchMap,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Clock } from '../../../clock.js';
import { DatabaseUnreachableError, hasCode, NotRunningError, StoreError } from '../../../errors.js';
import { isError } from '../../../job/stored-error.js';
import { isUnanswered } from '../driver/driver-errors.js';
import type { Members } from './members.js';

/** When it is said first that the database is waited for; each time after that the time has doubled, or a minute has passed. */
const FIRST_REMINDER_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;
/** Between two tries. */
const RETRY_MS = 500;

const NO_ANSWER = 'there is no answer';

const AUTHENTICATION_FAILED = 18;

export interface ReachOptions {
  readonly members: Members;
  readonly clock: Clock;
  /** For how long it is tried again; `undefined` for one try, which ends when the driver gives up. */
  readonly connectTimeoutMs: number | undefined;
  readonly onWaiting: (message: string) => void;
  /** Emits when nobody waits any longer. */
  readonly unused: Observable<void>;
}

/**
 * Connects to a database, then prepares it.
 * @throws DatabaseUnreachableError, StoreError; NotRunningError when nobody waits any longer; errors of the driver
 */
export async function reach<T>(connect: () => Promise<void>, prepare: () => Promise<T>, options: ReachOptions): Promise<T> {
  const { members, clock, connectTimeoutMs } = options;
  const delay = (error: unknown): Observable<unknown> =>
    connectTimeoutMs !== undefined && isUnreachable(error) ? timer(RETRY_MS, clock.scheduler) : throwError(() => error);
  const late = connectTimeoutMs === undefined ? NEVER : timer(connectTimeoutMs, clock.scheduler);
  const connected = merge(
    members.refusals,
    defer(connect).pipe(retry({ delay })),
    late.pipe(switchMap(() => throwError(() => unreachable(members, members.failure)))),
  );
  await awaited(connected, () => `cannot be reached: ${members.reason ?? NO_ANSWER}. \`start\` goes on trying`, options);
  return awaited(defer(prepare), () => 'still prepares the collections and indexes of the store, and `start` waits for that', options);
}

/** Waits, and says so now and then. */
function awaited<T>(work: Observable<T>, said: () => string, { members, clock, onWaiting, unused }: ReachOptions): Promise<T> {
  const reminded = reminders(clock).pipe(
    tap((passedMs) => onWaiting(`after ${passedMs / 1_000} s MongoDB at ${members.hosts} ${said()}`)),
    ignoreElements(),
  );
  const stopped = unused.pipe(switchMap(() => throwError(() => new NotRunningError('the store was stopped before it had started'))));
  return firstValueFrom(merge(work, reminded, stopped));
}

/** How much time has passed, now and then. */
export function reminders({ scheduler }: Clock): Observable<number> {
  const after = (passedMs: number, pauseMs: number): Observable<number> => timer(pauseMs, scheduler).pipe(map(() => passedMs + pauseMs));
  return after(0, FIRST_REMINDER_MS).pipe(expand((passedMs) => after(passedMs, Math.min(passedMs, LONGEST_PAUSE_MS))));
}

/** An error of the driver at the start, as one that names the next step. */
export function explainedAtStart(error: unknown, members: Pick<Members, 'hosts' | 'reason'>): unknown {
  if (isUnreachable(error)) return unreachable(members, error);
  if (!(error instanceof MongoServerError) || error.code !== AUTHENTICATION_FAILED) return error;
  return new StoreError(
    `MongoDB at ${members.hosts} refuses the user or the password of the client (${error.message}): correct them, or \`authSource\`, in its connection string`,
    { cause: error },
  );
}

function unreachable({ hosts, reason }: Pick<Members, 'hosts' | 'reason'>, cause: unknown): DatabaseUnreachableError {
  const failure = isError(cause) && !isUncertain(cause) ? cause.message : NO_ANSWER;
  return new DatabaseUnreachableError(
    `MongoDB at ${hosts} cannot be reached: ${reason ?? failure}. See that it runs and that the connection string of the client is right, then call \`start\` again; \`connectTimeoutMs\` of \`mongoStore\` says how long it tries`,
    { cause },
  );
}

/** Whether nothing has answered: the driver found no server or lost the connection, or the name could not be looked up. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof MongoWriteConcernError) return false;
  return isUnanswered(error) || isUncertain(error) || (isError(error) && 'syscall' in error);
}

/** A command had no answer within its deadline. */
function isUncertain(error: unknown): boolean {
  return hasCode(error, 'MILLRACE_UNCERTAIN');
}
