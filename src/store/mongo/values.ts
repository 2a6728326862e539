/** Stored values as bytes: no pipeline can take a part of them for an expression, and they come back as they were. */

import { Binary, BSON } from 'mongodb';
import { DocumentReference } from '../../job/document-reference.js';
import { JobReference } from '../../job/job-reference.js';
import { Payload } from '../../job/payload.js';

/** BSON has no `undefined` that comes back, and knows neither jobs nor references to documents: they go in as binary data of subtypes of our own. */
const UNDEFINED = 0xc0;
const REFERENCE = 0xc1;
const DOCUMENT = 0xc2;

const NOTHING = new Binary(new Uint8Array(0), UNDEFINED);

/** The bytes of a storable value. */
export function toBytes(payload: Payload): Binary {
  return new Binary(BSON.serialize({ v: marked(payload.read((reference) => reference)) }));
}

/** The value of stored bytes. @param path - what messages call it */
export function fromBytes(bytes: Binary, path: string): Payload {
  const { v } = BSON.deserialize(bytes.buffer, { useBigInt64: true });
  return Payload.of(unmarked(v), path);
}

/** The bytes of an object of ours, such as a stored error, that has no `undefined` in it. */
export function packed(object: object): Binary {
  return new Binary(BSON.serialize(object));
}

export function unpacked<T>(bytes: Binary): T {
  return BSON.deserialize(bytes.buffer) as T;
}

function marked(value: unknown): unknown {
  if (value === undefined) return NOTHING;
  if (value instanceof JobReference) return new Binary(Buffer.from(JSON.stringify([value.id, value.taskName])), REFERENCE);
  if (value instanceof DocumentReference) return new Binary(BSON.serialize({ collection: value.collection, id: value.id }), DOCUMENT);
  return mapped(value, marked);
}

function unmarked(value: unknown): unknown {
  if (!(value instanceof Binary)) return mapped(value, unmarked);
  if (value.sub_type === UNDEFINED) return undefined;
  if (value.sub_type === Binary.SUBTYPE_DEFAULT) return Buffer.from(value.value());
  if (value.sub_type === DOCUMENT) return documentReference(value);
  if (value.sub_type !== REFERENCE) return value;
  const [id, taskName] = JSON.parse(Buffer.from(value.value()).toString('utf8')) as [string, string];
  return new JobReference(id, taskName);
}

function documentReference(bytes: Binary): DocumentReference {
  const { collection, id } = BSON.deserialize(bytes.value(), { useBigInt64: true }) as {
    readonly collection: string;
    readonly id: unknown;
  };
  return new DocumentReference(collection, id);
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
