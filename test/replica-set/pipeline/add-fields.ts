/** `$set` and `$addFields`: computed fields, at paths or nested, also in every element of arrays. */

import { compileExpression } from '../expressions/expression.js';
import { type Environment, type Evaluate, type Scope, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { splitPath } from '../values/paths.js';
import { type Doc, type Draft, fieldsOf, isArray, isDoc, type Maybe, setField, type Value } from '../values/value.js';

type Additions = Map<string, Evaluate | Additions>;

export function parseAddFields(spec: Doc, env: Environment): (doc: Doc) => Doc {
  if (Object.keys(spec).length === 0) throw new ServerError(40177, 'specification must have at least one field');
  const additions: Additions = new Map();
  for (const [path, value] of fieldsOf(spec)) add(additions, splitPath(path), value, env);
  return (doc) => addTo(doc, additions, scopeOf(doc));
}

function add(into: Additions, [name = '', ...rest]: readonly string[], value: Value, env: Environment): void {
  if (name === '') throw new ServerError(15998, 'FieldPath field names may not be empty strings.');
  if (name.startsWith('$'))
    throw new ServerError(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
  const nested = rest.length > 0 || isNested(value);
  const existing = into.get(name);
  if (existing !== undefined && !(nested && existing instanceof Map)) {
    throw new ServerError(
      40176,
      `Invalid $addFields :: caused by :: specification contains two conflicting paths. Cannot specify both '${name}' and a path within it`,
    );
  }
  if (!nested) {
    into.set(name, compileExpression(value, env));
    return;
  }
  const inner: Additions = existing instanceof Map ? existing : new Map();
  into.set(name, inner);
  if (rest.length > 0) add(inner, rest, value, env);
  else if (isDoc(value)) for (const [path, part] of fieldsOf(value)) add(inner, [path], part, env);
}

/** A document of fields, not an operator; the empty one is a value. */
function isNested(value: Value): boolean {
  if (!isDoc(value)) return false;
  const [first] = Object.keys(value);
  return first !== undefined && !first.startsWith('$');
}

function addTo(doc: Doc, additions: Additions, scope: Scope): Doc {
  const result: Draft = {};
  for (const [name, value] of Object.entries(doc)) {
    const addition = additions.get(name);
    const next = addition === undefined ? value : added(addition, value, scope);
    if (next !== undefined) setField(result, name, next);
  }
  for (const [name, addition] of additions) {
    if (doc[name] !== undefined) continue;
    const value = added(addition, undefined, scope);
    if (value !== undefined) setField(result, name, value);
  }
  return result;
}

function added(addition: Evaluate | Additions, old: Maybe, scope: Scope): Maybe {
  if (!(addition instanceof Map)) return addition(scope);
  if (isArray(old)) return old.map((element) => added(addition, element, scope) ?? null);
  return addTo(isDoc(old) ? old : {}, addition, scope);
}
