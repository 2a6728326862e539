/** Storable values: those that MongoDB's BSON can carry, plus `undefined` and jobs; checked and copied when they enter. */

import { types } from 'node:util';
import { classNameOf, isPlain } from '../check.js';
import { isMillraceError, StoreError, TooLargeError, UnstorableError } from '../errors.js';
import { OWN_BSON } from './bson-library.js';
import { bsonBytes, bsonCopy, bsonVersion, isBsonScalar } from './bson-scalar.js';
import { DocumentReference } from './document-reference.js';
import { referenceOf } from './future.js';
import { JobReference } from './job-reference.js';
import { isError } from './stored-error.js';

/** Deeper nesting is refused, as MongoDB does. */
const MAX_DEPTH = 100;
/** No store takes more in one value; stops values that share parts of themselves over and over. */
const MAX_BYTES = 16 * 1024 * 1024;

const INT64 = 2n ** 63n;

/** The name of a job's arguments in messages. */
export const ARGUMENTS = 'arguments';

/** Turns a reference back into a job handle of the application. */
export type Revive = (reference: JobReference) => unknown;

/** A storable value at rest: it never changes, and every `read` gives a fresh copy. */
export class Payload {
  static readonly #nothing = new Payload([], 5, []);
  readonly #stored: unknown;

  private constructor(
    stored: unknown,
    /** About the size of the value as BSON. */
    readonly bytes: number,
    /** The jobs named anywhere in the value. */
    readonly references: readonly JobReference[],
    /** Whether it names documents of the application. */
    readonly hasDocuments = false,
  ) {
    this.#stored = stored;
  }

  /**
   * Copies a value in.
   * @param path - what messages call the value, such as `arguments`
   * @throws UnstorableError naming the path of the first part that cannot be stored
   * @throws TooLargeError above 16 MiB
   */
  static of(value: unknown, path: string): Payload {
    if (Array.isArray(value) && value.length === 0) return Payload.#nothing;
    const copier = new Copier(path);
    return new Payload(copier.copy(value), copier.bytes, copier.references, copier.hasDocuments);
  }

  /** Stored data that is not a value: only reading it fails. @throws StoreError from `read` */
  static unreadable(path: string, cause: unknown): Payload {
    const fact = isError(cause) ? cause.message : String(cause);
    return new Payload(
      new Unreadable(new StoreError(`\`${path}\` cannot be read as stored, as if the record was damaged: ${fact}`, { cause })),
      5,
      [],
    );
  }

  /** A copy of the value, which the caller may change. */
  read(revive: Revive = (reference) => reference): unknown {
    if (this.#stored instanceof Unreadable) throw this.#stored.error;
    return isAtomic(this.#stored) ? this.#stored : copyOut(this.#stored, revive);
  }
}

class Unreadable {
  constructor(readonly error: StoreError) {}
}

/** Walks a value that enters: checks, copies and weighs it in one pass. */
class Copier {
  bytes = 5;
  readonly references: JobReference[] = [];
  hasDocuments = false;
  readonly #path: (string | number)[] = [];
  readonly #above: object[] = [];

  constructor(readonly root: string) {}

  copy(value: unknown): unknown {
    if (typeof value === 'object' && value !== null)
      return this.#weighed(
        8,
        this.#peek(() => this.#copyObject(value)),
      );
    switch (typeof value) {
      case 'string':
        return this.#copyString(value);
      case 'bigint':
        if (value >= INT64 || value < -INT64) this.#refuse('is a bigint of more than 64 bits', 'pass it as a string');
        return this.#weighed(8, value);
      case 'function':
        return this.#refuse('is a function', 'pass data, such as the id of a document; a task may call back by `withCallbacks`');
      case 'symbol':
        return this.#refuse('is a symbol', 'pass a string');
      default:
        return this.#weighed(8, value);
    }
  }

  #copyString(value: string): string {
    if (!value.isWellFormed())
      this.#refuse('is a string with half a surrogate pair, which has no UTF-8 form', 'pass it through `toWellFormed()`');
    return this.#weighed(5 + Buffer.byteLength(value), value);
  }

