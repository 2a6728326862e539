/** `aggregate` and `distinct`. */

import { openChangeStream } from '../change-streams/open-change-stream.js';
import { type Aggregation, planAggregation } from '../pipeline/plan-aggregation.js';
import { nameAndSpec, type PipelineContext } from '../pipeline/stage.js';
import { ServerError } from '../server-error.js';
import { numberOf } from '../values/numbers.js';
import type { Doc, Value } from '../values/value.js';
import { beginCursor, FIRST_BATCH, sourceFrom } from './batches.js';
import type { Call, Command } from './command.js';
import { distinctValues, planDistinct } from './distinct-plan.js';
import { collectionName, optionalDoc, refuseUnknown, refuseUnsupported, requiredArray } from './fields.js';
import { hintOf, sourceOf, variablesOf } from './reading.js';

const UNSUPPORTED = ['explain', 'collation', 'bypassDocumentValidation', 'collectionUUID'];

export const aggregate: Command = {
  kind: 'read',
  options: ['pipeline', 'cursor', 'hint', 'allowDiskUse', 'let', ...UNSUPPORTED],
  inTransaction: true,
  run: (call) => {
    const { body, database } = call;
    const cursor = optionalDoc(body, 'cursor');
    if (cursor === undefined)
      throw new ServerError('FailedToParse', "The 'cursor' option is required, except for aggregate with the explain argument");
    refuseUnknown(cursor, 'cursor', ['batchSize']);
    const size = numberOf(cursor['batchSize']) ?? FIRST_BATCH;
    const pipeline = requiredArray(body, 'pipeline');
    const [first] = pipeline;
    if (first !== undefined && nameAndSpec(first)[0] === '$changeStream') {
      const name = typeof body['aggregate'] === 'string' ? body['aggregate'] : undefined;
      const source = openChangeStream(call, { collection: name, pipeline });
      return beginCursor(call, source, { namespace: `${database}.${name ?? '$cmd.aggregate'}`, size });
    }
    return beginCursor(call, sourceFrom(planned(call).run()), { namespace: `${database}.${collectionName(call)}`, size });
  },
};

export function planned(call: Call): Aggregation {
  refuseUnsupported(call.body, 'aggregate', UNSUPPORTED);
  return planAggregation(aggregatedCollection(call), requiredArray(call.body, 'pipeline'), contextOf(call), hintOf(call.body['hint']));
}

function aggregatedCollection(call: Call): string {
  if (typeof call.body['aggregate'] === 'string') return collectionName(call);
  throw new ServerError('InvalidNamespace', '{aggregate: 1} is not valid for this pipeline; a collection is required');
}

function contextOf(call: Call): PipelineContext {
  return { env: variablesOf(call), database: call.database, source: (name) => sourceOf(call, name) };
}

export const distinct: Command = {
  kind: 'read',
  options: ['key', 'query', 'hint', 'collation'],
  inTransaction: true,
  onCollection: true,
  run: (call): Doc => {
    const { plan, key } = planDistinct(call);
    const values: Value[] = distinctValues(plan, key);
    return { values };
  },
};
