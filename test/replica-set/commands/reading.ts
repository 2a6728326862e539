/** The parts that reading commands share: their view, their variables, and filters and hints as queries take them. */

import type { View } from '../documents/stored.js';
import { evaluateConstant } from '../expressions/expression.js';
import { type Environment, environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import { END_OF_TIME, toTimestamp } from '../oplog/op-time.js';
import type { Source } from '../planning/nodes/plan-node.js';
import type { Query } from '../planning/query.js';
import { ServerError } from '../server-error.js';
import { type Doc, type Draft, fieldsOf, isDoc, type Maybe, type Value } from '../values/value.js';
import type { Call } from './command.js';
import { optionalDoc } from './fields.js';

/** The collection as this command sees it; undefined when there is none. */
export function sourceOf(call: Call, name: string): Source | undefined {
  const collection = call.server.catalog.find(call.database, name);
  if (collection === undefined) return undefined;
  call.transaction?.locked.add(collection);
  return { collection, view: viewOf(call) };
}

function viewOf({ server, transaction, session, body }: Call): () => View {
  if (transaction !== undefined) return () => transaction.view;
  const level = optionalDoc(body, 'readConcern')?.['level'];
  if (level === 'majority') return () => ({ at: server.history.majority, owner: undefined });
  if (level === 'snapshot') {
    const at = session?.snapshotAt ?? server.history.majority;
    return () => ({ at, owner: undefined });
  }
  return () => LATEST;
}

const LATEST: View = { at: END_OF_TIME, owner: undefined };

/** `$$NOW` and `$$CLUSTER_TIME`, one value for the whole command, and the command's `let`. */
export function variablesOf({ server, body }: Call): Environment {
  const constants: Record<string, Maybe> = { NOW: server.now(), CLUSTER_TIME: toTimestamp(server.history.applied) };
  const system = environment(constants);
  const bound: Record<string, Maybe> = {};
  for (const [name, value] of fieldsOf(optionalDoc(body, 'let') ?? {})) bound[name] = evaluateConstant(value, system);
  return environment({ ...constants, ...bound });
}

export function filterQuery(filter: Doc, env: Environment, hint?: Maybe): Query {
  return { filter, predicate: parseFilter(filter, { env, allowsExpr: true }), hint: hintOf(hint) };
}

export function hintOf(hint: Maybe): Value | undefined {
  if (hint === undefined || hint === null) return undefined;
  if (typeof hint === 'string' || isDoc(hint)) return hint;
  throw new ServerError('FailedToParse', 'Hint must be a string or an object');
}

/** A first batch or a next one, as answers carry it. */
export function cursorDoc(
  batch: readonly Doc[],
  { field, id, namespace, extra }: { field: 'firstBatch' | 'nextBatch'; id: Value; namespace: string; extra?: Doc },
): Draft {
  return { cursor: { [field]: batch, id, ns: namespace, ...extra } };
}
