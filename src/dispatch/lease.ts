/** A dispatcher's sign of life: renews its lease, and tells when it is lost. */

import { catchError, concat, defer, EMPTY, interval, map, type Observable, of, race, startWith, switchMap, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';
import type { Logger } from '../task/logger.js';
import { coalesceMap } from './coalesce-map.js';

export interface LeaseSources {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dispatcher: string;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

/** Thrown into the pipeline of a dispatcher whose lease is over; it begins anew under another id. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** Which part of a lease is kept in reserve: a dispatcher stops that long before others may take its jobs. */
const RESERVE = 1 / 6;

/**
 * Emits each time the lease has been renewed; errors with `LeaseLost` when the store says that others took
 * over, or when it could not be renewed in time and one last try failed as well.
 */
export function lease({ store, clock, logger, dispatcher, leaseMs, heartbeatMs }: LeaseSources): Observable<void> {
  const renew = defer(() => store.heartbeat(dispatcher, leaseMs));
  const beats = interval(heartbeatMs, clock.scheduler).pipe(
    startWith(0),
    coalesceMap(() => renew.pipe(catchError((error: unknown) => failed(error, logger)))),
    map(held),
  );
  const reserveMs = leaseMs * RESERVE;
  const refused = timer(reserveMs / 2, clock.scheduler).pipe(map(() => false));
  const lastTry = race(renew.pipe(catchError(() => of(false))), refused).pipe(map(held));
  /** For most of the lease it is enough to wait; then it lives by last tries. */
  const watch = (): Observable<void> =>
    timer(leaseMs - reserveMs, clock.scheduler).pipe(
      switchMap(() => lastTry),
      switchMap(renewed),
    );
  const renewed = (): Observable<void> => concat(of(undefined), defer(watch));
  return beats.pipe(switchMap(renewed));
}

function held(isHeld: boolean): void {
  if (!isHeld) throw new LeaseLost('the lease of the dispatcher is over');
}

function failed(error: unknown, logger: Logger): Observable<never> {
  logger.warn('a heartbeat failed', { error });
  return EMPTY;
}
