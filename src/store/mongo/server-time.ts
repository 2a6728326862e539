/** The server's time: as an expression in its own commands, and as an estimate where one is needed here. */

import { Timestamp } from 'mongodb';
import type { Clock } from '../../clock.js';
import type { Expression } from './expression.js';

/** What has ended is kept for so long in any case: whoever waits for it, in any process, hears of it by then, and reads it with what it names. */
export const LEAST_KEPT_MS = 30_000;

export class ServerTime {
  /** How far the server's clock is ahead of ours, by its last answer. */
  #aheadMs = 0;

  /** @param keepMs - how long jobs that have ended are kept, unless they say so themselves */
  constructor(
    protected readonly clock: Clock,
    private readonly keepMs: number,
  ) {}

  /** When the job that is written, and ends now, is removed. */
  get removal(): Expression {
    return { $add: [this.now, { $max: [{ $ifNull: ['$keepMs', this.keepMs] }, LEAST_KEPT_MS] }] };
  }

  /** When everything is removed of which this job, which ends now, is the top. */
  removalWith({ keepMs = this.keepMs }: { readonly keepMs?: number }): Expression {
    return this.after(Math.max(keepMs, LEAST_KEPT_MS));
  }

  /** The time of the server while it executes the command. */
  get now(): Expression {
    return '$$NOW';
  }

  /** So long after the time of the server. */
  after(ms: number | `$${string}`): Expression {
    return { $add: [this.now, ms] };
  }

  /** The time of the server at the start; a dispatcher learns it again with each sign of life. */
  begin(now: Date): void {
    this.learn(now);
  }

  /** What the server's time is now. */
  learn(now: Date): void {
    this.#aheadMs = now.getTime() - this.clock.now();
  }

  /** About the time of the server: good for what is read, and for what no other process compares. */
  estimate(): Date {
    return new Date(this.clock.now() + this.#aheadMs);
  }

  /** When a moment of the server's comes by the clock of this process. */
  here(moment: Date): Date {
    return new Date(moment.getTime() - this.#aheadMs);
  }

  /** The place in the order of insertion: the server's cluster time, which ticks once a document. */
  get order(): Timestamp {
    return new Timestamp({ t: 0, i: 0 });
  }

  /** The place of one that is due at a time: as if it had been queued then. */
  orderAt(due: Date): Timestamp {
    const ms = due.getTime();
    return new Timestamp({ t: Math.floor(ms / 1_000), i: (ms % 1_000) + 1 });
  }
}
