/** Stages that make one document of one: `$set`, `$unset`, `$project`, `$replaceWith` and their other names. */

import { compileExpression } from '../expressions/expression.js';
import { type Environment, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { typeName } from '../values/types.js';
import { type Doc, isArray, isDoc, type Value } from '../values/value.js';
import { parseAddFields } from './add-fields.js';
import { parseProjection } from './projection.js';

export type Transform = (doc: Doc) => Doc;

export function parseTransform(stage: string, spec: Value, env: Environment): Transform {
  switch (stage) {
    case '$addFields':
    case '$set':
      if (!isDoc(spec)) throw new ServerError(40272, `${stage} specification stage must be an object, got ${typeName(spec)}`);
      return parseAddFields(spec, env);
    case '$unset':
      return parseUnset(spec, env);
    case '$project':
      if (!isDoc(spec)) throw new ServerError(15969, '$project specification must be an object');
      return parseProjection(spec, env);
    case '$replaceRoot':
      if (!isDoc(spec) || spec['newRoot'] === undefined) throw new ServerError(40231, 'no newRoot specified for the $replaceRoot stage');
      return replaceWith(spec['newRoot'], env);
    default:
      return replaceWith(spec, env);
  }
}

function parseUnset(spec: Value, env: Environment): Transform {
  const fields = isArray(spec) ? spec : [spec];
  if (fields.length === 0) throw new ServerError(31119, '$unset specification must be a string or an array with at least one field');
  const names = fields.map((name) => {
    if (typeof name !== 'string')
      throw new ServerError(31120, '$unset specification must be a string or an array containing only string values');
    if (name.startsWith('$'))
      throw new ServerError(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
    return [name, false] as const;
  });
  return parseProjection(Object.fromEntries(names), env);
}

function replaceWith(expression: Value, env: Environment): Transform {
  const evaluate = compileExpression(expression, env);
  return (doc) => {
    const root = evaluate(scopeOf(doc));
    if (isDoc(root)) return root;
    throw new ServerError(40228, `'newRoot' expression must evaluate to an object, but resulting value was of type: ${typeName(root)}`);
  };
}
