/**
 * Values of BSON's own types, such as an `ObjectId`, that an application may pass; recognised by their tag, so that no database is needed.
 */

import { types } from 'node:util';
import { isPlain } from '../check.js';

/** Those that stand for one value. Code and references to other databases are not data. */
const SCALARS: ReadonlySet<unknown> = new Set([
  'ObjectId',
  'Long',
  'Int32',
  'Double',
  'Decimal128',
  'Timestamp',
  'Binary',
  'MinKey',
  'MaxKey',
]);

/** Whether a value is an instance of one of these classes; a plain object with such a tag is none. */
export function isBsonScalar(value: object): boolean {
  return !isPlain(value) && SCALARS.has((value as { readonly _bsontype?: unknown })._bsontype);
}

/** The copies of BSON name themselves by this; one of another version refuses to store the others' values. */
const VERSION = Symbol.for('@@mdb.bson.version');

/** The major version of BSON that a value is of. */
export function bsonVersion(value: object): unknown {
  return Reflect.get(value, VERSION);
}

/** A copy with bytes of its own. */
export function bsonCopy(value: object): object {
  const copy = Object.create(Object.getPrototypeOf(value)) as Record<PropertyKey, unknown>;
  for (const key of Reflect.ownKeys(value)) {
    const part = (value as Record<PropertyKey, unknown>)[key];
    copy[key] = types.isUint8Array(part) ? Uint8Array.prototype.slice.call(part) : part;
  }
  return copy;
}

/** About its size. */
export function bsonBytes(value: object): number {
  let bytes = 16;
  for (const part of Object.values(value)) if (types.isUint8Array(part)) bytes += part.byteLength;
  return bytes;
}
