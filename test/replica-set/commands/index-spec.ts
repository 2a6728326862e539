/** How an index is described to `createIndexes` and by `listIndexes`, and what the server refuses in it. */

import type { Collection } from '../documents/collection.js';
import type { CollectionIndex, IndexField, IndexSpec } from '../documents/collection-index.js';
import { environment } from '../expressions/scope.js';
import { parseFilter } from '../matching/parse-filter.js';
import type { Predicate } from '../matching/predicate.js';
import { samePattern } from '../planning/choose-plan.js';
import { ServerError } from '../server-error.js';
import { equal } from '../values/compare.js';
import { numberOf, wholeNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import { type Doc, fieldsOf } from '../values/value.js';
import { optionalBoolean, optionalDoc, optionalNumber, refuseUnsupported, requiredDoc, requiredString } from './fields.js';

const KNOWN = [
  'v',
  'key',
  'name',
  'unique',
  'background',
  'sparse',
  'hidden',
  'partialFilterExpression',
  'expireAfterSeconds',
  'collation',
  'ns',
];
const MAX_TTL_SECONDS = 2 ** 31 - 1;

export function parseIndexSpec(doc: Doc): IndexSpec {
  const unknown = Object.keys(doc).find((field) => !KNOWN.includes(field));
  if (unknown !== undefined) throw new ServerError(197, `The field '${unknown}' is not valid for an index specification.`);
  refuseUnsupported(doc, 'createIndexes', ['collation']);
  const fields = parseFields(requiredDoc(doc, 'key'));
  const filter = optionalDoc(doc, 'partialFilterExpression');
  const isSparse = optionalBoolean(doc, 'sparse') ?? false;
  if (filter !== undefined && isSparse)
    throw new ServerError('CannotCreateIndex', 'cannot mix "partialFilterExpression" and "sparse" options');
  return {
    name: requiredString(doc, 'name'),
    fields,
    isUnique: optionalBoolean(doc, 'unique') ?? false,
    isSparse,
    isHidden: optionalBoolean(doc, 'hidden') ?? false,
    partial: filter === undefined ? undefined : parsePartial(filter),
    expireAfterSeconds: parseTtl(doc, fields),
  };
}

function parseFields(key: Doc): IndexField[] {
  const entries = fieldsOf(key);
  if (entries.length === 0) throw new ServerError('CannotCreateIndex', 'Index keys cannot be an empty object.');
  if (entries.length > 32) throw new ServerError(13103, 'too many compound keys');
  return entries.map(([path, value]) => {
    const direction = numberOf(value);
    if (typeof value === 'string') throw refusedKind(value);
    if (direction === undefined)
      throw new ServerError(
        'CannotCreateIndex',
        `Values in v:2 index key pattern cannot be of type ${typeName(value)}. Only numbers > 0, numbers < 0, and strings are allowed.`,
      );
    if (direction === 0 || Number.isNaN(direction))
      throw new ServerError('CannotCreateIndex', 'Values in the index key pattern cannot be 0.');
    if (path === '' || path.split('.').includes(''))
      throw new ServerError('CannotCreateIndex', 'Index keys cannot contain an empty field.');
    if (path.includes('$**')) throw new ServerError('NotImplemented', 'the stand-in does not know wildcard indexes');
    if (path.startsWith('$'))
      throw new ServerError('CannotCreateIndex', "Index key contains an illegal field name: field name starts with '$'.");
    return { path, direction: direction > 0 ? 1 : -1 };
  });
}

function refusedKind(kind: string): ServerError {
  if (!['text', '2d', '2dsphere', 'hashed'].includes(kind)) return new ServerError('CannotCreateIndex', `Unknown index plugin '${kind}'`);
  return new ServerError('NotImplemented', `the stand-in does not know ${kind} indexes`);
}

function parseTtl(doc: Doc, fields: readonly IndexField[]): number | undefined {
  const seconds = optionalNumber(doc, 'expireAfterSeconds');
  if (seconds === undefined) return undefined;
  if (seconds < 0 || seconds > MAX_TTL_SECONDS)
    throw new ServerError(
      'CannotCreateIndex',
      `TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower number. Maximum is ${MAX_TTL_SECONDS}`,
    );
  if (fields.length > 1)
    throw new ServerError('CannotCreateIndex', 'TTL indexes are single-field indexes, compound indexes do not support TTL.');
  if (fields[0]?.path === '_id') throw new ServerError(197, "The field 'expireAfterSeconds' is not valid for an _id index specification.");
  return seconds;
}

function parsePartial(filter: Doc): NonNullable<IndexSpec['partial']> {
  const predicate = parseFilter(filter, { env: environment(), allowsExpr: true });
  refuseInPartial(predicate);
  return { filter, predicate };
}

const ALLOWED = ['$eq', '$gt', '$gte', '$lt', '$lte', '$type', '$in'];

function refuseInPartial(predicate: Predicate): void {
  if (predicate.kind === 'and' || predicate.kind === 'or') {
    for (const part of predicate.parts) refuseInPartial(part);
    return;
  }
  if (predicate.kind === 'leaf' && ALLOWED.includes(predicate.operator)) return;
  if (predicate.kind === 'leaf' && predicate.operator === '$exists' && predicate.value !== false && numberOf(predicate.value) !== 0) return;
  throw new ServerError(
    'CannotCreateIndex',
    'unsupported expression in partial index: only equality, $exists: true, $gt, $gte, $lt, $lte, $type, $and, $or, $in are allowed',
  );
}

/** Whether the very same index is there; one that differs only in part is a conflict. */
export function alreadyExists(collection: Collection, spec: IndexSpec): boolean {
  const twin = [...collection.indexes.values()].find((index) => isEquivalent(index, spec));
  const sameName = collection.indexes.get(spec.name);
  if (twin?.spec.fields[0]?.path === '_id' && twin.spec.name === '_id_') return true;
  if (sameName !== undefined && sameName !== twin) {
    throw new ServerError(
      'IndexKeySpecsConflict',
      `An existing index has the same name as the requested index. Requested index: ${spec.name}`,
    );
  }
  if (twin === undefined) return false;
  if (twin.spec.name !== spec.name)
    throw new ServerError('IndexOptionsConflict', `Index already exists with a different name: ${twin.spec.name}`);
  if (twin.spec.expireAfterSeconds !== spec.expireAfterSeconds || twin.spec.isHidden !== spec.isHidden) {
    throw new ServerError(
      'IndexOptionsConflict',
      `An equivalent index already exists with the same name but different options. Requested index: ${spec.name}`,
    );
  }
  return true;
}

/** Two indexes are the same index if they have the same keys, filter, `unique` and `sparse`. */
function isEquivalent({ spec: one, pattern }: CollectionIndex, other: IndexSpec): boolean {
  const otherPattern = Object.fromEntries(other.fields.map(({ path, direction }) => [path, direction]));
  const sameKind = one.isUnique === other.isUnique && one.isSparse === other.isSparse;
  if (one.name === '_id_') return samePattern(pattern, otherPattern);
  return sameKind && samePattern(pattern, otherPattern) && equal(one.partial?.filter ?? null, other.partial?.filter ?? null);
}

export function describeIndex({ spec, pattern }: CollectionIndex): Doc {
  return {
    v: 2,
    key: pattern,
    name: spec.name,
    ...(spec.isUnique && spec.name !== '_id_' ? { unique: true } : {}),
    ...(spec.isSparse ? { sparse: true } : {}),
    ...(spec.isHidden ? { hidden: true } : {}),
    ...(spec.partial === undefined ? {} : { partialFilterExpression: spec.partial.filter }),
    ...(spec.expireAfterSeconds === undefined ? {} : { expireAfterSeconds: wholeNumber(spec.expireAfterSeconds) }),
  };
}
