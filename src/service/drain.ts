/** Waits before a stop until the jobs of an embedded store have ended, as far as they still can. */

import { concatMap, defer, filter, firstValueFrom, map, merge, race, take, throttle, timer } from 'rxjs';
import type { JobStore } from '../store/job-store.js';
import type { JobAccess } from './job-access.js';
import { lineOfLane, look, type WaitingReason, waitingReasons } from './waiting-reasons.js';

/** Resolves when no job is left that could still run within the time, or when the time is over. */
export async function drained({ store, clock, changes }: Pick<JobAccess, 'store' | 'clock' | 'changes'>, withinMs: number): Promise<void> {
  const untilMs = clock.now() + withinMs;
  const ends = changes({ outcomes: 'here' }).pipe(throttle(() => clock.turn(), { leading: false, trailing: true }));
  const over = merge(
    defer(() => clock.turn()),
    ends,
  ).pipe(
    concatMap(() => mayGoOn(store, untilMs)),
    filter((goesOn) => !goesOn),
    take(1),
  );
  const late = timer(withinMs, clock.scheduler).pipe(map(() => false));
  await firstValueFrom(race(over, late), { defaultValue: false });
}

/**
 * Whether a job runs, will be due in time, or waits for nothing that keeps it for good. All others wait for such a job, or for an event
 * that never comes.
 */
async function mayGoOn(store: JobStore, untilMs: number): Promise<boolean> {
  const begun = await store.find({ statuses: ['active', 'assigned', 'scheduled'] });
  const moves = begun.some(({ state: { status, waitsFor, dueAt } }) =>
    status === 'scheduled' ? dueAt !== undefined && dueAt.getTime() <= untilMs : waitsFor === undefined,
  );
  if (moves) return true;
  const lines = (await store.insight.lanes()).map(lineOfLane);
  if (lines.length === 0) return false;
  const sight = await look(store, lines);
  return lines.some((line) => !waitingReasons(line, sight).some(isForGood));
}

/** Whether the jobs cannot run until an operator acts. */
function isForGood({ because }: WaitingReason): boolean {
  return because === 'paused' || because === 'no-dispatcher-accepts' || because === 'quota-too-small';
}
