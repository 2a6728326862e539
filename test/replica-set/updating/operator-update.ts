/** Updates by operators, such as `{$set: {…}, $inc: {…}}`: parsed once, applied to each document. */

import { environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import { conjuncts, type Predicate } from '../matching/predicate.js';
import { ServerError } from '../server-error.js';
import { splitPath, valueAt } from '../values/paths.js';
import { type Doc, fieldsOf, isArray, isDoc, type Value } from '../values/value.js';
import { ARRAY_OPERATORS } from './array-operators.js';
import { describeTouched, type Touched } from './describe-touched.js';
import { FIELD_OPERATORS, type FieldOperator, setTo } from './field-operators.js';
import { type Modify, modifyPath, type Placeholders } from './modify-path.js';
import type { Update, UpdateContext } from './update.js';

interface Step {
  readonly path: string;
  readonly operator: string;
  /** Made for each document, since some operators write the time. */
  readonly modify: () => Modify;
  readonly onlyOnInsert: boolean;
}

const APPENDING = ['$push', '$addToSet'];
const LENIENT = ['$unset', '$pull', '$pullAll', '$pop'];

export function parseOperatorUpdate(update: Doc, context: UpdateContext): Update {
  const steps: Step[] = [];
  const renames: [from: string, to: string][] = [];
  for (const [name, argument] of fieldsOf(update)) {
    if (!isDoc(argument))
      throw new ServerError(
        'FailedToParse',
        `Modifiers operate on fields but we found type ${typeof argument} instead. For example: {$mod: {<field>: ...}} not {${name}: …}`,
      );
    if (name === '$rename') renames.push(...parseRenames(argument));
    else steps.push(...parseSteps(name, argument, context));
  }
  refuseOverlap([...steps.map(({ path }) => path), ...renames.flat()]);
  refuseUnusedFilters(steps, context);
  steps.sort((a, b) => (a.path < b.path ? -1 : 1));
  const touched: Touched[] = [
    ...steps.map(({ path, operator }) => ({ path, appends: APPENDING.includes(operator) })),
    ...renames.flat().map((path) => ({ path, appends: false })),
  ];
  return {
    isReplacement: false,
    describe: (before, after) => describeTouched(before, after, touched),
    apply: (doc, { isInsert }) => {
      const placeholders = placeholdersFor(doc, context);
      const changed = steps
        .filter(({ onlyOnInsert }) => isInsert || !onlyOnInsert)
        .reduce((so, { path, operator, modify }) => {
          return modifyPath(so, { path: splitPath(path), modify: modify(), placeholders, isLenient: LENIENT.includes(operator) });
        }, doc);
      return renames.reduce((so, [from, to]) => rename(so, from, to), changed);
    },
  };
}

function parseSteps(name: string, argument: Doc, context: UpdateContext): Step[] {
  const operator: FieldOperator | undefined = FIELD_OPERATORS[name] ?? ARRAY_OPERATORS[name];
  if (operator === undefined) {
    throw new ServerError(
      'FailedToParse',
      `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  }
  return fieldsOf(argument).map(([path, value]) => {
    checkPath(path);
    operator(value, path, context.time);
    return { path, operator: name, modify: () => operator(value, path, context.time), onlyOnInsert: name === '$setOnInsert' };
  });
}

function checkPath(path: string): void {
  if (path === '') throw new ServerError('EmptyFieldName', 'An empty update path is not valid.');
  const parts = splitPath(path);
  if (parts.some((part) => part === ''))
    throw new ServerError('EmptyFieldName', `The update path '${path}' contains an empty field name, which is not allowed.`);
  if (parts[0]?.startsWith('$'))
    throw new ServerError('DollarPrefixedFieldName', `The dollar ($) prefixed field '${parts[0]}' in '${path}' is not valid for storage.`);
}

function parseRenames(argument: Doc): [from: string, to: string][] {
  return fieldsOf(argument).map(([from, to]) => {
    if (typeof to !== 'string') throw new ServerError('BadValue', `The 'to' field for $rename must be a string: ${from}`);
    checkPath(from);
    checkPath(to);
    if (from === to) throw new ServerError('BadValue', `The source and target field for $rename must differ: ${from}: "${to}"`);
    return [from, to];
  });
}

/** Two operators may not write the same field, nor one inside what another writes. */
function refuseOverlap(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths.toSorted()) {
    const parts = splitPath(path);
    const conflict = parts.map((_, i) => parts.slice(0, i + 1).join('.')).find((prefix) => seen.has(prefix));
    if (conflict !== undefined) {
      throw new ServerError('ConflictingUpdateOperators', `Updating the path '${path}' would create a conflict at '${conflict}'`);
    }
    seen.add(path);
  }
}

function rename(doc: Doc, from: string, to: string): Doc {
  const value = valueAt(doc, splitPath(from));
  if (value === undefined) return doc;
  const none = NO_PLACEHOLDERS;
  const removed = modifyPath(doc, { path: splitPath(from), modify: () => undefined, placeholders: none, isLenient: true });
  return modifyPath(removed, { path: splitPath(to), modify: setTo(value), placeholders: none, isLenient: false });
}

const NO_PLACEHOLDERS: Placeholders = { positional: () => -1, isMeant: () => false };

function placeholdersFor(doc: Doc, { filter, arrayFilters }: UpdateContext): Placeholders {
  return {
    positional: (pathBefore) => positionalIndex(doc, pathBefore, filter),
    isMeant: (name, element) => {
      const test = arrayFilters.get(name);
      if (test === undefined) throw new ServerError('BadValue', `No array filter found for identifier '${name}'`);
      return test(element);
    },
  };
}

/** The first element of the array that the filter's predicates on it accept. */
function positionalIndex(doc: Doc, path: string, filter: Predicate): number {
  const array = valueAt(doc, splitPath(path));
  const tests = conjuncts(filter).filter((part) => part.kind === 'leaf' && (part.path === path || part.path.startsWith(`${path}.`)));
  const index =
    isArray(array) && tests.length > 0 ? array.findIndex((element) => tests.some(({ matches }) => matches(holding(path, [element])))) : -1;
  if (index < 0) throw new ServerError('BadValue', 'The positional operator did not find the match needed from the query.');
  return index;
}

function holding(path: string, value: Value): Doc {
  return splitPath(path).reduceRight<Value>((inner, part) => ({ [part]: inner }), value) as Doc;
}

/** Parses `arrayFilters` into a test for each identifier. */
export function parseArrayFilters(filters: readonly Value[]): Map<string, (element: Value) => boolean> {
  const tests = new Map<string, (element: Value) => boolean>();
  for (const filter of filters) {
    if (!isDoc(filter)) throw new ServerError('TypeMismatch', 'BSON field arrayFilters must be an array of objects');
    const [path] = Object.keys(filter);
    const name = path === undefined ? '' : (splitPath(path)[0] ?? '');
    if (!/^[a-z][a-zA-Z0-9]*$/.test(name))
      throw new ServerError(
        'BadValue',
        `The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${name}'`,
      );
    if (tests.has(name)) throw new ServerError('FailedToParse', `Found multiple array filters with the same top-level field name ${name}`);
    const predicate = parseFilter(filter, { env: environment(), allowsExpr: false });
    tests.set(name, (element) => predicate.matches({ [name]: element }));
  }
  return tests;
}

function refuseUnusedFilters(steps: readonly Step[], { arrayFilters }: UpdateContext): void {
  for (const name of arrayFilters.keys()) {
    if (!steps.some(({ path }) => path.includes(`$[${name}]`))) {
      throw new ServerError('FailedToParse', `The array filter for identifier '${name}' was not used in the update`);
    }
  }
}
