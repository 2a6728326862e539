/** `find`, `getMore`, `killCursors`. */

import { Int32, Long } from 'mongodb';
import type { Environment } from '../expressions/scope.js';
import { pickedFields } from '../pipeline/plan-aggregation.js';
import { parseProjection } from '../pipeline/projection.js';
import { planQuery, querySort } from '../planning/choose-plan.js';
import type { PlanNode } from '../planning/nodes/plan-node.js';
import type { Query, QueryProjection } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';
import { beginCursor, FIRST_BATCH, sourceFrom, takeBatch } from './batches.js';
import type { Call, Command } from './command.js';
import type { Cursor } from './cursors.js';
import {
  collectionName,
  optionalBoolean,
  optionalCount,
  optionalDoc,
  optionalNumber,
  refuseUnsupported,
  requiredArray,
  requiredString,
} from './fields.js';
import { cursorDoc, filterQuery, sourceOf, variablesOf } from './reading.js';

const UNSUPPORTED = ['tailable', 'awaitData', 'oplogReplay', 'max', 'min', 'returnKey', 'showRecordId', 'collation', 'allowPartialResults'];

export const find: Command = {
  kind: 'read',
  options: [
    'filter',
    'sort',
    'projection',
    'hint',
    'skip',
    'limit',
    'batchSize',
    'singleBatch',
    'noCursorTimeout',
    'allowDiskUse',
    'let',
    ...UNSUPPORTED,
  ],
  inTransaction: true,
  onCollection: true,
  run: (call) => {
    const plan = planFind(call);
    const { body } = call;
    const size = optionalCount(body, 'batchSize') ?? FIRST_BATCH;
    const limit = optionalNumber(body, 'limit') ?? 0;
    const isSingle = (optionalBoolean(body, 'singleBatch') ?? false) || limit < 0;
    const source = sourceFrom(documents(plan));
    return beginCursor(call, source, { namespace: `${call.database}.${collectionName(call)}`, size, isSingle });
  },
};

function* documents(plan: PlanNode): Generator<Doc> {
  for (const { doc } of plan.rows()) yield doc;
}

export function planFind(call: Call): PlanNode {
  return planQuery(sourceOf(call, collectionName(call)), findQuery(call));
}

function findQuery(call: Call): Query {
  const { body } = call;
  refuseUnsupported(body, 'find', UNSUPPORTED);
  const env = variablesOf(call);
  const sort = optionalDoc(body, 'sort');
  const limit = Math.abs(optionalNumber(body, 'limit') ?? 0);
  const projection = optionalDoc(body, 'projection');
  return {
    ...filterQuery(optionalDoc(body, 'filter') ?? {}, env, body['hint']),
    sort: sort === undefined ? undefined : querySort(sort),
    skip: optionalCount(body, 'skip'),
    limit: limit === 0 ? undefined : limit,
    projection: projection === undefined || Object.keys(projection).length === 0 ? undefined : findProjection(projection, env),
  };
}

export function findProjection(spec: Doc, env: Environment): QueryProjection {
  return { spec, apply: parseProjection(spec, env, true), picks: pickedFields(spec) };
}

export const getMore: Command = {
  kind: 'any',
  options: ['collection', 'batchSize', 'term', 'lastKnownCommittedOpTime'],
  inTransaction: true,
  run: async (call) => {
    const { server, body, database } = call;
    const id = body['getMore'];
    if (!(id instanceof Long))
      throw new ServerError('TypeMismatch', "BSON field 'getMore.getMore' is the wrong type, expected type 'long'");
    const namespace = `${database}.${requiredString(body, 'collection')}`;
    const cursor = server.cursors.find(id);
    refuseForeign(cursor, call, namespace);
    const most = optionalCount(body, 'batchSize') || Number.POSITIVE_INFINITY;
    if (cursor.source.isAwaiting) await waitForNews(call, cursor, id);
    else if (body['maxTimeMS'] !== undefined)
      throw new ServerError('BadValue', 'cannot set maxTimeMS on getMore command for a non-awaitData cursor');
    if (!server.cursors.has(id)) throw new ServerError('CursorKilled', 'cursor was killed while a getMore waited');
    const batch = readBatch(cursor, most, () => server.cursors.close(id));
    const isOver = cursor.source.isExhausted();
    if (isOver) server.cursors.close(id);
    return cursorDoc(batch, { field: 'nextBatch', id: isOver ? Long.ZERO : id, namespace, extra: cursor.source.extra() });
  },
};

const AWAIT_MS = 1000;

/** Waits until something has come, or as long as the client allows. */
async function waitForNews({ server, body, operation, client }: Call, { source }: Cursor, id: Long): Promise<void> {
  server.writeNoop();
  const timeoutMs = optionalCount(body, 'maxTimeMS') ?? AWAIT_MS;
  await server.waiting.until(() => client.isClosed || !server.cursors.has(id) || source.hasNews(), {
    timeoutMs,
    interruption: () => operation.interruption,
  });
}

/** A cursor that failed is gone. */
function readBatch({ source }: Cursor, most: number, close: () => void): Doc[] {
  try {
    return takeBatch(source, most);
  } catch (error) {
    close();
    throw error;
  }
}

function refuseForeign(cursor: Cursor, { session, transaction }: Call, namespace: string): void {
  if (cursor.namespace !== namespace) {
    throw new ServerError(
      'Unauthorized',
      `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
    );
  }
  if (cursor.sessionId !== session?.id) throw foreignSession(cursor.sessionId, session?.id);
  if (cursor.transaction !== transaction)
    throw new ServerError(50740, 'Cannot run getMore on a cursor in another transaction than the one it was created in');
}

function foreignSession(opened: string | undefined, asks: string | undefined): ServerError {
  if (opened === undefined)
    return new ServerError(50736, `Cannot run getMore on a cursor, which was not created in a session, in session ${asks}`);
  if (asks === undefined)
    return new ServerError(50737, `Cannot run getMore on a cursor, which was created in session ${opened}, without an lsid`);
  return new ServerError(50738, `Cannot run getMore on a cursor, which was created in session ${opened}, in session ${asks}`);
}

export const killCursors: Command = {
  kind: 'any',
  options: ['cursors'],
  inTransaction: true,
  onCollection: true,
  run: ({ server, body }) => {
    const ids = requiredArray(body, 'cursors').map((id) => {
      if (id instanceof Long) return id;
      throw new ServerError('TypeMismatch', "BSON field 'killCursors.cursors' must be an array of longs");
    });
    const killed = ids.filter((id) => server.cursors.close(id));
    const notFound = ids.filter((id) => !killed.includes(id));
    return { cursorsKilled: killed, cursorsNotFound: notFound, cursorsAlive: [], cursorsUnknown: [] };
  },
};

export const count: Command = {
  kind: 'read',
  options: ['query', 'limit', 'skip', 'hint', 'fields', 'collation'],
  onCollection: true,
  run: (call) => {
    const plan = planCount(call);
    let n = 0;
    for (const _ of plan.rows()) n++;
    return { n: new Int32(n) };
  },
};

export function planCount(call: Call): PlanNode {
  const { body } = call;
  refuseUnsupported(body, 'count', ['collation']);
  const limit = Math.abs(optionalNumber(body, 'limit') ?? 0);
  return planQuery(sourceOf(call, collectionName(call)), {
    ...filterQuery(optionalDoc(body, 'query') ?? {}, variablesOf(call), body['hint']),
    skip: optionalCount(body, 'skip'),
    limit: limit === 0 ? undefined : limit,
    isCount: true,
  });
}
