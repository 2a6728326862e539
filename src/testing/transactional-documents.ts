/** Documents beside the jobs of a memory store, in the same transactions: for tests of transactional tasks without a database. */

import { checkOption, is } from '../check.js';
import { ConflictError, OptionError } from '../errors.js';
import type { DocumentSource } from '../job/document-source.js';
import type { Session } from '../job/register.js';
import type { StoreSession } from '../store/job-store.js';
import { MemorySession, type Participant } from '../store/memory/memory-session.js';

/** A document that structured clone can copy. */
export interface PlainDocument {
  readonly _id: string;
}

/** Copies go in and come out. Without a session each call is a transaction of its own. */
export interface DocumentCollection<D extends PlainDocument> {
  /** In a session as it was at the session's first read, with the session's own writes since. */
  get(id: string, session?: Session | StoreSession): Promise<D | undefined>;
  /** All of them, in the order in which they were first put. */
  all(session?: Session | StoreSession): Promise<readonly D[]>;
  /**
   * Puts a document in, or in place of the one that has its `_id`.
   * @throws ConflictError where another transaction has changed it meanwhile
   */
  put(document: D, session?: Session | StoreSession): Promise<void>;
  /** Removes a document, if it is there. @throws as `put` does */
  delete(id: string, session?: Session | StoreSession): Promise<void>;
}

/** As a `DocumentSource` it loads the documents that arguments refer to. */
export interface TransactionalDocuments extends DocumentSource {
  collection<D extends PlainDocument>(name: string): DocumentCollection<D>;
}

/**
 * Makes an empty document store whose transactions are those of memory stores: `currentTask().session` in a transactional task,
 * the session of `async.transaction`, or one of `memoryStore().startSession()`. Of two transactions that write the same document the first
 * that commits wins, and the other is aborted, as MongoDB would abort it.
 * @example
 * const accounts = transactionalDocuments().collection<Account>('accounts');
 * const pay = task('pay', { transactional: true }, async (id: string, amount: number) => {
 *   const { session } = currentTask();
 *   const account = await accounts.get(id, session);
 *   if (account !== undefined) await accounts.put({ ...account, balance: account.balance - amount }, session);
 * });
 */
export function transactionalDocuments(): TransactionalDocuments {
  const documents = new Documents();
  return {
    collection: <D extends PlainDocument>(name: string) => new Collection<D>(documents, name),
    load: ({ collection, id, session }) => new Collection(documents, collection).get(String(id), session),
  };
}

/** Immutable: a reader sees the documents of that moment. */
type State = ReadonlyMap<string, PlainDocument>;

/** A document by its key; `undefined` for one that is removed. */
type Writes = ReadonlyMap<string, PlainDocument | undefined>;

class Documents {
  state: State = new Map();
  readonly #views = new WeakMap<MemorySession, View>();

  in(session: unknown): View | Documents {
    if (session === undefined) return this;
    if (!(session instanceof MemorySession))
      throw new OptionError(
        '`transactionalDocuments` was given no session of a memory store; use `currentTask().session` of a task that runs on one',
      );
    session.checkOpen();
    const view = this.#views.get(session) ?? new View(this);
    this.#views.set(session, view);
    session.enlist(view);
    return view;
  }

  get(key: string): PlainDocument | undefined {
    return this.state.get(key);
  }

  entries(): State {
    return this.state;
  }

  write(key: string, document: PlainDocument | undefined): void {
    this.apply(new Map([[key, document]]));
  }

  apply(writes: Writes): void {
    this.state = withWrites(this.state, writes);
  }
}

/** The documents as a transaction sees and writes them. */
class View implements Participant {
  readonly #snapshot: State;
  readonly #writes = new Map<string, PlainDocument | undefined>();

  constructor(private readonly documents: Documents) {
    this.#snapshot = documents.state;
  }

  get(key: string): PlainDocument | undefined {
    return this.#writes.has(key) ? this.#writes.get(key) : this.#snapshot.get(key);
  }

  entries(): State {
    return withWrites(this.#snapshot, this.#writes);
  }

  write(key: string, document: PlainDocument | undefined): void {
    this.#checkUnchanged(key);
    this.#writes.set(key, document);
  }

  check(): void {
    for (const key of this.#writes.keys()) this.#checkUnchanged(key);
  }

  apply(): void {
    this.documents.apply(this.#writes);
  }

  /** A write makes another object, so an unchanged object has not been written. */
  #checkUnchanged(key: string): void {
    if (this.documents.state.get(key) !== this.#snapshot.get(key))
      throw new ConflictError(`written the document ${key.replace('\u0000', '/')}`);
  }
}

class Collection<D extends PlainDocument> implements DocumentCollection<D> {
  constructor(
    private readonly documents: Documents,
    private readonly name: string,
  ) {}

  async get(id: string, session?: unknown): Promise<D | undefined> {
    return structuredClone(this.documents.in(session).get(this.#key(id))) as D | undefined;
  }

  async all(session?: unknown): Promise<readonly D[]> {
    const found = [...this.documents.in(session).entries()].filter(([key]) => key.startsWith(this.#key('')));
    return found.map(([, document]) => structuredClone(document) as D);
  }

  async put(document: D, session?: unknown): Promise<void> {
    checkOption('`put`', '_id', document._id, is.string);
    this.documents.in(session).write(this.#key(document._id), structuredClone(document));
  }

  async delete(id: string, session?: unknown): Promise<void> {
    this.documents.in(session).write(this.#key(id), undefined);
  }

  #key(id: string): string {
    return `${this.name}\u0000${id}`;
  }
}

function withWrites(state: State, writes: Writes): State {
  const after = new Map(state);
  for (const [key, document] of writes) {
    if (document === undefined) after.delete(key);
    else after.set(key, document);
  }
  return after;
}
