/** A change stream as a cursor's source: reads the oplog as far as it is told, and yields what its pipeline lets through. */

import type { BatchSource } from '../commands/cursors.js';
import type { Change } from '../oplog/oplog.js';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import { identical } from '../values/identical.js';
import type { Doc } from '../values/value.js';
import { type EventOptions, eventOf, invalidateEvent } from './change-event.js';
import { encodeToken, highWaterToken, type Place } from './resume-token.js';

/** The collections that a stream watches. */
export interface Scope {
  /** Undefined for the whole deployment. */
  readonly database: string | undefined;
  readonly collection: string | undefined;
}

export interface StreamSpec {
  readonly scope: Scope;
  readonly from: Place;
  readonly options: EventOptions;
  /** The stages after `$changeStream`. */
  readonly pipeline: (events: Iterable<Doc>) => Iterable<Doc>;
}

/** The place within a time once everything at it has been read. */
const ALL_READ = Number.MAX_SAFE_INTEGER;

const SYSTEM_DATABASES = ['admin', 'config', 'local'];

export class ChangeStream implements BatchSource {
  readonly isAwaiting = true;
  readonly #server: Server;
  readonly #spec: StreamSpec;
  readonly #queue: Doc[] = [];
  #place: Place;
  #isOver = false;
  #token: Doc;
  /** The error while it looked for changes; the next call for an event throws it. */
  #failure: unknown;

  constructor(server: Server, spec: StreamSpec) {
    this.#server = server;
    this.#spec = spec;
    this.#place = spec.from;
    this.#token = encodeToken(spec.from);
    this.#repeatInvalidate(spec.from);
  }

  /** A stream that resumes after the change that ended it is told again that it has ended. */
  #repeatInvalidate({ at, place, isInvalidate }: Place): void {
    if (place < 0 || isInvalidate) return;
    const change = this.#server.oplog.after(at, place - 1);
    if (change?.at === at && change.place === place && this.#isInScope(change) && this.#ends(change)) this.#end(change);
  }

  peek(): Doc | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    this.#read();
    return this.#queue[0];
  }

  take(): void {
    const event = this.#queue.shift();
    if (event !== undefined) this.#token = event['_id'] as Doc;
  }

  hasNews(): boolean {
    if (this.#isOver || this.#queue.length > 0) return true;
    try {
      this.#read();
    } catch (error) {
      this.#failure = error;
    }
    return this.#failure !== undefined || this.#queue.length > 0;
  }

  isExhausted(): boolean {
    return this.#isOver && this.#queue.length === 0;
  }

  extra(): Doc {
    const hasReadAll = this.#queue.length === 0 && !this.#isOver && this.#place.place === ALL_READ;
    if (hasReadAll) this.#token = highWaterToken(this.#place.at);
    return { postBatchResumeToken: this.#token };
  }

  #isLost(): boolean {
    return !this.#server.oplog.remembersAfter(this.#place.at);
  }

  /** Reads on until something is let through, or everything that is told has been read. */
  #read(): void {
    if (this.#isOver || this.#queue.length > 0 || this.#server.changeEvents.isDelaying) return;
    if (this.#isLost())
      throw new ServerError(
        'ChangeStreamHistoryLost',
        'Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
      );
    const { oplog, history } = this.#server;
    while (this.#queue.length === 0 && !this.#isOver) {
      const change = oplog.after(this.#place.at, this.#place.place);
      if (change === undefined || change.at > history.told) break;
      this.#place = { at: change.at, place: change.place, isInvalidate: false };
      if (this.#isInScope(change)) this.#see(change);
    }
    if (this.#queue.length === 0 && !this.#isOver && history.told >= this.#place.at) {
      this.#place = { at: history.told, place: ALL_READ, isInvalidate: false };
    }
  }

  #isInScope({ kind, database, collection }: Change): boolean {
    const { scope, options } = this.#spec;
    if (kind === 'create' && !options.isExpanded) return false;
    if (scope.database === undefined) return !SYSTEM_DATABASES.includes(database);
    if (scope.database !== database) return false;
    return scope.collection === undefined || (kind !== 'dropDatabase' && scope.collection === collection);
  }

  #see(change: Change): void {
    const event = eventOf(change, this.#spec.options);
    for (const result of this.#spec.pipeline([event])) {
      if (!identical(result['_id'], event['_id'])) {
        throw new ServerError(
          'ChangeStreamFatalError',
          'Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the _id field of an event makes it impossible to resume the stream from that point. Only transformations that retain the unmodified _id field are allowed.',
        );
      }
      for (let copies = this.#server.changeEvents.copies(); copies > 0; copies--) this.#queue.push(result);
    }
    if (this.#ends(change)) this.#end(change);
  }

  #ends({ kind }: Change): boolean {
    const { database, collection } = this.#spec.scope;
    if (collection !== undefined) return kind === 'drop' || kind === 'rename';
    return database !== undefined && kind === 'dropDatabase';
  }

  #end(change: Change): void {
    this.#isOver = true;
    this.#queue.push(...this.#spec.pipeline([invalidateEvent(change)]));
  }
}
