/** Waits for the last answers of a store when everything stops, but not without end. */

import { firstValueFrom, from, map, race, timer } from 'rxjs';
import type { Clock } from '../../clock.js';

export const LAST_ANSWER_MS = 5_000;

/** @returns whether it was answered in time; rejects as the answer does */
export function isAnsweredInTime(answer: Promise<unknown>, clock: Clock): Promise<boolean> {
  const answered = from(answer).pipe(map(() => true));
  const late = timer(LAST_ANSWER_MS, clock.scheduler).pipe(map(() => false));
  return firstValueFrom(race(answered, late));
}
