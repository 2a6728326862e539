/** Storable values as bytes: the same for the same value, whichever store it has been in, and they come back as they were. */

import type { Binary } from 'bson';
import { isPlain } from '../check.js';
import { bsonLibrary, isOfOtherCopy, OWN_BSON } from './bson-library.js';
import { DocumentReference } from './document-reference.js';
import { JobReference } from './job-reference.js';
import { Payload } from './payload.js';

/** A value that BSON does not have, or would give back as another type, is stored as binary data with a subtype of our own. */
const UNDEFINED = 0xc0;
const REFERENCE = 0xc1;
const DOCUMENT = 0xc2;
const OBJECT = 0xc3;
/** Binary data of the application whose own subtype is one of these, or that of plain bytes, and that must not be confused with them. */
const FOREIGN = 0xc4;
/** A number of BSON's own, which would come back as one of JavaScript's. */
const NUMBER = 0xc5;
/** A BSON value of another copy of BSON than the one by which values come back. */
const OTHER_COPY = 0xc6;
/** Bytes that are not a `Binary`. */
const PLAIN = 0;
const TAKEN: ReadonlySet<number> = new Set([PLAIN, UNDEFINED, REFERENCE, DOCUMENT, OBJECT, FOREIGN, NUMBER, OTHER_COPY]);
/** BSON's numbers and bytes are not turned into JavaScript's. */
const AS_THEY_ARE = { promoteValues: false, promoteLongs: false, promoteBuffers: false } as const;
const NUMBERS: ReadonlySet<unknown> = new Set(['Int32', 'Double', 'Long']);

/** The bytes of a storable value. */
export function bytesOf(payload: Payload): Uint8Array {
  return serialized({ v: marked(payload.read((reference) => reference)) });
}

/** The value of such bytes. @param path - what messages call it */
export function payloadOf(bytes: Uint8Array, path: string): Payload {
  return Payload.of(unmarked(deserialized(bytes)['v']), path);
}

function marked(value: unknown): unknown {
  if (value === undefined) return mark(new Uint8Array(0), UNDEFINED);
  if (value instanceof JobReference) return mark(Buffer.from(JSON.stringify([value.id, value.taskName])), REFERENCE);
  if (value instanceof DocumentReference) return mark(serialized({ collection: value.collection, id: marked(value.id) }), DOCUMENT);
  if (isScalar(value) && isOfOtherCopy(value)) return mark(serialized({ v: value }), OTHER_COPY);
  if (isNumber(value)) return mark(serialized({ v: value }), NUMBER);
  if (isForeign(value)) return mark(Buffer.from([value.sub_type, ...value.value()]), FOREIGN);
  if (looksLikeDBRef(value)) return mark(serialized({ entries: Object.entries(value).map((entry) => marked(entry)) }), OBJECT);
  return mapped(value, marked);
}

function unmarked(value: unknown): unknown {
  if (!isBinary(value)) return mapped(value, unmarked);
  switch (value.sub_type) {
    case UNDEFINED:
      return undefined;
    case PLAIN:
      return Buffer.from(value.value());
    case REFERENCE:
      return jobReference(value);
    case DOCUMENT:
      return documentReference(value);
    case OBJECT:
      return objectOf(value);
    case NUMBER:
      return bsonLibrary().BSON.deserialize(value.value(), AS_THEY_ARE)['v'];
    case OTHER_COPY:
      return OWN_BSON.BSON.deserialize(value.value(), AS_THEY_ARE)['v'];
    case FOREIGN:
      return mark(value.value().subarray(1), value.value()[0] ?? PLAIN);
    default:
      return value;
  }
}

function jobReference(bytes: Binary): JobReference {
  const [id, taskName] = JSON.parse(Buffer.from(bytes.value()).toString('utf8')) as [string, string];
  return new JobReference(id, taskName);
}

function documentReference(bytes: Binary): DocumentReference {
  const { collection, id } = deserialized(bytes.value()) as { readonly collection: string; readonly id: unknown };
  return new DocumentReference(collection, unmarked(id));
}

function objectOf(bytes: Binary): object {
  const { entries } = deserialized(bytes.value()) as { readonly entries: readonly [string, unknown][] };
  return Object.fromEntries(entries.map(([key, part]) => [key, unmarked(part)]));
}

/** Also one of another copy of BSON. */
function isForeign(value: unknown): value is Binary {
  return isBinary(value) && TAKEN.has(value.sub_type);
}

function isBinary(value: unknown): value is Binary {
  return isScalar(value) && value._bsontype === 'Binary';
}

/** BSON would bring it back as a reference to another database, which it is not. */
function looksLikeDBRef(value: unknown): value is object {
  return isPlainData(value) && typeof Reflect.get(value, '$ref') === 'string' && Object.hasOwn(value, '$id');
}

function isScalar(value: unknown): value is { readonly _bsontype: unknown } {
  return typeof value === 'object' && value !== null && '_bsontype' in value;
}

function isNumber(value: unknown): boolean {
  return isScalar(value) && NUMBERS.has(value._bsontype);
}

function mark(bytes: Uint8Array, subtype: number): Binary {
  return new (bsonLibrary().Binary)(bytes, subtype);
}

function serialized(document: object): Uint8Array {
  return bsonLibrary().BSON.serialize(document);
}

function deserialized(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  return bsonLibrary().BSON.deserialize(bytes, { useBigInt64: true });
}

/** A copy of an array or a plain object with each part mapped; anything else as it is. */
function mapped(value: unknown, map: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (!isPlainData(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: map(part), enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function isPlainData(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !('_bsontype' in value) && isPlain(value);
}
