/** A collection as the store uses it: every command has a deadline of our own, since the driver's sockets have none. */

import type {
  BulkWriteResult,
  ClientSession,
  Collection,
  Condition,
  CountDocumentsOptions,
  Document,
  Filter,
  FindOneAndReplaceOptions,
  FindOneAndUpdateOptions,
  FindOptions,
  InsertManyResult,
  InsertOneOptions,
  OptionalUnlessRequiredId,
  UpdateFilter,
  UpdateOneModel,
  UpdateOptions,
  UpdateResult,
  WithId,
  WithoutId,
} from 'mongodb';
import { ReadConcern } from 'mongodb';
import type { CommandDeadline } from '../driver/command-deadline.js';
import type { Expression, Pipeline, Stage } from '../driver/expression.js';

/**
 * Conditions on the fields of a document. The driver's own type takes any name, so that a field which was renamed would find nothing; and in
 * this one a value from outside cannot be taken for an expression.
 */
export type Where<T> = {
  readonly [K in keyof WithId<T>]?: Condition<WithId<T>[K]>;
} & { readonly [P in `${keyof T & string}.${string}`]?: unknown } & {
  readonly $expr?: Expression;
  readonly $or?: readonly Where<T>[];
  readonly $nor?: readonly Where<T>[];
};
/** A pipeline, or those operators of the driver that compute nothing; each is named, or anything would compile. A status needs a pipeline. */
type Update<T, Computed> =
  | Computed
  | { readonly [K in '$set' | '$setOnInsert' | '$unset' | '$inc' | '$push']?: UpdateFilter<T>[K] & { readonly status?: never } };
type UpdateOne<T, Computed> = {
  readonly filter: Where<T>;
  readonly update: Update<T, Computed>;
  readonly upsert?: boolean;
  readonly hint?: Document;
};
/** The fields by which documents are sorted, the first one first. */
export type SortBy<T> = { readonly [K in keyof WithId<T>]?: 1 | -1 };

/** How documents are read: which fields of them, and in which order. */
type Reading<T> = Omit<FindOptions, 'projection' | 'sort'> & {
  readonly projection?: { readonly [K in keyof WithId<T>]?: number };
  readonly sort?: SortBy<T>;
};

/** The driver's filter of our conditions. */
function asFilter<T>(where: Where<T>): Filter<T> {
  return where as object as Filter<T>;
}

/** Which fields are read, if not all, and whether outside a transaction. */
interface Look {
  readonly only: readonly string[] | undefined;
  readonly isAlone: boolean;
}

type BulkOptions = InsertOneOptions & { readonly ordered?: boolean };

export interface CausalReads<T> {
  find(filter: Where<T>, options?: Reading<T>): Promise<WithId<T>[]>;
  findOne(filter: Where<T>): Promise<WithId<T> | null>;
  countDocuments(filter: Where<T>): Promise<number>;
}

/** Repairs damaged documents, so that no other code ever sees one. */
export interface Care<T extends Document> {
  /** Describes the damage of a document, if any. @param only - the fields that were read, if not all */
  damageOf(document: Document, only?: readonly string[]): string | undefined;
  /** Writes a sound document in place of a damaged one. */
  repair(damaged: Document, table: Collection<T>): Promise<void>;
  /** The document as `repair` would write it; `undefined` if that cannot be known. */
  view(damaged: Document): WithId<T> | undefined;
}

/** How many times damaged documents are read at most; the last time they are returned as if repaired. */
const MAX_LOOKS = 3;

interface TableOptions<T extends Document> {
  /** Reads after the application's commits, through a session if necessary. */
  readonly causally: <R>(read: (session: ClientSession | undefined) => Promise<R>) => Promise<R>;
  readonly care: Care<T> | undefined;
}

/** The methods are the driver's, but reads return whole, checked documents. `Computed` are the pipelines that may update it. */
export class TimedCollection<T extends Document, Computed = Pipeline> {
  /** Reads that come after the application's commits. */
  readonly causal: CausalReads<T>;

  readonly #care: Care<T> | undefined;

  /** @param raw - for commands without a deadline: indexes and streams */
  constructor(
    readonly raw: Collection<T>,
    private readonly deadline: CommandDeadline,
    { causally, care }: TableOptions<T>,
  ) {
    this.#care = care;
    this.causal = {
      find: (filter, options) => causally((session) => this.find(filter, { ...options, ...within(session) })),
      findOne: (filter) => causally((session) => this.findOne(filter, within(session))),
      countDocuments: (filter) => causally((session) => this.countDocuments(filter, within(session))),
    };
  }

  get collectionName(): string {
    return this.raw.collectionName;
  }

  find<P extends Document = WithId<T>>(filter: Where<T> = {}, options: Reading<T> = {}): Promise<P[]> {
    const { projection } = options;
    const read = (): Promise<P[]> => this.#within('find', () => this.raw.find<P>(asFilter(filter), options as FindOptions).toArray());
    return this.#sound(read, { only: projection && Object.keys(projection), isAlone: options.session?.inTransaction() !== true });
  }

