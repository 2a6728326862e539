/** Repeats a transaction that conflicts with others, until their transactions are over. */

import { MongoError } from 'mongodb';
import { firstValueFrom, timer } from 'rxjs';
import { type Clock, elapsedMs } from '../../../clock.js';
import { pauseAfterConflict } from '../../../job/conflict-rule.js';

const LONGEST_PAUSE_MS = 500;

/**
 * @throws any other error at once; the last conflict when the time is over; the reason of the signal if that is aborted after a conflict
 */
export async function retryConflicts<T>(clock: Clock, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const since = elapsedMs(clock);
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const moment = { now: elapsedMs(clock), random: Math.random(), longestPauseMs: LONGEST_PAUSE_MS };
      const pauseMs = pauseAfterConflict({ since, count }, moment);
      if (pauseMs === undefined) throw error;
      signal?.throwIfAborted();
      await firstValueFrom<unknown>(pauseMs === 0 ? clock.turn() : timer(pauseMs, clock.scheduler));
      signal?.throwIfAborted();
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof MongoError && error.hasErrorLabel('TransientTransactionError');
}
