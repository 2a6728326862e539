/** A collection as the store uses it: every command has a deadline of our own, since the driver's sockets have none. */

import type {
  BulkWriteResult,
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

type Update<T> = UpdateFilter<T> | Document[];
type BulkOptions = InsertOneOptions & { readonly ordered?: boolean };

/** The methods are the driver's, but that what is read comes whole. */
export class Table<T extends Document> {
  /** @param raw - for what has no deadline: indexes and streams */
  constructor(
    readonly raw: Collection<T>,
    private readonly deadline: Deadline,
  ) {}

  get collectionName(): string {
    return this.raw.collectionName;
  }

  find<P extends Document = WithId<T>>(filter: Filter<T> = {}, options: FindOptions = {}): Promise<P[]> {
    return this.#within('find', () => this.raw.find<P>(filter, options).toArray());
  }

  findOne(filter: Filter<T>, options: FindOptions = {}): Promise<WithId<T> | null> {
    return this.#within('find', () => this.raw.findOne(filter, options));
  }

  aggregate<P extends Document>(pipeline: Document[]): Promise<P[]> {
    return this.#within('aggregate', () => this.raw.aggregate<P>(pipeline).toArray());
  }

  distinct<K extends keyof WithId<T>>(key: K & string, filter: Filter<T>): Promise<unknown[]> {
    return this.#within('distinct', () => this.raw.distinct<string>(key, filter));
  }

  countDocuments(filter: Filter<T>, options: CountDocumentsOptions = {}): Promise<number> {
    return this.#within('aggregate', () => this.raw.countDocuments(filter, options));
  }

  insertMany(documents: readonly OptionalUnlessRequiredId<T>[], options: BulkOptions = {}): Promise<InsertManyResult<T>> {
    return this.#within('insert', () => this.raw.insertMany(documents, options));
  }

  updateOne(filter: Filter<T>, update: Update<T>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateOne(filter, update, options));
  }

  updateMany(filter: Filter<T>, update: Update<T>, options: UpdateOptions = {}): Promise<UpdateResult<T>> {
    return this.#within('update', () => this.raw.updateMany(filter, update, options));
  }

  /** Several updates of one document each, in one command. */
  updateEach(updates: readonly UpdateOneModel<T>[]): Promise<BulkWriteResult> {
    return this.#within('update', () => this.raw.bulkWrite(updates.map((updateOne) => ({ updateOne }))));
  }

  findOneAndUpdate(filter: Filter<T>, update: Update<T>, options: FindOneAndUpdateOptions = {}): Promise<WithId<T> | null> {
    return this.#within('findAndModify', () => this.raw.findOneAndUpdate(filter, update, options));
  }

  findOneAndReplace(filter: Filter<T>, replacement: WithoutId<T>, options: FindOneAndReplaceOptions = {}): Promise<WithId<T> | null> {
    return this.#within('findAndModify', () => this.raw.findOneAndReplace(filter, replacement, options));
  }

  #within<R>(command: string, send: () => Promise<R>): Promise<R> {
    return this.deadline.of(send, `\`${command}\` on ${this.raw.collectionName}`);
  }
}
