/** Cuts what a command yields into batches, and keeps a cursor for the rest. */

import { Long } from 'mongodb';
import { toTimestamp } from '../oplog/op-time.js';
import { MAX_DOCUMENT_BYTES, sizeOf } from '../values/size.js';
import type { Doc } from '../values/value.js';
import type { Call } from './command.js';
import type { BatchSource } from './cursors.js';
import { cursorDoc } from './reading.js';

export const FIRST_BATCH = 101;

/** Yields documents one by one, and knows whether there is one more. */
export function sourceFrom(documents: Iterator<Doc>): BatchSource {
  let ahead: IteratorResult<Doc> | undefined;
  const peek = (): IteratorResult<Doc> => {
    ahead ??= documents.next();
    return ahead;
  };
  return {
    isAwaiting: false,
    peek: () => {
      const { value, done } = peek();
      return done ? undefined : value;
    },
    take: () => {
      if (ahead?.done !== true) ahead = undefined;
    },
    isExhausted: () => peek().done === true,
    hasNews: () => true,
    extra: () => ({}),
  };
}

/** As many documents as are there, up to a number and to the size of an answer. */
export function takeBatch(source: BatchSource, most: number): Doc[] {
  const batch: Doc[] = [];
  let bytes = 0;
  while (batch.length < most) {
    const doc = source.peek();
    if (doc === undefined) break;
    bytes += sizeOf(doc);
    if (batch.length > 0 && bytes > MAX_DOCUMENT_BYTES) break;
    batch.push(doc);
    source.take();
  }
  return batch;
}

export interface FirstBatch {
  readonly namespace: string;
  readonly size: number;
  /** Whether no cursor is to be kept, whatever is left. */
  readonly isSingle?: boolean;
}

/** The answer that begins a cursor. */
export function beginCursor(call: Call, source: BatchSource, { namespace, size, isSingle = false }: FirstBatch): Doc {
  const batch = takeBatch(source, size);
  const isOver = isSingle || (size > 0 && source.isExhausted());
  const { server, session, transaction } = call;
  const id = isOver ? Long.ZERO : server.cursors.open({ namespace, sessionId: session?.id, transaction, source }, server.clock.now());
  const snapshot = snapshotField(call);
  return cursorDoc(batch, { field: 'firstBatch', id, namespace, extra: { ...source.extra(), ...snapshot } });
}

function snapshotField({ body, session }: Call): Doc {
  const concern = body['readConcern'] as Doc | undefined;
  if (concern?.['level'] !== 'snapshot' || session?.snapshotAt === undefined) return {};
  return { atClusterTime: toTimestamp(session.snapshotAt) };
}
