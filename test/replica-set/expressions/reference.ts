/** `$field.path` and `$$variable.path` in expressions. */

import { ServerError } from '../server-error.js';
import { field, type Path, splitPath } from '../values/paths.js';
import { isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import type { Environment, Evaluate } from './scope.js';

export function compileReference(text: string, env: Environment): Evaluate {
  if (!text.startsWith('$$')) {
    const path = fieldPath(text.slice(1));
    if (env.locals.has('CURRENT')) return (scope) => follow(scope.locals['CURRENT'], path, 0);
    if (path.length === 1) return fieldOfRoot(path[0] ?? '');
    return (scope) => follow(scope.root, path, 0);
  }
  const [name = '', ...rest] = text.slice(2).split('.');
  const variable = compileVariable(name, env);
  if (rest.length === 0) return variable;
  const path = fieldPath(rest.join('.'));
  return (scope) => follow(variable(scope), path, 0);
}

function fieldOfRoot(name: string): Evaluate {
  return (scope) => field(scope.root, name);
}

function compileVariable(name: string, env: Environment): Evaluate {
  if (env.locals.has(name)) return (scope) => scope.locals[name];
  if (name === 'ROOT' || name === 'CURRENT') return (scope) => scope.root;
  if (name === 'REMOVE') return () => undefined;
  if (Object.hasOwn(env.constants, name)) {
    const value = env.constants[name];
    return () => value;
  }
  if (name === 'NOW') throw new ServerError(51144, "Builtin variable '$$NOW' is not available");
  if (name === 'CLUSTER_TIME') throw new ServerError(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
  throw new ServerError(17276, `Use of undefined variable: ${name}`);
}

/** Checks a path of field names, without the leading `$`. */
function fieldPath(text: string): Path {
  if (text === '') throw new ServerError(16872, "'$' by itself is not a valid FieldPath");
  if (text.endsWith('.')) throw new ServerError(40353, "FieldPath must not end with a '.'.");
  const path = splitPath(text);
  for (const part of path) {
    if (part === '') throw new ServerError(15998, 'FieldPath field names may not be empty strings.');
    if (part.startsWith('$'))
      throw new ServerError(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
  }
  return path;
}

/** Arrays on the way become arrays of the values in their elements. */
export function follow(value: Maybe, path: Path, at: number): Maybe {
  if (at === path.length) return value;
  if (isDoc(value)) return follow(field(value, path[at] ?? ''), path, at + 1);
  if (!isArray(value)) return undefined;
  return value.map((element) => follow(element, path, at)).filter((found): found is Value => found !== undefined);
}
