/** Projections of `$project` and of `find`: fields included, excluded or computed. */

import { compileExpression } from '../expressions/expression.js';
import { type Environment, type Evaluate, type Scope, scopeOf } from '../expressions/scope.js';
import { ServerError } from '../server-error.js';
import { isNumber, toNumber } from '../values/numbers.js';
import { splitPath } from '../values/paths.js';
import { type Doc, type Draft, fieldsOf, isArray, isDoc, type Maybe, setField, type Value } from '../values/value.js';
import { isFindOperator, parseFindOperator } from './find-projection.js';

type Rule = 'include' | 'exclude' | Evaluate | Rules;
type Rules = Map<string, Rule>;

interface Parsing {
  readonly env: Environment;
  /** Whether operators of `find` such as `$slice` on an array field are meant. */
  readonly isFind: boolean;
  includes: boolean;
  excludes: boolean;
  readonly after: ((doc: Doc, original: Doc) => Doc)[];
}

export function parseProjection(spec: Doc, env: Environment, isFind = false): (doc: Doc) => Doc {
  if (!isFind && Object.keys(spec).length === 0)
    throw new ServerError(51272, 'Invalid $project :: caused by :: projection specification must have at least one field');
  const rules: Rules = new Map();
  const parsing: Parsing = { env, isFind, includes: false, excludes: false, after: [] };
  for (const [path, value] of fieldsOf(spec)) addRule(rules, path, value, parsing);
  const isExclusion =
    parsing.excludes || (!parsing.includes && ([...rules.values()].every((rule) => rule === 'exclude') || rules.size === 0));
  if (!isExclusion && !rules.has('_id')) rules.set('_id', 'include');
  const apply = isExclusion ? exclude : include;
  const after = parsing.after;
  return (doc) => after.reduce((so, step) => step(so, doc), apply(doc, rules, scopeOf(doc)));
}

function addRule(rules: Rules, path: string, value: Value, parsing: Parsing): void {
  if (path.startsWith('$'))
    throw new ServerError(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
  if (parsing.isFind && isFindOperator(path, value)) {
    const { field, apply, includes } = parseFindOperator(path, value);
    parsing.after.push(apply);
    if (includes) {
      parsing.includes = true;
      place(rules, splitPath(field), 'include', path);
    }
    return;
  }
  if (isDoc(value) && !Object.keys(value)[0]?.startsWith('$')) {
    if (Object.keys(value).length === 0)
      throw new ServerError(51270, 'An empty sub-projection is not a valid value. Found empty object at path');
    for (const [inner, part] of fieldsOf(value)) addRule(rules, `${path}.${inner}`, part, parsing);
    return;
  }
  place(rules, splitPath(path), ruleOf(path, value, parsing), path);
}

function ruleOf(path: string, value: Value, parsing: Parsing): Rule {
  const flag = isNumber(value) ? toNumber(value) !== 0 : typeof value === 'boolean' ? value : undefined;
  if (flag === undefined) {
    if (parsing.excludes) throw new ServerError(31252, `Cannot use an expression ${path} in an exclusion projection`);
    parsing.includes = true;
    return compileExpression(value, parsing.env);
  }
  if (path !== '_id') {
    if (flag) parsing.includes = true;
    else parsing.excludes = true;
    if (parsing.includes && parsing.excludes) {
      const kind = flag ? ['inclusion', 'exclusion', 31253] : ['exclusion', 'inclusion', 31254];
      throw new ServerError(
        Number(kind[2]),
        `Invalid $project :: caused by :: Cannot do ${kind[0]} on field ${path} in ${kind[1]} projection`,
      );
    }
  }
  return flag ? 'include' : 'exclude';
}

function place(rules: Rules, [name = '', ...rest]: readonly string[], rule: Rule, path: string): void {
  const existing = rules.get(name);
  if (existing !== undefined && !(existing instanceof Map && rest.length > 0)) throw new ServerError(31249, `Path collision at ${path}`);
  if (rest.length === 0) {
    rules.set(name, rule);
    return;
  }
  const inner = existing instanceof Map ? existing : new Map<string, Rule>();
  rules.set(name, inner);
  place(inner, rest, rule, path);
}

function include(doc: Doc, rules: Rules, scope: Scope): Doc {
  const result: Draft = {};
  for (const [name, value] of fieldsOf(doc)) {
    const rule = rules.get(name);
    const kept = rule === 'include' ? value : rule instanceof Map ? within(value, rule, scope) : undefined;
    if (kept !== undefined) setField(result, name, kept);
  }
  for (const [name, rule] of rules) {
    const value = computed(rule, doc[name], scope);
    if (value !== undefined) setField(result, name, value);
  }
  return result;
}

function within(value: Value, rules: Rules, scope: Scope): Maybe {
  if (isDoc(value)) return include(value, rules, scope);
  if (!isArray(value)) return undefined;
  return value.map((element) => within(element, rules, scope)).filter((element): element is Value => element !== undefined);
}

/** A computed field, also one within a document that is not there. */
function computed(rule: Rule, old: Maybe, scope: Scope): Maybe {
  if (typeof rule === 'function') return rule(scope);
  if (!(rule instanceof Map) || isDoc(old) || isArray(old) || !computes(rule)) return undefined;
  return include({}, rule, scope);
}

function computes(rules: Rules): boolean {
  return [...rules.values()].some((rule) => typeof rule === 'function' || (rule instanceof Map && computes(rule)));
}

function exclude(doc: Doc, rules: Rules, scope: Scope): Doc {
  const result: Draft = {};
  for (const [name, value] of fieldsOf(doc)) {
    const rule = rules.get(name);
    if (rule === 'exclude') continue;
    setField(result, name, rule instanceof Map ? leaveOut(value, rule, scope) : value);
  }
  return result;
}

function leaveOut(value: Value, rules: Rules, scope: Scope): Value {
  if (isDoc(value)) return exclude(value, rules, scope);
  return isArray(value) ? value.map((element) => leaveOut(element, rules, scope)) : value;
}
