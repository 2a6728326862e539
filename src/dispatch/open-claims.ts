/** The claims of a dispatcher that are under way: every job that they bring is passed on, or handed back. */

import { from, Observable, retry, switchMap, tap, timer } from 'rxjs';
import type { Clock } from '../clock.js';
import type { JobStore } from '../store/job-store.js';
import type { AttemptKey, ClaimedJob, ClaimRequest } from '../store/store-messages.js';
import type { Logger } from '../task/logger.js';
import type { Abort } from './attempt.js';
import type { ConnectionMonitor } from './connection-monitor.js';
import { cancelled, type JobRunner } from './job-runner.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { SettlementWriter } from './settlement-writer.js';

export interface OpenClaimsSources {
  readonly store: Pick<JobStore, 'claim'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settlementWriter: SettlementWriter;
  readonly jobRunner: JobRunner;
  readonly connection: ConnectionMonitor;
  /** The name of the dispatcher. */
  readonly name: string;
}

/** Before a claim that failed is tried again. */
const RETRY_MS = 1_000;

export class OpenClaims {
  readonly #open = new Set<Promise<void>>();
  /** Cancellations of jobs that are not in hand, for as long as a claim may still bring these. */
  readonly #cancelledBefore = new Map<string, { readonly reason: string | undefined }>();
  #claimed = 0;

  constructor(private readonly sources: OpenClaimsSources) {}

  /** How many jobs have been claimed. */
  get claimed(): number {
    return this.#claimed;
  }

  get areAnswered(): boolean {
    return this.#open.size === 0;
  }

  /** Resolves when every claim that is under way now has been answered. */
  async answered(): Promise<void> {
    await Promise.all(this.#open);
  }

  /** Claims jobs once the lease is confirmed. Jobs of an answer that comes after the unsubscription are handed back. */
  claim(request: ClaimRequest, lease: LeaseKeeper): Observable<readonly ClaimedJob[]> {
    const { clock, logger, name, connection } = this.sources;
    const delay = (error: unknown): Observable<unknown> => {
      logger.error(`a claim of dispatcher ${name} failed; trying again in ${RETRY_MS} ms`, { err: error });
      connection.failed(contactOf(request), error);
      return timer(RETRY_MS, clock.scheduler);
    };
    return lease.confirmed().pipe(
      switchMap(() => this.#once(request)),
      retry({ delay }),
    );
  }

  #once(request: ClaimRequest): Observable<readonly ClaimedJob[]> {
    const { store, connection } = this.sources;
    return new Observable((subscriber) => {
      const answered = async (): Promise<void> => {
        const claimed = await store.claim(request);
        connection.worked(contactOf(request));
        this.#claimed += claimed.length;
        if (subscriber.closed) return this.#handBack(claimed.map(({ job: { id }, attempt: { token } }) => ({ id, token })));
        subscriber.next(claimed);
        subscriber.complete();
      };
      // Not at once: the store may emit a cancellation of these jobs before it has answered, and then this counts as under way.
      const claiming = Promise.resolve()
        .then(answered)
        .catch((error: unknown) => subscriber.error(error))
        .finally(() => {
          this.#open.delete(claiming);
          if (this.areAnswered) this.#cancelledBefore.clear();
        });
      this.#open.add(claiming);
    });
  }

  /** Cancels a job that runs here. A cancellation that overtakes the answer of the claim is kept until then. */
  cancel(id: string, reason: string | undefined): void {
    if (!this.sources.jobRunner.cancel(id, reason) && !this.areAnswered) this.#cancelledBefore.set(id, { reason });
  }

  /** Why a job that a claim has just brought ends before it begins, if it does. */
  endBefore(job: ClaimedJob): Abort | undefined {
    const before = this.#cancelledBefore.get(job.job.id);
    return before === undefined ? undefined : cancelled(job.job, before.reason);
  }

  /**
   * Releases the attempts that the store counts as running here, but that are not in hand: their claim failed or was lost, so they have
   * not begun. Only a claim that is under way may still bring them, so these are awaited first.
   */
  compare(running: readonly AttemptKey[]): Observable<unknown> {
    return from(this.answered()).pipe(
      tap(() => {
        const { jobRunner, settlementWriter } = this.sources;
        const inHand = new Set([...jobRunner.running, ...settlementWriter.writing].map(({ id }) => id));
        void this.#handBack(running.filter(({ id }) => !inHand.has(id)));
      }),
    );
  }

  /** Jobs that have not begun. */
  async #handBack(attempts: readonly AttemptKey[]): Promise<void> {
    const { settlementWriter } = this.sources;
    await Promise.all(attempts.map(({ id, token }) => settlementWriter.release({ id, token, hasBegun: false })));
  }
}

/** The name of this kind of claim, for the monitor of the connection. */
function contactOf({ queue }: ClaimRequest): string {
  return `claim ${queue}`;
}
