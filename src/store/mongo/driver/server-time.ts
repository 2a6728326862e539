/** The server's time: as an expression in its own commands, and as an estimate where one is needed here. */

import { Timestamp } from 'mongodb';
import { type Clock, elapsedMs } from '../../../clock.js';
import { MAX_DELAY_MS } from '../../../errors.js';
import type { Expression } from './expression.js';

/** An ended job is kept for at least this time: by then every process that waits for it has read it, and the jobs that it names. */
export const LEAST_KEPT_MS = 30_000;

/** How long the server's time is reckoned from one answer: clocks drift apart by about 0.1 ms a second at most. */
const KNOWN_FOR_MS = 600_000;
/** If the time of day differs from the monotonic clock by more than this, it was set, or the machine has slept. */
const JUMP_MS = 1_000;

/** A moment in this process, by the monotonic clock. */
export interface Moment {
  readonly passedMs: number;
  /** The time of day minus `passedMs`: it changes only when the clock is set, or the machine sleeps. */
  readonly setMs: number;
}

/** The server's time, reckoned from its last answer by the monotonic clock, and not by this machine's time of day. */
export class ServerTime {
  /** The server's time minus the time that has passed here; too small rather than too large. */
  #aheadMs: number;
  /** When the command that taught this was sent. */
  #knownAt: Moment;
  #ask: (() => Promise<Date>) | undefined;
  #asking: Promise<void> | undefined;

  /** @param keepMs - how long jobs that have ended are kept, unless they say so themselves */
  constructor(
    protected readonly clock: Clock,
    readonly keepMs: number,
  ) {
    this.#knownAt = this.moment;
    this.#aheadMs = this.#knownAt.setMs;
  }

  /** When the job that is written, and ends now, is removed. */
  get removal(): Expression {
    return {
      $add: [
        this.now,
        { $min: [{ $max: [{ $cond: [{ $isNumber: '$retentionMs' }, '$retentionMs', this.keepMs] }, LEAST_KEPT_MS] }, MAX_DELAY_MS] },
      ],
    };
  }

  /** When everything is removed of which this job, which ends now, is the top. */
  removalWith({ retentionMs = this.keepMs }: { readonly retentionMs?: number }): Expression {
    return this.after(Math.max(retentionMs, LEAST_KEPT_MS));
  }

  /** The time of the server while it executes the command. */
  get now(): Expression {
    return '$$NOW';
  }

  /** A number of milliseconds after the time of the server. */
  after(ms: number | `$${string}`): Expression {
    return { $add: [this.now, ms] };
  }

  /**
   * Asks the server for its time now, and from now on whenever it may be unknown again.
   * @param ask - sends a command whose answer has the time
   */
  async begin(ask: () => Promise<Date>): Promise<void> {
    this.#ask = ask;
    await this.askAgain();
  }

  /** Resolves at once while the server's time is known, else when the server has answered. */
  async sure(): Promise<void> {
    const { passedMs, setMs } = this.moment;
    const wasSet = Math.abs(setMs - this.#knownAt.setMs) > JUMP_MS;
    if (wasSet || passedMs - this.#knownAt.passedMs > KNOWN_FOR_MS) await this.askAgain();
  }

  /** Asks the server for its time, even if it is known. */
  async askAgain(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #askOnce(): Promise<void> {
    const sentAt = this.moment;
    const now = await this.#ask?.();
    if (now !== undefined) this.learn(now, sentAt);
  }

  /** Now. */
  get moment(): Moment {
    const passedMs = elapsedMs(this.clock);
    return { passedMs, setMs: this.clock.now() - passedMs };
  }

  /** Notes the server's time from an answer to a command. @param sentAt - when the command was sent */
  learn(now: Date, sentAt: Moment): void {
    const nowMs = now.getTime();
    this.#aheadMs = likelier(this.#aheadMs, { leastMs: nowMs - this.moment.passedMs, mostMs: nowMs + 1 - sentAt.passedMs });
    this.#knownAt = sentAt;
  }

  /** About the time of the server: good enough for reads, and for values that no other process compares. */
  estimate(): Date {
    return new Date(Math.floor(this.moment.passedMs + this.#aheadMs));
  }

  /** When a moment of the server's comes by the clock of this process. */
  here(moment: Date): Date {
    return new Date(Math.ceil(moment.getTime() - this.#aheadMs + this.moment.setMs));
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

/** The new estimate after another answer: the old one is kept if it is still possible. So a slow answer changes little. */
export function likelier(aheadMs: number, { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number }): number {
  return aheadMs >= leastMs && aheadMs <= mostMs ? aheadMs : leastMs;
}
