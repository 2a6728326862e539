/** A BSON value: every number keeps its type, and a missing field is `undefined`. */

import type { Binary, BSONRegExp, BSONSymbol, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'mongodb';

export type BsonNumber = Int32 | Long | Double | Decimal128 | number;

type Scalar =
  | BsonNumber
  | string
  | boolean
  | null
  | Date
  | ObjectId
  | Timestamp
  | Binary
  | BSONRegExp
  | BSONSymbol
  | Code
  | MinKey
  | MaxKey;

export type Value = Scalar | readonly Value[] | Doc;

/** A document or subdocument; never changed once it is stored. */
export interface Doc {
  readonly [field: string]: Value | undefined;
}

/** A document that is being built. */
export type Draft = Record<string, Value | undefined>;

export type Maybe = Value | undefined;

export function isArray(value: Maybe): value is readonly Value[] {
  return Array.isArray(value);
}

export function isDoc(value: Maybe): value is Doc {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { _bsontype?: string })._bsontype === undefined &&
    !Array.isArray(value) &&
    !(value instanceof Date)
  );
}

/** The class name BSON types carry, such as `ObjectId`; undefined for JavaScript's own types. */
export function bsonType(value: Maybe): string | undefined {
  return typeof value === 'object' && value !== null ? (value as { _bsontype?: string })._bsontype : undefined;
}

/** Every own field with its value, missing ones left out. */
export function fieldsOf(doc: Doc): [string, Value][] {
  return Object.entries(doc).filter((entry): entry is [string, Value] => entry[1] !== undefined);
}

/** Sets a field of a draft, also one named `__proto__`. */
export function setField(draft: Draft, field: string, value: Value): void {
  if (field === '__proto__') Object.defineProperty(draft, field, { value, enumerable: true, configurable: true, writable: true });
  else draft[field] = value;
}
