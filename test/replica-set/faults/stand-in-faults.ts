/** The faults of the stand-in that a test can cause and a client cannot. */

import type { Document } from 'mongodb';

/** A command that arrived and was put aside. */
export interface HeldBack {
  /** Resolves when such a command has arrived and waits. */
  readonly arrived: Promise<void>;
  /** Applies it now, whether its client still listens or gave up long ago; resolves when it is applied. */
  apply(): Promise<void>;
}

/** Faults of change streams: `delay` holds events until they are released, `repeat` and `drop` concern a number of the next events. */
export interface ChangeEventFaults {
  delay(): void;
  release(): void;
  repeat(times: number): void;
  drop(times: number): void;
  /** While true, every update is told as a replacement, as MongoDB 4.4 tells those by pipelines. */
  tellsWhole: boolean;
}

/** The fault of a command: it is refused, or its connection is closed, before it is applied or after; or it waits before it is applied. */
export type Interception = 'refuse' | 'close' | 'lose answer' | Promise<void> | undefined;

export interface StandInFaults {
  /** Asked about each command that arrives, with its body and its client's `appName`; nothing happens to those of which it says nothing. */
  intercept: ((command: Document, appName: string | undefined) => Interception) | undefined;
  /** From now on nothing becomes majority-committed. */
  holdMajority(): void;
  /** Everything applied is majority-committed again. */
  releaseMajority(): void;
  /** The primary steps down, what was not majority-committed is rolled back, and a new primary is elected. */
  stepDown(): void;
  /** The next `times` of these commands are applied, and their connection is closed instead of an answer. */
  loseAnswer(command: string, times?: number): void;
  /** The next such command is put aside on arrival. */
  holdBack(command: string): HeldBack;
  /** Connections stay open and no command is answered or applied; new connections get no answer either. */
  freeze(): void;
  /** Serves again, beginning with what arrived meanwhile. */
  thaw(): void;
  /** Forgets the oplog up to now, so that streams can't resume from before. */
  cutOplog(): void;
  readonly changeEvents: ChangeEventFaults;
  /** How far the server's clock is off, in milliseconds. */
  clockOffsetMs: number;
  /** While true, a transaction's snapshot lies at the majority point, unless its session has seen later. */
  oldSnapshots: boolean;
  /** Runs the TTL monitor once, and says how many documents it deleted. */
  sweepTtl(): number;
  /** How many of each command arrived, by name, since the start or the last reset. */
  commandCounts(): Readonly<Record<string, number>>;
  resetCommandCounts(): void;
  /** Client connections that are open now. */
  openConnections(): number;
}
