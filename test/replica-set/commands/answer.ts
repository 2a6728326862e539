/** The fields of every answer beside its own: the times. */

import { Binary, Long } from 'mongodb';
import { toTimestamp } from '../oplog/op-time.js';
import type { Server } from '../server.js';
import type { Doc } from '../values/value.js';

const SIGNATURE: Doc = { hash: new Binary(new Uint8Array(20)), keyId: Long.ZERO };

export function answered({ history }: Server, doc: Doc): Doc {
  const now = toTimestamp(history.applied);
  return { ...doc, $clusterTime: { clusterTime: now, signature: SIGNATURE }, operationTime: now };
}