  #copyObject(value: object): unknown {
    if (Array.isArray(value)) return this.#inside(value, () => this.#copyArray(value));
    if (types.isDate(value)) return this.#copyDate(value);
    if (types.isUint8Array(value)) return this.#weighed(value.byteLength, Buffer.from(value));
    if (types.isRegExp(value)) return this.#copyRegExp(value);
    if (value instanceof JobReference) return this.#refer(value);
    if (value instanceof DocumentReference) return this.#name(value);
    const stands = referenceOf(value);
    if (stands instanceof JobReference) return this.#refer(stands);
    if (stands !== undefined) return this.#refuse('is a draft: queue it, and pass the job');
    if (isBsonScalar(value)) return this.#copyScalar(value);
    if (!isPlain(value)) return this.#refuse(notPlain(value));
    return this.#inside(value, () => this.#copyPlain(value as Record<string, unknown>));
  }

  #copyArray(value: readonly unknown[]): unknown[] {
    const copy = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index++) {
      this.#path.push(index);
      this.#weighed(String(index).length + 2, undefined);
      copy[index] = this.copy(value[index]);
      this.#path.pop();
    }
    return copy;
  }

  #copyPlain(value: Record<string, unknown>): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      this.#path.push(key);
      if (key.includes('\0')) this.#refuse('has a null byte in its name');
      if (key === '_bsontype') this.#refuse('is a name that BSON keeps for its own types');
      if (!key.isWellFormed()) this.#refuse('has half a surrogate pair in its name, which has no UTF-8 form');
      this.#weighed(Buffer.byteLength(key) + 2, undefined);
      put(copy, key, this.copy(value[key]));
      this.#path.pop();
    }
    const symbol = Object.getOwnPropertySymbols(value).find((key) => Object.prototype.propertyIsEnumerable.call(value, key));
    if (symbol !== undefined) this.#refuse(`has the property ${String(symbol)}; only properties named by strings are stored`);
    return copy;
  }

  #copyScalar(value: object): object {
    const [version, known] = [bsonVersion(value), bsonVersion(OWN_BSON.Binary.prototype)];
    if (version !== known)
      this.#refuse(
        `is of version ${version} of BSON, but only values of version ${known} are stored: import it from ` +
          "'mongodb', or from 'bson' of that version",
      );
    return this.#weighed(bsonBytes(value), bsonCopy(value));
  }

  #copyDate(value: Date): Date {
    if (Number.isNaN(value.getTime())) this.#refuse('is an invalid Date', 'look at the text or number that it was made from');
    return new Date(value.getTime());
  }

  #copyRegExp(value: RegExp): RegExp {
    if (value.source.includes('\0') || !value.source.isWellFormed())
      this.#refuse('is a RegExp whose source has no UTF-8 form, or a null byte');
    if (/[^im]/.test(value.flags)) this.#refuse(`is a RegExp with the flags '${value.flags}'; only i and m are stored`);
    this.#weighed(Buffer.byteLength(value.source), undefined);
    return new RegExp(value.source, value.flags);
  }

  #refer(reference: JobReference): JobReference {
    this.references.push(reference);
    return this.#weighed(Buffer.byteLength(reference.taskName) + 40, reference);
  }

  #name(document: DocumentReference): DocumentReference {
    this.hasDocuments = true;
    return this.#weighed(Buffer.byteLength(String(document)), document);
  }

  #inside<T>(value: object, copy: () => T): T {
    if (this.#above.includes(value))
      this.#refuse('is circular: it contains itself', 'leave that reference out, or pass an id in its place');
    if (this.#above.length >= MAX_DEPTH)
      this.#refuse(`is nested deeper than ${MAX_DEPTH} levels`, 'pass it as JSON, or store it elsewhere and pass its key');
    this.#above.push(value);
    const copied = copy();
    this.#above.pop();
    return copied;
  }

  #weighed<T>(bytes: number, value: T): T {
    this.bytes += bytes;
    if (this.bytes > MAX_BYTES)
      throw new TooLargeError(`\`${this.root}\` is larger than 16 MiB; store the data elsewhere and pass its key`);
    return value;
  }

  #peek<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (isMillraceError(cause)) throw cause;
      throw new UnstorableError(this.#where(), 'threw when it was read', { cause });
    }
  }

  /** @param advice - for the caller that passes an argument; a reader of a result or of progress cannot follow it */
  #refuse(fact: string, advice?: string): never {
    const text = advice === undefined || this.root !== ARGUMENTS ? fact : `${fact}${fact.includes(':') ? ';' : ':'} ${advice}`;
    throw new UnstorableError(this.#where(), text);
  }

  #where(): string {
    return (
      this.root + this.#path.map((step) => (/^[A-Za-z_$][\w$]*$/.test(String(step)) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('')
    );
  }
}

function copyOut(stored: unknown, revive: Revive): unknown {
  if (isAtomic(stored)) return stored;
  if (Array.isArray(stored)) return stored.map((item) => copyOut(item, revive));
  if (types.isDate(stored)) return new Date(stored.getTime());
  if (types.isUint8Array(stored)) return Buffer.from(stored);
  if (types.isRegExp(stored)) return new RegExp(stored.source, stored.flags);
  if (stored instanceof JobReference) return revive(stored);
  if (stored instanceof DocumentReference) return stored;
  if (isBsonScalar(stored as object)) return bsonCopy(stored as object);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(stored as object)) put(copy, key, copyOut((stored as Record<string, unknown>)[key], revive));
  return copy;
}

function isAtomic(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function notPlain(value: object): string {
  if (types.isPromise(value)) return 'is a promise: await it first';
  if (isError(value)) return 'is an error, which is not storable: pass its message, or a plain object';
  const instead = types.isMap(value) || types.isSet(value) ? 'an array, such as `[...it]`' : 'a plain object, or the id of the document';
  return `is an instance of ${classNameOf(value)}, which would come back without its class: pass ${instead}`;
}

/** An own property also where the name is `__proto__`. */
function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}
