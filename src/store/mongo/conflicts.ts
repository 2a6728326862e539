/** Tries a transaction again that others have made impossible for now: at once while they may soon be through, then less and less often. */

import { MongoError } from 'mongodb';
import { firstValueFrom, type Observable, timer } from 'rxjs';
import type { Clock } from '../../clock.js';

/** As the driver would; a server takes back within half of that what somebody left open who is gone, unless it is configured otherwise. */
const FOR_MS = 120_000;
/** Another transaction that goes on is through after a few commands. */
const TRIES_AT_ONCE = 10;
const FIRST_PAUSE_MS = 5;
const GROWTH = 1.5;
const LONGEST_PAUSE_MS = 500;

/** @throws what is no conflict, or the last one when the time for them is over */
export async function outlastConflicts<T>(clock: Clock, attempt: () => Promise<T>): Promise<T> {
  const until = clock.now() + FOR_MS;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error) || clock.now() >= until) throw error;
      await firstValueFrom(pauseAfter(tries, clock));
    }
  }
}

/** Of random length, so that those who met once do not meet each time. */
function pauseAfter(tries: number, clock: Clock): Observable<unknown> {
  if (tries <= TRIES_AT_ONCE) return clock.turn();
  const longestMs = Math.min(FIRST_PAUSE_MS * GROWTH ** (tries - TRIES_AT_ONCE), LONGEST_PAUSE_MS);
  return timer(Math.ceil(Math.random() * longestMs), clock.scheduler);
}

function isTransient(error: unknown): boolean {
  return error instanceof MongoError && error.hasErrorLabel('TransientTransactionError');
}
