/** Hears of what other processes did, by one change stream that is filtered on the server; a hint that is lost costs time, never a job. */

import { type ChangeStream, type Document, ObjectId, type ResumeToken } from 'mongodb';
import { type Subscription, timer } from 'rxjs';
import type { Clock } from '../../clock.js';
import type { Collections } from './collections.js';
import type { QuotaDocument } from './documents.js';

/** How long the server waits for an event before it answers that there is none. */
const MAX_AWAIT_MS = 10_000;
/** A stream that has not been answered for so long is closed and opened anew. */
const SILENT_MS = 2 * MAX_AWAIT_MS;
/** Before a stream that failed is opened anew. */
const REOPEN_MS = 1_000;

/** How long those are gathered that are to be followed before the stream is opened anew with them. */
const GATHER_MS = 50;
/** More jobs than these are looked at by polling alone. */
const MAX_FOLLOWED = 1_000;

/** What the stream tells, of whichever kind of write it came from. */
export interface Heard {
  readonly collection: string;
  readonly id: unknown;
  /** The whole document of a quota, where the event has it. */
  readonly quota: QuotaDocument | undefined;
  readonly rev: number | undefined;
  readonly isInsert: boolean;
  readonly origin: string | undefined;
  readonly isStaged: boolean;
  /** A callback, for a job whose work was over, that this process has to release now that it is committed. */
  readonly isLate: boolean;
  readonly bell: string | undefined;
  readonly dueAt: Date | undefined;
  readonly startBy: Date | undefined;
  readonly cancelOwner: string | undefined;
  readonly cancelReason: string | undefined;
  readonly told: string | undefined;
}

export interface WatchSources {
  readonly collections: Collections;
  readonly clock: Clock;
  /** Those who wait in this process are told of ends by it. */
  readonly process: string;
  readonly onHeard: (heard: Heard) => void;
  /** The stream has been opened: what happened before may have been missed. */
  readonly onOpened: () => void;
  /** It failed, and will be opened anew. */
  readonly onFailed: (error: unknown) => void;
}

export class Watch {
  #stream: ChangeStream | undefined;
  #wanted = false;
  readonly #followed = new Set<string>();
  /** Those of them that the open stream tells of. */
  #listed: readonly string[] = [];
  #gathering: Subscription | undefined;
  #reopening: Subscription | undefined;
  #silence: Subscription | undefined;
  #closing: Promise<void> = Promise.resolve();

  constructor(private readonly sources: WatchSources) {}

  /** Listens, if it does not yet. */
  open(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#open();
  }

  /** From now on every change of this job is heard of, whoever queued it. */
  follow(id: string): void {
    if (this.#followed.size >= MAX_FOLLOWED || this.#followed.has(id)) return;
    this.#followed.add(id);
    if (!this.#wanted || this.#listed.includes(id)) return;
    this.#gathering ??= timer(GATHER_MS, this.sources.clock.scheduler).subscribe(() => {
      this.#gathering = undefined;
      this.#reopen();
    });
  }

  unfollow(id: string): void {
    this.#followed.delete(id);
  }

  async close(): Promise<void> {
    this.#wanted = false;
    this.#reopening?.unsubscribe();
    this.#gathering?.unsubscribe();
    this.#drop();
    await this.#closing;
  }

  #open(resumeAfter?: ResumeToken): void {
    const { database } = this.sources.collections;
    this.#reopening?.unsubscribe();
    this.#drop();
    this.#listed = [...this.#followed];
    const options = { maxAwaitTimeMS: MAX_AWAIT_MS, ...(resumeAfter === undefined ? {} : { resumeAfter }) };
    const stream = database.watch(this.#pipeline(this.#listed), options);
    this.#stream = stream;
    let isOpened = resumeAfter !== undefined;
    const isCurrent = (): boolean => this.#stream === stream;
    // The token changes with every answer of the server, also with one that has no event.
    stream.on('resumeTokenChanged', () => {
      if (!isCurrent()) return;
      this.#watchSilence();
      if (!isOpened) this.sources.onOpened();
      isOpened = true;
    });
    stream.on('change', (event) => {
      if (isCurrent()) this.sources.onHeard(event as unknown as Heard);
    });
    stream.on('error', (error) => {
      if (isCurrent()) this.#failed(error);
    });
    stream.on('close', () => {
      if (isCurrent()) this.#failed(new Error('the change stream was closed'));
    });
    this.#watchSilence();
  }

  /** Opens it anew where it stands, with the jobs that are followed now. */
  #reopen(): void {
    if (this.#wanted) this.#open(this.#stream?.resumeToken);
  }

  #watchSilence(): void {
    this.#silence?.unsubscribe();
    this.#silence = timer(SILENT_MS, this.sources.clock.scheduler).subscribe(() =>
      this.#failed(new Error(`the change stream has not been answered for ${SILENT_MS} ms`)),
    );
  }

  #failed(error: unknown): void {
    this.#drop();
    if (!this.#wanted) return;
    this.sources.onFailed(error);
    this.#reopening = timer(REOPEN_MS, this.sources.clock.scheduler).subscribe(() => this.#open());
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#silence?.unsubscribe();
    if (stream !== undefined) this.#closing = Promise.all([this.#closing, stream.close().catch(() => undefined)]).then(() => undefined);
  }

  #pipeline(followed: readonly string[]): Document[] {
    const { jobs, quotas } = this.sources.collections;
    const of = (field: string) => ({ $ifNull: [`$updateDescription.updatedFields.${field}`, `$fullDocument.${field}`] });
    const has = (field: string) => [
      { [`fullDocument.${field}`]: { $exists: true } },
      { [`updateDescription.updatedFields.${field}`]: { $exists: true } },
    ];
    const told = [{ 'fullDocument.told': this.sources.process }, { 'updateDescription.updatedFields.told': this.sources.process }];
    const late = { operationType: 'insert', 'fullDocument.isStaged': true, 'fullDocument.owner': this.sources.process };
    const ids = followed.length === 0 ? [] : [{ 'documentKey._id': { $in: followed.map((id) => new ObjectId(id)) } }];
    const worth = [...has('bell'), ...has('dueAt'), ...has('cancel'), ...told, late, ...ids];
    return [
      {
        $match: {
          $or: [{ 'ns.coll': quotas.collectionName }, { 'ns.coll': jobs.collectionName, $or: worth }],
        },
      },
      {
        $project: {
          collection: '$ns.coll',
          id: '$documentKey._id',
          quota: { $cond: [{ $eq: ['$ns.coll', quotas.collectionName] }, '$fullDocument', '$$REMOVE'] },
          rev: of('rev'),
          isInsert: { $eq: ['$operationType', 'insert'] },
          origin: '$fullDocument.origin',
          isStaged: { $eq: ['$fullDocument.isStaged', true] },
          isLate: { $and: [{ $eq: ['$fullDocument.isStaged', true] }, { $eq: ['$fullDocument.owner', this.sources.process] }] },
          bell: of('bell'),
          dueAt: of('dueAt'),
          startBy: of('startBy'),
          cancelOwner: of('cancel.owner'),
          cancelReason: of('cancel.reason'),
          told: of('told'),
        },
      },
    ];
  }
}
