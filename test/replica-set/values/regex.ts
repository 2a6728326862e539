/** Regular expressions of queries, translated from BSON. */

import { BSONRegExp } from 'mongodb';
import { ServerError } from '../server-error.js';
import type { Value } from './value.js';

/** @param options flags given beside the pattern (`$options`); those within a BSON regex count otherwise */
export function compileRegex(regex: Value, options?: string): RegExp {
  const pattern = regex instanceof BSONRegExp ? regex.pattern : regex;
  if (typeof pattern !== 'string') throw new ServerError('BadValue', '$regex has to be a string');
  const flags = options ?? (regex instanceof BSONRegExp ? regex.options : '');
  const unknown = [...flags].find((flag) => !'imsxu'.includes(flag));
  if (unknown !== undefined) throw new ServerError(51108, `invalid flag in regex options: ${unknown}`);
  if (flags.includes('x')) throw new ServerError('NotImplemented', 'the stand-in does not know the regex option x');
  try {
    return new RegExp(pattern, `u${flags.replace('u', '')}`);
  } catch (cause) {
    throw new ServerError(51091, `Regular expression is invalid: ${String(cause)}`);
  }
}

/** The literal text every match begins with; undefined when the pattern has none, so that an index can't narrow it. */
export function literalPrefix(regex: RegExp): string | undefined {
  if (regex.ignoreCase || regex.multiline || !regex.source.startsWith('^') || regex.source.includes('|')) return undefined;
  const [prefix = ''] = /^[^\\^$.*+?()[\]{}|]*/.exec(regex.source.slice(1)) ?? [];
  const next = regex.source[prefix.length + 1];
  const sure = next === '*' || next === '?' || next === '{' ? prefix.slice(0, -1) : prefix;
  return sure === '' ? undefined : sure;
}
