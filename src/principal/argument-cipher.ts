/** Encrypts arguments one by one, each bound to its job, its task and its place: AES-256-GCM, with a nonce of its own. */

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { types } from 'node:util';
import { Payload } from '../job/payload.js';
import { bytesOf, payloadOf } from '../job/payload-bytes.js';
import { encodeFields } from './length-prefixed.js';

const CIPHER = 'aes-256-gcm';
/** The start of an encrypted value: its version, and the length of its key's name, which follows. */
const HEAD_BYTES = 2;
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where an argument stands; it can be read nowhere else. */
export interface ArgumentPosition {
  readonly id: string;
  readonly taskName: string;
  readonly index: number;
}

/** Finds a key by its name. @throws SealError for one that is not there */
export type FindKey = (name: string) => KeyObject;

export function encrypted(value: unknown, place: ArgumentPosition, { name, key }: { name: string; key: KeyObject }): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(boundTo(place));
  const text = Buffer.concat([cipher.update(bytesOf(Payload.of(value, pathOf(place)))), cipher.final()]);
  const keyName = Buffer.from(name, 'utf8');
  return Buffer.concat([Buffer.of(VERSION, keyName.byteLength), keyName, nonce, cipher.getAuthTag(), text]);
}

/** @throws what `findKey` throws; Error for a value that was not encrypted for this place */
export function decrypted(stored: unknown, place: ArgumentPosition, findKey: FindKey): unknown {
  if (!types.isUint8Array(stored) || stored[0] !== VERSION) throw new Error(`${pathOf(place)} is not encrypted`);
  const nameEnd = HEAD_BYTES + (stored[1] ?? 0);
  const nonceEnd = nameEnd + NONCE_BYTES;
  const tagEnd = nonceEnd + TAG_BYTES;
  const key = findKey(Buffer.from(stored.subarray(HEAD_BYTES, nameEnd)).toString('utf8'));
  const decipher = createDecipheriv(CIPHER, key, stored.subarray(nameEnd, nonceEnd), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(place)).setAuthTag(stored.subarray(nonceEnd, tagEnd));
  const bytes = Buffer.concat([decipher.update(stored.subarray(tagEnd)), decipher.final()]);
  return payloadOf(bytes, pathOf(place)).read();
}

function boundTo({ id, taskName, index }: ArgumentPosition): Buffer {
  return encodeFields(['millrace argument 1', id, taskName, String(index)]);
}

function pathOf({ index }: ArgumentPosition): string {
  return `arguments[${index}]`;
}
