/** A collection as the store uses it: every command has a deadline of our own, since the driver's sockets have none. */

import type {
  BulkWriteResult,
  ClientSession,
  Collection,
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
import type { Deadline } from './deadline.js';
import type { Expression, Pipeline, Stage } from './expression.js';

/** The driver's, but that what the server computes can hold no value that could be taken for an expression. */
export type Where<T> = Filter<T> & { readonly $expr?: Expression };
/** A pipeline, or the driver's operators, which compute nothing; named one by one, or anything at all would pass. */
type Update<T> = Pipeline | { readonly [K in '$set' | '$setOnInsert' | '$unset' | '$inc' | '$push']?: UpdateFilter<T>[K] };
type UpdateOne<T> = { readonly filter: Where<T>; readonly update: Update<T>; readonly upsert: boolean };
type BulkOptions = InsertOneOptions & { readonly ordered?: boolean };

export interface CausalReads<T> {
  find(filter: Where<T>, options?: FindOptions): Promise<WithId<T>[]>;
  findOne(filter: Where<T>): Promise<WithId<T> | null>;
  countDocuments(filter: Where<T>): Promise<number>;
}

/** The methods are the driver's, but that what is read comes whole. */
export class Table<T extends Document> {
  /** For what may be asked for right after a commit of the application: what is read comes after that. */
  readonly causal: CausalReads<T>;

  /**
   * @param raw - for what has no deadline: indexes and streams
   * @param causally - reads after what the application has committed, through a session if need be
   */
  constructor(
    readonly raw: Collection<T>,
    private readonly deadline: Deadline,
    causally: <R>(read: (session: ClientSession | undefined) => Promise<R>) => Promise<R>,
  ) {
    this.causal = {
      find: (filter, options) => causally((session) => this.find(filter, { ...options, ...within(session) })),
      findOne: (filter) => causally((session) => this.findOne(filter, within(session))),
      countDocuments: (filter) => causally((session) => this.countDocuments(filter, within(session))),
    };
  }

  get collectionName(): string {
    return this.raw.collectionName;
  }

  find<P extends Document = WithId<T>>(filter: Where<T> = {}, options: FindOptions = {}): Promise<P[]> {
    return this.#within('find', () => this.raw.find<P>(filter, options).toArray());
  }

  findOne(filter: Where<T>, options: FindOptions = {}): Promise<WithId<T> | null> {
    return this.#within('find', () => this.raw.findOne(filter, options));
  }

  aggregate<P extends Document>(pipeline: readonly Stage[]): Promise<P[]> {
    return this.#within('aggregate', () => this.raw.aggregate<P>([...pipeline]).toArray());
  }

  distinct<K extends keyof WithId<T>>(key: K & string, filter: Where<T>): Promise<unknown[]> {
    return this.#within('distinct', () => this.raw.distinct<string>(key, filter));
  }

  countDocuments(filter: Where<T>, options: CountDocumentsOptions = {}): Promise<number> {
    return this.#within('aggregate', () => this.raw.countDocuments(filter, options));
  }

  insertMany(documents: readonly OptionalUnlessRequiredId<T>[], options: BulkOptions = {}): Promise<InsertManyResult<T>> {
    return this.#within('insert', () => this.raw.insertMany(documents, options));
  }

  updateOne(filter: Where<T>, update: Update<T>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateOne(filter, update as UpdateFilter<T>, options));
  }

  updateMany(filter: Where<T>, update: Update<T>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateMany(filter, update as UpdateFilter<T>, options));
  }

  /** Several updates of one document each, in one command. */
  updateEach(updates: readonly UpdateOne<T>[]): Promise<BulkWriteResult> {
    return this.#within('update', () => this.raw.bulkWrite(updates.map((updateOne) => ({ updateOne: updateOne as UpdateOneModel<T> }))));
  }

  findOneAndUpdate(filter: Where<T>, update: Update<T>, options: FindOneAndUpdateOptions = {}): Promise<WithId<T> | null> {
    return this.#within('findAndModify', () => this.raw.findOneAndUpdate(filter, update as UpdateFilter<T>, options));
  }

  findOneAndReplace(filter: Where<T>, replacement: WithoutId<T>, options: FindOneAndReplaceOptions = {}): Promise<WithId<T> | null> {
    return this.#within('findAndModify', () => this.raw.findOneAndReplace(filter, replacement, options));
  }

  #within<R>(command: string, send: () => Promise<R>): Promise<R> {
    return this.deadline.of(send, `\`${command}\` on ${this.raw.collectionName}`);
  }
}

function within(session: ClientSession | undefined): { readonly session?: ClientSession } {
  return session === undefined ? {} : { session };
}
