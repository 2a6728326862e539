/** Storable values as bytes: the same for the same value, whichever store it has been in, and they come back as they were. */

import { Binary, BSON, type Long } from 'bson';
import { DocumentReference } from './document-reference.js';
import { JobReference } from './job-reference.js';
import { Payload } from './payload.js';

/** What BSON does not know, or would bring back as something else, goes in as binary data of subtypes of our own. */
const UNDEFINED = 0xc0;
const REFERENCE = 0xc1;
const DOCUMENT = 0xc2;
const OBJECT = 0xc3;
/** Binary data of the application that has one of these subtypes itself, and must not be taken for what is ours. */
const FOREIGN = 0xc4;
const OURS: ReadonlySet<number> = new Set([UNDEFINED, REFERENCE, DOCUMENT, OBJECT, FOREIGN]);

const NOTHING = new Binary(new Uint8Array(0), UNDEFINED);

/** The bytes of a storable value. */
export function bytesOf(payload: Payload): Uint8Array {
  return BSON.serialize({ v: marked(payload.read((reference) => reference)) });
}

/** The value of such bytes. @param path - what messages call it */
export function payloadOf(bytes: Uint8Array, path: string): Payload {
  const { v } = BSON.deserialize(bytes, { useBigInt64: true });
  return Payload.of(unmarked(v), path);
}

function marked(value: unknown): unknown {
  if (value === undefined) return NOTHING;
  if (value instanceof JobReference) return new Binary(Buffer.from(JSON.stringify([value.id, value.taskName])), REFERENCE);
  if (value instanceof DocumentReference)
    return new Binary(BSON.serialize({ collection: value.collection, id: asNumber(value.id) }), DOCUMENT);
  if (isForeign(value)) return new Binary(Buffer.from([value.sub_type, ...value.value()]), FOREIGN);
  if (looksLikeDBRef(value)) return new Binary(BSON.serialize({ entries: Object.entries(value).map((entry) => marked(entry)) }), OBJECT);
  return mapped(asNumber(value), marked);
}

function unmarked(value: unknown): unknown {
  if (!(value instanceof Binary)) return mapped(value, unmarked);
  switch (value.sub_type) {
    case UNDEFINED:
      return undefined;
    case Binary.SUBTYPE_DEFAULT:
      return Buffer.from(value.value());
    case REFERENCE:
      return jobReference(value);
    case DOCUMENT:
      return documentReference(value);
    case OBJECT:
      return objectOf(value);
    case FOREIGN:
      return new Binary(value.value().subarray(1), value.value()[0]);
    default:
      return value;
  }
}

function jobReference(bytes: Binary): JobReference {
  const [id, taskName] = JSON.parse(Buffer.from(bytes.value()).toString('utf8')) as [string, string];
  return new JobReference(id, taskName);
}

function documentReference(bytes: Binary): DocumentReference {
  const { collection, id } = BSON.deserialize(bytes.value(), { useBigInt64: true }) as {
    readonly collection: string;
    readonly id: unknown;
  };
  return new DocumentReference(collection, id);
}

function objectOf(bytes: Binary): object {
  const { entries } = BSON.deserialize(bytes.value(), { useBigInt64: true }) as { readonly entries: readonly [string, unknown][] };
  return Object.fromEntries(entries.map(([key, part]) => [key, unmarked(part)]));
}

/** Also one of another copy of BSON. */
function isForeign(value: unknown): value is Binary {
  return isBinary(value) && OURS.has(value.sub_type);
}

function isBinary(value: unknown): value is Binary {
  return typeof value === 'object' && value !== null && (value as { readonly _bsontype?: unknown })._bsontype === 'Binary';
}

/** BSON would bring it back as a reference to another database, which it is not. */
function looksLikeDBRef(value: unknown): value is object {
  return isPlain(value) && typeof Reflect.get(value, '$ref') === 'string' && Object.hasOwn(value, '$id');
}

/** BSON's own numbers as those that they come back as. */
function asNumber(value: unknown): unknown {
  const type = typeof value === 'object' && value !== null ? (value as { readonly _bsontype?: unknown })._bsontype : undefined;
  if (type === 'Int32' || type === 'Double') return Number(value);
  return type === 'Long' ? BigInt.asIntN(64, BigInt((value as Long).toString())) : value;
}

/** A copy of an array or a plain object with each part mapped; anything else as it is. */
function mapped(value: unknown, map: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (!isPlain(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: map(part), enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || '_bsontype' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
