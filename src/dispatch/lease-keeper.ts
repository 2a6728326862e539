/** A dispatcher's heartbeat: renews its lease, and reports when it is lost. */

import {
  catchError,
  concat,
  connect,
  defer,
  EMPTY,
  filter,
  from,
  ignoreElements,
  interval,
  map,
  merge,
  type Observable,
  of,
  race,
  Subject,
  startWith,
  switchMap,
  take,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';
import type { AgentInfo } from '../store/store-insight.js';
import type { Logger } from '../task/logger.js';
import { coalesceMap } from './coalesce-map.js';
import type { ConnectionMonitor } from './connection-monitor.js';

export interface LeaseKeeperSources {
  readonly store: Pick<JobStore, 'heartbeat'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connection: Pick<ConnectionMonitor, 'failed' | 'worked'>;
  readonly dispatcher: string;
  /** The agents of the dispatcher. */
  readonly agents: readonly AgentInfo[];
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly idleHeartbeatMs: number;
  /** Whether the dispatcher has something to do. */
  readonly isBusy: () => boolean;
}

/** Thrown into the pipeline of a dispatcher whose lease is over; it begins anew under another id. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** The store's answer to a heartbeat. */
interface Answer {
  readonly number: number;
  readonly sentAt: number;
  readonly isHeld: boolean;
}

/** Which part of a lease is kept in reserve: a dispatcher stops that long before others may take its jobs. */
const RESERVE = 1 / 6;

/**
 * The life of a lease:
 *
 *   held ──(its reserve begins, or the clock says that it is over)──► in doubt ──(a last heartbeat is answered)──► held
 *                                                                        └──(it fails, or takes too long)──► lost
 *   held or in doubt ──(the store says that others have taken over)──► lost
 *
 * A lease counts from the moment at which the heartbeat was sent that renewed it. Its reserve begins by a timer or by the clock,
 * whichever is first: on a machine that slept, or in a process that was stopped, timers come late.
 */
export class LeaseKeeper {
  readonly #reserveMs: number;
  readonly #renewed = new Subject<void>();
  /** The clock says that it is over, though no timer has. */
  readonly #expired = new Subject<void>();
  /** When its reserve begins, by the clock; unknown before the first heartbeat was answered. */
  #endsAt: number | undefined;
  #sent = 0;
  /** Which heartbeat renewed it last; the answer to an earlier one is ignored. */
  #heldBy = 0;
  #idleBeats = 0;

  constructor(private readonly sources: LeaseKeeperSources) {
    this.#reserveMs = sources.leaseMs * RESERVE;
  }

  /**
   * Emits each time it has been renewed; errors with `LeaseLost` when the store says that others took over,
   * or when it could not be renewed in time and one last try failed as well.
   */
  get renewals(): Observable<void> {
    const { clock, heartbeatMs } = this.sources;
    return interval(heartbeatMs, clock.scheduler).pipe(
      startWith(undefined),
      filter(() => this.#isBeatDue()),
      coalesceMap(() => this.#renew().pipe(catchError((error: unknown) => this.#failed(error)))),
      filter((answer) => this.#isNews(answer)),
      switchMap((answer) => (answer.isHeld ? this.#held(answer) : this.#lost())),
    );
  }

  /** Emits once: now, or if by the clock the lease is over, when it has been renewed after all. */
  confirmed(): Observable<void> {
    return defer(() => {
      if (!this.#isOver) return of(undefined);
      return merge(this.#renewed, this.#expire()).pipe(take(1));
    });
  }

  get #isOver(): boolean {
    return this.#endsAt !== undefined && this.sources.clock.now() >= this.#endsAt;
  }

  #expire(): Observable<never> {
    return defer(() => {
      this.#expired.next();
      return EMPTY;
    });
  }

  /** With every beat while there is something to do, and with only some of them otherwise. */
  #isBeatDue(): boolean {
    const { isBusy, heartbeatMs, idleHeartbeatMs } = this.sources;
    if (this.#isOver) this.#expired.next();
    if (this.#endsAt !== undefined && !isBusy() && ++this.#idleBeats < Math.floor(idleHeartbeatMs / heartbeatMs)) return false;
    this.#idleBeats = 0;
    return true;
  }

  #renew(): Observable<Answer> {
    const { store, clock, connection, dispatcher, leaseMs, agents } = this.sources;
    return defer(() => {
      const heartbeat = { number: ++this.#sent, sentAt: clock.now() };
      return from(store.heartbeat(dispatcher, leaseMs, agents)).pipe(
        tap(() => connection.worked('heartbeat')),
        map((isHeld) => ({ ...heartbeat, isHeld })),
      );
    });
  }

  #failed(error: unknown): Observable<never> {
    this.sources.connection.failed('heartbeat', error);
    this.sources.logger.warn(`a heartbeat of ${this.sources.dispatcher} failed`, { err: error });
    return EMPTY;
  }

  #isNews({ number, isHeld }: Answer): boolean {
    return !isHeld || number > this.#heldBy;
  }

  #held({ number, sentAt }: Answer): Observable<void> {
    const { clock, leaseMs } = this.sources;
    const lengthMs = leaseMs - this.#reserveMs;
    this.#heldBy = number;
    this.#endsAt = sentAt + lengthMs;
    // The clock may have been set back since.
    const leftMs = Math.min(lengthMs, Math.max(0, this.#endsAt - clock.now()));
    this.#renewed.next();
    const end = merge(timer(leftMs, clock.scheduler), this.#expired).pipe(take(1));
    return concat(of(undefined), end.pipe(switchMap(() => this.#inDoubt())));
  }

  /** One more heartbeat, for which there is only half of the reserve. */
  #inDoubt(): Observable<void> {
    const { clock, connection } = this.sources;
    const unanswered = timer(this.#reserveMs / 2, clock.scheduler).pipe(
      switchMap(() => throwError(() => new Error('a heartbeat was not answered in time'))),
    );
    return race(this.#renew(), unanswered).pipe(
      catchError((error: unknown) => {
        connection.failed('heartbeat', error);
        return this.#lost();
      }),
      switchMap((answer) => (answer.isHeld ? this.#held(answer) : this.#lost())),
    );
  }

  #lost(): Observable<never> {
    return throwError(() => new LeaseLost('the lease of the dispatcher is over'));
  }
}

/** Does the work from the first renewal of the lease on, as long as it is held; fails when it is lost. */
export function whileHeld({ renewals }: Pick<LeaseKeeper, 'renewals'>, work: Observable<void>): Observable<void> {
  return renewals.pipe(
    connect((shared) =>
      merge(
        shared.pipe(ignoreElements()),
        shared.pipe(
          take(1),
          switchMap(() => work),
        ),
      ),
    ),
  );
}
