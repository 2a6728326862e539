/** Stored values as bytes: no pipeline can take a part of them for an expression, and they come back as they were. */

import { Binary, BSON } from 'mongodb';
import { comeBackBy } from '../../../job/bson-library.js';
import { Payload } from '../../../job/payload.js';
import { bytesOf, payloadOf } from '../../../job/payload-bytes.js';

// The application has its values from the driver, whose BSON may be another copy than that of this package.
comeBackBy({ BSON, Binary });

/** The bytes of a storable value. */
export function toBytes(payload: Payload): Binary {
  return new Binary(bytesOf(payload));
}

/** The value of stored bytes; if these are damaged, a read of the value throws. @param path - what messages call it */
export function fromBytes(bytes: Binary, path: string): Payload {
  try {
    return payloadOf(bytes.buffer, path);
  } catch (cause) {
    return Payload.unreadable(path, cause);
  }
}

/** The bytes of an object of ours, such as a stored error, that has no `undefined` in it. */
export function encodeObject(object: object): Binary {
  return new Binary(BSON.serialize(object));
}

export function decodeObject<T>(bytes: Binary): T {
  return BSON.deserialize(bytes.buffer) as T;
}
