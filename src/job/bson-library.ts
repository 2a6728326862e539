/** The copies of BSON in a process: this package's own and the driver's. With a database, values come back by the driver's classes. */

import * as own from 'bson';

/** The part of a copy of BSON that is needed; the driver exports its own copy. */
export interface BsonLibrary {
  readonly BSON: Pick<typeof own.BSON, 'serialize' | 'deserialize'>;
  readonly Binary: typeof own.Binary;
}

/** `bson` as the application imports it: though npm installs it once, the driver has another copy, since it loads it by `require`. */
export const OWN_BSON: BsonLibrary = own;

const OWN_CLASSES: ReadonlySet<unknown> = new Set([
  own.ObjectId,
  own.Long,
  own.Int32,
  own.Double,
  own.Decimal128,
  own.Timestamp,
  own.Binary,
  own.UUID,
  own.MinKey,
  own.MaxKey,
]);

let library: BsonLibrary = OWN_BSON;

/** From now on values come back by the classes of this copy, unless they went in by those of `bson`. */
export function comeBackBy(other: BsonLibrary): void {
  library = other;
}

export function bsonLibrary(): BsonLibrary {
  return library;
}

/** Whether a value is of `bson`, and not of the copy by which values come back. */
export function isOfOtherCopy(value: object): boolean {
  return library !== OWN_BSON && OWN_CLASSES.has(value.constructor);
}
