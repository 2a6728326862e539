/** Reads the fields of a command, each of the type it must have. */

import { Long } from 'mongodb';
import { ServerError } from '../server-error.js';
import { isNumber, toNumber } from '../values/numbers.js';
import { typeName } from '../values/types.js';
import { type Doc, isArray, isDoc, type Maybe, type Value } from '../values/value.js';
import { type Call, type Command, GENERIC_FIELDS } from './command.js';

function wrongType(field: string, value: Maybe, expected: string): ServerError {
  return new ServerError('TypeMismatch', `BSON field '${field}' is the wrong type '${typeName(value)}', expected type '${expected}'`);
}

export function optionalDoc(doc: Doc, field: string): Doc | undefined {
  const value = doc[field];
  if (value === undefined || value === null) return undefined;
  if (isDoc(value)) return value;
  throw wrongType(field, value, 'object');
}

export function requiredDoc(doc: Doc, field: string): Doc {
  return optionalDoc(doc, field) ?? missing(field);
}

export function optionalArray(doc: Doc, field: string): readonly Value[] | undefined {
  const value = doc[field];
  if (value === undefined || value === null) return undefined;
  if (isArray(value)) return value;
  throw wrongType(field, value, 'array');
}

export function requiredArray(doc: Doc, field: string): readonly Value[] {
  return optionalArray(doc, field) ?? missing(field);
}

/** An array of documents. */
export function requiredDocs(doc: Doc, field: string): readonly Doc[] {
  return requiredArray(doc, field).map((value, i) => {
    if (isDoc(value)) return value;
    throw wrongType(`${field}.${i}`, value, 'object');
  });
}

export function optionalNumber(doc: Doc, field: string): number | undefined {
  const value = doc[field];
  if (value === undefined || value === null) return undefined;
  if (isNumber(value)) return toNumber(value);
  throw wrongType(field, value, "int', 'long', 'decimal', 'double");
}

/** A whole number of at least 0. */
export function optionalCount(doc: Doc, field: string): number | undefined {
  const value = optionalNumber(doc, field);
  if (value !== undefined && value < 0) throw new ServerError(51024, `BSON field '${field}' value must be >= 0, actual value '${value}'`);
  return value;
}

/** Also takes numbers, as the server does for old options. */
export function optionalBoolean(doc: Doc, field: string): boolean | undefined {
  const value = doc[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  if (isNumber(value)) return toNumber(value) !== 0;
  throw wrongType(field, value, 'bool');
}

function optionalString(doc: Doc, field: string): string | undefined {
  const value = doc[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw wrongType(field, value, 'string');
}

export function requiredString(doc: Doc, field: string): string {
  return optionalString(doc, field) ?? missing(field);
}

/** The name of the collection a command is for. */
export function collectionName({ name, body }: Pick<Call, 'name' | 'body'>): string {
  const value = body[name];
  if (value === '') throw new ServerError('InvalidNamespace', `Invalid namespace specified '${String(body['$db'])}.'`);
  if (typeof value === 'string') return value;
  throw new ServerError('InvalidNamespace', `collection name has invalid type ${typeName(value)}`);
}

export function optionalLong(doc: Doc, field: string): bigint | undefined {
  const value = doc[field];
  if (value === undefined) return undefined;
  if (value instanceof Long) return value.toBigInt();
  if (isNumber(value)) return BigInt(toNumber(value));
  throw wrongType(field, value, 'long');
}

function missing(field: string): never {
  throw new ServerError(40414, `BSON field '${field}' is missing but a required field`);
}

/** Refuses fields a document may not have. */
export function refuseUnknown(doc: Doc, name: string, known: readonly string[]): void {
  const unknown = Object.keys(doc).find((field) => !known.includes(field));
  if (unknown !== undefined) throw new ServerError(40415, `BSON field '${name}.${unknown}' is an unknown field.`);
}

/** Refuses fields that neither the command nor every command takes. */
export function refuseUnknownOptions(name: string, command: Command, body: Doc): void {
  for (const field of Object.keys(body)) {
    if (field !== name && !GENERIC_FIELDS.has(field) && !command.options.includes(field)) {
      throw new ServerError(40415, `BSON field '${name}.${field}' is an unknown field.`);
    }
  }
}

/** Options the server knows and the stand-in does not: better refused than half done. */
export function refuseUnsupported(body: Doc, name: string, fields: readonly string[]): void {
  for (const field of fields) {
    const value = body[field];
    const isDefault =
      value === undefined ||
      value === false ||
      value === null ||
      (isDoc(value) && (Object.keys(value).length === 0 || value['locale'] === 'simple'));
    if (!isDefault) throw new ServerError('NotImplemented', `the stand-in does not know the option ${field} of ${name}`);
  }
}
