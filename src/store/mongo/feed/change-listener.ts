/** Listens to the changes of other processes by one change stream that is filtered on the server; a lost hint costs time, never a job. */

import { type Document, ObjectId } from 'mongodb';
import { type Subscription, timer } from 'rxjs';
import { is } from '../../../check.js';
import type { Clock } from '../../../clock.js';
import { isLane } from '../../../job/lane.js';
import { type Expression, literal, type Stage } from '../driver/expression.js';
import { ResumableStream } from '../driver/resumable-stream.js';
import type { Collections } from '../schema/collections.js';
import { damagesOf, isRecord } from '../schema/damage.js';
import type { QuotaDocument } from '../schema/documents.js';
import { QUOTA_RULES } from '../schema/other-damage.js';

/** How long those are gathered that are to be followed before the stream is opened anew with them. */
const GATHER_MS = 50;
/** More jobs than these are looked at by polling alone. */
const MAX_FOLLOWED = 1_000;

/** An event of the stream, in one shape for all kinds of writes. */
export interface ChangeEvent {
  readonly collection: string;
  readonly id: unknown;
  /** The whole document of a quota, where the event has it. */
  readonly quota: QuotaDocument | undefined;
  readonly revision: number | undefined;
  readonly isInsert: boolean;
  readonly queuedBy: string | undefined;
  readonly isStaged: boolean;
  /** This process has to see to it now that it is committed. */
  readonly isLate: boolean;
  readonly pendingSignal: string | undefined;
  readonly dueAt: Date | undefined;
  readonly pendingBeginBy: Date | undefined;
  /** Its cancellation was asked for. */
  readonly isCancelled: boolean;
  readonly cancelOwner: string | undefined;
  readonly cancelReason: string | undefined;
  readonly notifyProcess: string | undefined;
}

/** The sound part of an event. Damaged fields are left out; the next read of the document finds them. */
function heardIn(event: Document): ChangeEvent {
  const text = (field: string): string | undefined => (typeof event[field] === 'string' ? event[field] : undefined);
  const date = (field: string): Date | undefined => (is.date.holds(event[field]) ? event[field] : undefined);
  const quota =
    isRecord(event['quota']) && damagesOf(event['quota'], QUOTA_RULES).length === 0
      ? (event['quota'] as unknown as QuotaDocument)
      : undefined;
  return {
    collection: String(event['collection']),
    id: event['id'],
    quota,
    revision: Number.isSafeInteger(event['revision']) ? event['revision'] : undefined,
    isInsert: event['isInsert'] === true,
    queuedBy: text('queuedBy'),
    isStaged: event['isStaged'] === true,
    isLate: event['isLate'] === true,
    pendingSignal: isLane(event['pendingSignal']) ? event['pendingSignal'] : undefined,
    dueAt: date('dueAt'),
    pendingBeginBy: date('pendingBeginBy'),
    isCancelled: event['isCancelled'] === true,
    cancelOwner: text('cancelOwner'),
    cancelReason: text('cancelReason'),
    notifyProcess: text('notifyProcess'),
  };
}

export interface ChangeListenerSources {
  readonly collections: Collections;
  readonly clock: Clock;
  /** The listener passes on the ends of jobs for which this process waits. */
  readonly process: string;
  readonly onHeard: (heard: ChangeEvent) => void;
  /** The stream has been opened: earlier events may have been missed. */
  readonly onOpened: () => void;
}

export class ChangeListener {
  readonly #stream: ResumableStream;
  #isOpen = false;
  readonly #followed = new Set<string>();
  /** Those of them that the open stream reports. */
  #listed: readonly string[] = [];
  #gathering: Subscription | undefined;

  constructor(private readonly sources: ChangeListenerSources) {
    const { clock, collections, onHeard, onOpened } = sources;
    this.#stream = new ResumableStream({
      clock,
      watch: (options) => {
        this.#listed = [...this.#followed];
        return collections.database.watch([...this.#pipeline(this.#listed)], options);
      },
      onEvent: (event) => onHeard(heardIn(event)),
      onOpened,
    });
  }

  /** Listens, if it does not yet. */
  open(): void {
    this.#isOpen = true;
    this.#stream.open();
  }

  /** From now on the stream has every change of this job, whichever process queued it. */
  follow(id: string): void {
    if (this.#followed.size >= MAX_FOLLOWED || this.#followed.has(id)) return;
    this.#followed.add(id);
    if (!this.#isOpen || this.#listed.includes(id)) return;
    this.#gathering ??= timer(GATHER_MS, this.sources.clock.scheduler).subscribe(() => {
      this.#gathering = undefined;
      this.#stream.renew();
    });
  }

  unfollow(id: string): void {
    this.#followed.delete(id);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#gathering?.unsubscribe();
    await this.#stream.close();
  }

  #pipeline(followed: readonly string[]): readonly Stage[] {
    const { control, jobs, notes, quotas } = this.sources.collections;
    const of = (field: string): Expression => ({ $ifNull: [`$updateDescription.updatedFields.${field}`, `$fullDocument.${field}`] });
    const has = (field: string) => [
      { [`fullDocument.${field}`]: { $exists: true } },
      { [`updateDescription.updatedFields.${field}`]: { $exists: true } },
    ];
    const { process } = this.sources;
    const ends = [{ 'fullDocument.notifyProcess': process }, { 'updateDescription.updatedFields.notifyProcess': process }];
    const late = { operationType: 'insert', 'fullDocument.isStaged': true, 'fullDocument.owner': process };
    const ids = followed.length === 0 ? [] : [{ 'documentKey._id': { $in: followed.map((id) => new ObjectId(id)) } }];
    const worth = [...has('pendingSignal'), ...has('dueAt'), ...has('cancel'), ...ends, late, ...ids];
    return [
      {
        $match: {
          $or: [
            { 'ns.coll': { $in: [quotas.collectionName, control.collectionName] } },
            { 'ns.coll': jobs.collectionName, $or: worth },
            ...ids.map((one) => ({ 'ns.coll': notes.collectionName, ...one })),
            { operationType: 'invalidate' },
          ],
        },
      },
      {
        $project: {
          operationType: 1,
          collection: '$ns.coll',
          id: '$documentKey._id',
          quota: { $cond: [{ $eq: ['$ns.coll', literal(quotas.collectionName)] }, '$fullDocument', '$$REMOVE'] },
          revision: of('revision'),
          isInsert: { $eq: ['$operationType', 'insert'] },
          queuedBy: '$fullDocument.queuedBy',
          isStaged: { $eq: ['$fullDocument.isStaged', true] },
          isLate: { $and: [{ $eq: ['$fullDocument.isStaged', true] }, { $eq: ['$fullDocument.owner', literal(process)] }] },
          pendingSignal: of('pendingSignal'),
          dueAt: of('dueAt'),
          pendingBeginBy: of('pendingBeginBy'),
          isCancelled: { $ne: [{ $type: of('cancel') }, 'missing'] },
          cancelOwner: of('cancel.owner'),
          cancelReason: of('cancel.reason'),
          notifyProcess: of('notifyProcess'),
        },
      },
    ];
  }
}