  async findOne(filter: Where<T>, options: Reading<T> = {}): Promise<WithId<T> | null> {
    const [found] = await this.find<WithId<T>>(filter, { ...options, limit: 1, singleBatch: true });
    return found ?? null;
  }

  aggregate<P extends Document>(pipeline: readonly Stage[]): Promise<P[]> {
    const read = (): Promise<P[]> => this.#within('aggregate', () => this.raw.aggregate<P>([...pipeline]).toArray());
    return this.#sound(read, { only: undefined, isAlone: true });
  }

  distinct<K extends keyof WithId<T>>(key: K & string, filter: Where<T>): Promise<unknown[]> {
    return this.#within('distinct', () => this.raw.distinct<string>(key, asFilter(filter)));
  }

  countDocuments(filter: Where<T>, options: CountDocumentsOptions = {}): Promise<number> {
    return this.#within('aggregate', () => this.raw.countDocuments(asFilter(filter), options));
  }

  insertMany(documents: readonly OptionalUnlessRequiredId<T>[], options: BulkOptions = {}): Promise<InsertManyResult<T>> {
    return this.#within('insert', () => this.raw.insertMany(documents, options));
  }

  updateOne(filter: Where<T>, update: Update<T, Computed>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateOne(asFilter(filter), update as UpdateFilter<T>, options));
  }

  updateMany(filter: Where<T>, update: Update<T, Computed>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateMany(asFilter(filter), update as UpdateFilter<T>, options));
  }

  /** Several updates of one document each, in one command; a refused one does not stop the others. */
  updateEach(updates: readonly UpdateOne<T, Computed>[]): Promise<BulkWriteResult> {
    const operations = updates.map((updateOne) => ({ updateOne: updateOne as UpdateOneModel<T> }));
    return this.#within('update', () => this.raw.bulkWrite(operations, { ordered: false }));
  }

  async findOneAndUpdate(filter: Where<T>, update: Update<T, Computed>, options: FindOneAndUpdateOptions = {}): Promise<WithId<T> | null> {
    const send = (): Promise<WithId<T> | null> => this.raw.findOneAndUpdate(asFilter(filter), update as UpdateFilter<T>, options);
    const after = await this.#within('findAndModify', send);
    if (after === null || this.#care?.damageOf(after) === undefined) return after;
    if (options.session?.inTransaction() === true) return this.#care.view(after) ?? null;
    return this.findOne({ _id: after._id } as Filter<T>);
  }

  findOneAndReplace(filter: Where<T>, replacement: WithoutId<T>, options: FindOneAndReplaceOptions = {}): Promise<WithId<T> | null> {
    return this.#within('findAndModify', () => this.raw.findOneAndReplace(asFilter(filter), replacement, options));
  }

  /** Reads, repairs damaged documents and reads again; within a transaction it only returns them as repaired. */
  async #sound<P extends Document>(read: () => Promise<P[]>, { only, isAlone }: Look): Promise<P[]> {
    const care = this.#care;
    if (care === undefined) return read();
    for (let looks = 1; ; looks++) {
      const found = await read();
      const damaged = found.filter((document) => care.damageOf(document, only) !== undefined);
      if (damaged.length === 0) return found;
      if (!isAlone || looks === MAX_LOOKS) return only === undefined ? this.#viewed(found) : found.filter((one) => !damaged.includes(one));
      await this.#repair(damaged.map(({ _id }) => _id));
    }
  }

  #viewed<P extends Document>(found: readonly P[]): P[] {
    return found.flatMap((one) => (this.view(one) as P | undefined) ?? []);
  }

  /** A document that came in another way, as a read would return it. */
  view(document: Document): WithId<T> | undefined {
    return this.#care?.damageOf(document) === undefined ? (document as WithId<T>) : this.#care.view(document);
  }

  /** Looks at a document that could not be written. @returns whether it was damaged, and has been repaired */
  async repair(id: unknown): Promise<boolean> {
    return (await this.#repair([id])) > 0;
  }

  async #repair(ids: readonly unknown[]): Promise<number> {
    const whole = await this.#within('find', () => this.raw.find({ _id: { $in: ids } } as Filter<T>).toArray());
    const damaged = whole.filter((document) => this.#care?.damageOf(document) !== undefined);
    for (const document of damaged) await this.#care?.repair(document, this.raw);
    return damaged.length;
  }

  #within<R>(command: string, send: () => Promise<R>): Promise<R> {
    return this.deadline.of(send, `\`${command}\` on ${this.raw.collectionName}`);
  }
}

/**
 * With a read concern of its own: the driver writes into it up to when the session must have seen, and would do so into that of all reads.
 */
function within(session: ClientSession | undefined): { readonly session?: ClientSession; readonly readConcern?: ReadConcern } {
  return session === undefined ? {} : { session, readConcern: new ReadConcern('majority') };
}
