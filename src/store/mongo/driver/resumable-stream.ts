/** A change stream that goes on until it is closed: after a failure where it stood, or from now on where the server has lost that place. */

import type { ChangeStream, ChangeStreamOptions, Document, ResumeToken } from 'mongodb';
import { firstValueFrom, type Observable, race, type Subscription, timer } from 'rxjs';
import { type Clock, idleTimer, systemClock } from '../../../clock.js';

/** How long the server waits for an event before it answers that there is none. */
const MAX_AWAIT_MS = 10_000;
/** A stream without an answer for this time is opened anew. */
const SILENT_MS = 2 * MAX_AWAIT_MS;
/** Before a stream that failed is opened anew. */
const REOPEN_MS = 1_000;
/** Closing is not waited for any longer. */
const CLOSE_MS = 2_000;
/** InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost. */
const PLACE_LOST: ReadonlySet<unknown> = new Set([260, 280, 286]);

export interface ResumableStreamSources {
  readonly clock: Clock;
  /** The time in which the server answers, also where a test moves that of the store. @default the real time */
  readonly serverClock?: Clock;
  /** Opens it. Its filter must keep `operationType`, and let `invalidate` events pass: after one, the stream cannot resume. */
  readonly watch: (options: ChangeStreamOptions) => ChangeStream;
  readonly onEvent: (event: Document) => void;
  /** It has been opened for the first time, or after a failure: earlier events may have been missed. */
  readonly onOpened?: () => void;
}

export class ResumableStream {
  #stream: ChangeStream | undefined;
  /** Waits for an answer, or to open the stream again. */
  #waiting: Subscription | undefined;
  #isWanted = false;
  #closing: Promise<void> = Promise.resolve();

  constructor(private readonly sources: ResumableStreamSources) {}

  /** Listens, if it does not yet. */
  open(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#open(undefined, false);
  }

  /** Opens it anew where it stands, as `watch` does it now. */
  renew(): void {
    if (this.#isWanted && this.#stream !== undefined) this.#open(this.#stream.resumeToken ?? undefined, true);
  }

  async close(): Promise<void> {
    this.#isWanted = false;
    this.#drop();
    // Closing sends a command, and the driver waits for its answer as long as there is a connection.
    await firstValueFrom(race(this.#closing, timer(CLOSE_MS, this.sources.clock.scheduler)));
  }

  #open(resumeAfter: ResumeToken, isRenewal: boolean): void {
    this.#drop();
    const stream = this.sources.watch({ maxAwaitTimeMS: MAX_AWAIT_MS, ...(resumeAfter === undefined ? {} : { resumeAfter }) });
    this.#stream = stream;
    let token = resumeAfter;
    let isOpened = isRenewal && resumeAfter !== undefined;
    const isCurrent = (): boolean => this.#stream === stream;
    // It changes with every answer of the server, also with one that has no event.
    stream.on('resumeTokenChanged', (next) => {
      token = next;
      if (!isCurrent()) return;
      this.#watchSilence(() => token);
      if (!isOpened) this.sources.onOpened?.();
      isOpened = true;
    });
    stream.on('change', (event) => {
      if (!isCurrent()) return;
      if (event.operationType === 'invalidate') this.#failed(undefined);
      else this.sources.onEvent(event);
    });
    stream.on('error', (error) => {
      if (isCurrent()) this.#failed(hasLostItsPlace(error) ? undefined : token);
    });
    // For its cursor: the driver may go on with another one, or report an error; if it does neither, the store resumes the stream.
    stream.on('close', () => {
      if (isCurrent()) this.#reopenSoon(token);
    });
    this.#watchSilence(() => token);
  }

  #watchSilence(token: () => ResumeToken): void {
    const { serverClock = systemClock } = this.sources;
    this.#after(idleTimer(SILENT_MS, serverClock), () => this.#failed(token()));
  }

  #failed(resumeAfter: ResumeToken): void {
    this.#drop();
    this.#reopenSoon(resumeAfter);
  }

  #reopenSoon(resumeAfter: ResumeToken): void {
    this.#after(timer(REOPEN_MS, this.sources.clock.scheduler), () => this.#open(resumeAfter, false));
  }

  #after(pause: Observable<unknown>, act: () => void): void {
    this.#waiting?.unsubscribe();
    this.#waiting = pause.subscribe(act);
  }

  #drop(): void {
    this.#waiting?.unsubscribe();
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined) this.#closing = Promise.all([this.#closing, stream.close().catch(() => undefined)]).then(() => undefined);
  }
}

function hasLostItsPlace(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && PLACE_LOST.has(error.code);
}
