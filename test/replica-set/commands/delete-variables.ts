/** The variables of a delete's filter: its `let`, but neither `$$NOW` nor `$$CLUSTER_TIME`, which the server refuses there. */

import { evaluateConstant } from '../expressions/expression.js';
import { type Environment, environment } from '../expressions/scope.js';
import { fieldsOf, type Maybe } from '../values/value.js';
import type { Call } from './command.js';
import { optionalDoc } from './fields.js';

export function deleteVariables({ body }: Call): Environment {
  const bound: Record<string, Maybe> = {};
  for (const [name, value] of fieldsOf(optionalDoc(body, 'let') ?? {})) bound[name] = evaluateConstant(value, environment());
  return environment(bound);
}
