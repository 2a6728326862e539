/** Emits outcomes of all processes, from a change stream of its own that is open while somebody listens. */

import { concatMap, defer, filter, from, map, merge, Observable, retry, Subject, share, takeUntil, timer } from 'rxjs';
import type { Clock } from '../../../clock.js';
import type { JobRecord } from '../../../job/job-record.js';
import type { StoreChange } from '../../store-changes.js';
import type { Stage } from '../driver/expression.js';
import { ResumableStream } from '../driver/resumable-stream.js';
import type { Collections } from '../schema/collections.js';
import type { JobDocument } from '../schema/documents.js';

/** Before a job that could not be read is read again. */
const RETRY_MS = 1_000;
/** The number of outcomes that are remembered, so that none is reported twice. */
const REMEMBERED = 10_000;
/** An update that brings an outcome, or a whole document that has one. */
const PIPELINE: readonly Stage[] = [
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

export interface OutcomeStreamSources {
  readonly collections: Collections;
  readonly clock: Clock;
  /** Those that are recorded in this process, which are known at once. */
  readonly here: Observable<StoreChange>;
  readonly recordOf: (job: JobDocument) => Promise<JobRecord>;
}

export class OutcomeStream {
  readonly #closed = new Subject<void>();
  #closing: Promise<unknown> = Promise.resolve();
  /** Each once, to everybody who listens. */
  readonly changes: Observable<StoreChange>;

  constructor(private readonly sources: OutcomeStreamSources) {
    this.changes = defer(() => merge(sources.here, this.#everywhere()).pipe(filter(unseen()))).pipe(takeUntil(this.#closed), share());
  }

  async close(): Promise<void> {
    this.#closed.next();
    await this.#closing;
  }

  #everywhere(): Observable<StoreChange> {
    const { clock, recordOf } = this.sources;
    const delay = (): Observable<unknown> => timer(RETRY_MS, clock.scheduler);
    return this.#documents().pipe(
      concatMap((job) => defer(() => from(recordOf(job))).pipe(retry({ delay }))),
      map((record) => ({ type: 'job', record })),
    );
  }

  /** The jobs that come to have an outcome. */
  #documents(): Observable<JobDocument> {
    const { clock, collections } = this.sources;
    return new Observable((subscriber) => {
      const stream = new ResumableStream({
        clock,
        watch: (options) => collections.jobs.raw.watch([...PIPELINE], { ...options, fullDocument: 'updateLookup' }),
        onEvent: ({ fullDocument }) => {
          // One that has been removed since has no document any more.
          const job = fullDocument === undefined || fullDocument === null ? undefined : collections.jobs.view(fullDocument);
          if (job !== undefined) subscriber.next(job);
        },
      });
      stream.open();
      return () => {
        this.#closing = Promise.all([this.#closing, stream.close()]);
      };
    });
  }
}

/** Passes each outcome once: this process may know it before the stream reports it, and a stream may report it twice. */
function unseen(): (change: StoreChange) => boolean {
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
