/** Tells of outcomes wherever they are recorded: by a change stream of its own, which is open while somebody listens. */

import type { ChangeStream, ChangeStreamOptions, Document, ResumeToken } from 'mongodb';
import { concatMap, defer, filter, from, map, merge, Observable, retry, Subject, type Subscription, share, takeUntil, timer } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { JobRecord } from '../../job/job-record.js';
import type { Change } from '../job-store.js';
import type { Collections } from './collections.js';
import type { JobDocument } from './documents.js';

/** How long the server waits for an event before it answers that there is none. */
const MAX_AWAIT_MS = 10_000;
/** A stream that has not been answered for so long is opened anew. */
const SILENT_MS = 2 * MAX_AWAIT_MS;
/** Before a stream that failed is opened anew, or a job that could not be read is read again. */
const RETRY_MS = 1_000;
/** So many outcomes are remembered, in order to tell none twice. */
const REMEMBERED = 10_000;
/** The server does not have any more what came after the place at which the stream stood. */
const HISTORY_LOST: ReadonlySet<unknown> = new Set([280, 286]);

/** An update that brings an outcome, or a whole document that has one. */
const PIPELINE: Document[] = [
  {
    $match: {
      $or: [
        { operationType: 'update', 'updateDescription.updatedFields.outcome': { $exists: true } },
        { operationType: { $in: ['insert', 'replace'] }, 'fullDocument.outcome': { $exists: true } },
        { operationType: 'invalidate' },
      ],
    },
  },
];

export interface OutcomesSources {
  readonly collections: Collections;
  readonly clock: Clock;
  /** Those that are recorded in this process, which are known at once. */
  readonly here: Observable<Change>;
  readonly recordOf: (job: JobDocument) => Promise<JobRecord>;
}

export class Outcomes {
  readonly #closed = new Subject<void>();
  #closing: Promise<unknown> = Promise.resolve();
  /** Each once, to everybody who listens. */
  readonly changes: Observable<Change>;

  constructor(private readonly sources: OutcomesSources) {
    this.changes = defer(() => merge(sources.here, this.#everywhere()).pipe(filter(unseen()))).pipe(takeUntil(this.#closed), share());
  }

  async close(): Promise<void> {
    this.#closed.next();
    await this.#closing;
  }

  #everywhere(): Observable<Change> {
    const { collections, clock, recordOf } = this.sources;
    const delay = (): Observable<unknown> => timer(RETRY_MS, clock.scheduler);
    const onClose = (closing: Promise<unknown>): void => {
      this.#closing = Promise.all([this.#closing, closing]);
    };
    return documents({ collections, clock, onClose }).pipe(
      concatMap((job) => defer(() => from(recordOf(job))).pipe(retry({ delay }))),
      map((record) => ({ type: 'job', record })),
    );
  }
}

interface StreamSources extends Pick<OutcomesSources, 'collections' | 'clock'> {
  readonly onClose: (closing: Promise<unknown>) => void;
}

/** The jobs that come to have an outcome; goes on after a failure where it stood, or from now on where that is not possible. */
function documents({ collections, clock, onClose }: StreamSources): Observable<JobDocument> {
  const { jobs } = collections;
  return new Observable((subscriber) => {
    let stream: ChangeStream | undefined;
    let later: Subscription | undefined;
    const leave = (): void => {
      later?.unsubscribe();
      const left = stream;
      stream = undefined;
      if (left !== undefined) onClose(left.close().catch(() => undefined));
    };
    const failed = (resumeAfter: ResumeToken | undefined): void => {
      leave();
      later = timer(RETRY_MS, clock.scheduler).subscribe(() => open(resumeAfter));
    };
    const open = (resumeAfter: ResumeToken | undefined): void => {
      const options: ChangeStreamOptions = { fullDocument: 'updateLookup', maxAwaitTimeMS: MAX_AWAIT_MS };
      const opened: ChangeStream = jobs.raw.watch(PIPELINE, resumeAfter === undefined ? options : { ...options, resumeAfter });
      stream = opened;
      let token: ResumeToken = resumeAfter;
      const isCurrent = (): boolean => stream === opened;
      const isAnswered = (): void => {
        later?.unsubscribe();
        later = timer(SILENT_MS, clock.scheduler).subscribe(() => failed(token));
      };
      opened.on('resumeTokenChanged', (next) => {
        token = next;
        if (isCurrent()) isAnswered();
      });
      opened.on('change', (event) => {
        if (!isCurrent()) return;
        if (event.operationType === 'invalidate') return failed(undefined);
        const job = 'fullDocument' in event ? event.fullDocument : undefined;
        if (job !== undefined && job !== null) subscriber.next(job as JobDocument);
      });
      opened.on('error', (error) => isCurrent() && failed(isHistoryLost(error) ? undefined : token));
      opened.on('close', () => isCurrent() && failed(token));
      isAnswered();
    };
    open(undefined);
    return leave;
  });
}

function isHistoryLost(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && HISTORY_LOST.has(error.code);
}

/** Passes each outcome once: here it may be known before the stream tells of it, and a stream may tell twice. */
function unseen(): (change: Change) => boolean {
  const seen = new Set<string>();
  return (change) => {
    if (change.type !== 'job') return false;
    const { job, state } = change.record;
    const key = `${job.id} ${state.token ?? ''}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const [oldest] = seen;
    if (seen.size > REMEMBERED && oldest !== undefined) seen.delete(oldest);
    return true;
  };
}
