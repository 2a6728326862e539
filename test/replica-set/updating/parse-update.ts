/** Tells the three styles of updates apart, and does those by pipeline and by replacement. */

import { stageNames } from '../pipeline/stage-registry.js';
import { parseTransform } from '../pipeline/transforms.js';
import { ServerError } from '../server-error.js';
import { identical } from '../values/identical.js';
import { type Doc, type Draft, fieldsOf, isArray, isDoc, setField, type Value } from '../values/value.js';
import { describeDiff } from './diff.js';
import { fillTimestamps } from './fill-timestamps.js';
import { parseOperatorUpdate } from './operator-update.js';
import type { Update, UpdateContext } from './update.js';

const STAGES = ['$addFields', '$set', '$project', '$unset', '$replaceRoot', '$replaceWith'];

export function parseUpdate(update: Value, context: UpdateContext): Update {
  if (isArray(update)) return pipelineUpdate(update, context);
  if (!isDoc(update)) throw new ServerError('FailedToParse', 'Update argument must be either an object or an array');
  const [first] = Object.keys(update);
  return first?.startsWith('$') ? parseOperatorUpdate(update, context) : replacement(update, context);
}

function pipelineUpdate(stages: readonly Value[], { env, arrayFilters }: UpdateContext): Update {
  if (arrayFilters.size > 0) throw new ServerError('FailedToParse', 'arrayFilters may not be specified for pipeline-syle updates');
  const transforms = stages.map((stage) => {
    const [name] = isDoc(stage) ? Object.keys(stage) : [];
    if (!isDoc(stage) || name === undefined || Object.keys(stage).length !== 1) {
      throw new ServerError(40323, 'A pipeline stage specification object must contain exactly one field.');
    }
    if (!STAGES.includes(name)) throw refusedStage(name);
    return parseTransform(name, stage[name] ?? null, env);
  });
  return {
    isReplacement: false,
    describe: describeDiff,
    apply: (doc) => {
      const result = idFirst(
        transforms.reduce((so, transform) => transform(so), doc),
        doc,
      );
      refuseDollarFields(result);
      return identical(result, doc) ? doc : result;
    },
  };
}

function refusedStage(name: string): ServerError {
  if (!stageNames().includes(name)) return new ServerError(40324, `Unrecognized pipeline stage name: '${name}'`);
  return new ServerError('InvalidOptions', `${name} is not allowed to be used within an update`);
}

/** A pipeline that drops `_id` keeps it nevertheless. */
function idFirst(result: Doc, before: Doc): Doc {
  const id = result['_id'] ?? before['_id'];
  if (id === undefined || Object.keys(result)[0] === '_id') return result;
  return { _id: id, ...result };
}

function replacement(doc: Doc, { time, arrayFilters }: UpdateContext): Update {
  if (arrayFilters.size > 0) throw new ServerError('FailedToParse', 'arrayFilters may not be specified for replacement-style updates');
  refuseDollarFields(doc);
  return {
    isReplacement: true,
    describe: () => undefined,
    apply: (before) => {
      const next: Draft = {};
      const id = before['_id'] ?? doc['_id'];
      if (id !== undefined) next['_id'] = id;
      for (const [name, value] of fieldsOf(doc)) setField(next, name, value);
      const result = fillTimestamps(next, () => time.timestamp());
      return identical(result, before) ? before : result;
    },
  };
}

function refuseDollarFields(doc: Doc): void {
  const bad = Object.keys(doc).find((name) => name.startsWith('$'));
  if (bad !== undefined)
    throw new ServerError('DollarPrefixedFieldName', `The dollar ($) prefixed field '${bad}' in '${bad}' is not valid for storage.`);
}
