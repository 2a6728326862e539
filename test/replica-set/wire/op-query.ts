/** OP_QUERY and OP_REPLY, in which old handshakes still come. */

import type { Doc } from '../values/value.js';
import { MalformedMessage, readDocument } from './op-msg.js';

export const OP_QUERY = 2004;
export const OP_REPLY = 1;

export interface LegacyQuery {
  readonly namespace: string;
  readonly body: Doc;
}

/** @param payload the message after its header */
export function readQuery(payload: Buffer): LegacyQuery {
  const nameEnd = payload.indexOf(0, 4);
  const start = nameEnd + 9;
  if (nameEnd < 0 || start + 4 > payload.length) throw new MalformedMessage('a query without a document');
  const size = payload.readInt32LE(start);
  const namespace = payload.toString('utf8', 4, nameEnd);
  const body = readDocument(payload.subarray(start, start + size));
  return { namespace, body: { ...body, $db: namespace.split('.')[0] ?? 'admin' } };
}

/** The bytes between the header and the document of a reply: they say that there is one document. */
export const REPLY_PREFIX = Buffer.alloc(20);
REPLY_PREFIX.writeInt32LE(8, 0);
REPLY_PREFIX.writeInt32LE(1, 16);
