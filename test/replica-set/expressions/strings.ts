/** Expressions on strings. */

import { Int32 } from 'mongodb';
import { ServerError } from '../server-error.js';
import { compareStrings } from '../values/compare.js';
import { toNumber } from '../values/numbers.js';
import { compileRegex } from '../values/regex.js';
import { typeName } from '../values/types.js';
import type { Maybe, Value } from '../values/value.js';
import { ANY_NUMBER, eager, isNullish, named, needNumber, needString } from './arguments.js';
import { stringOf } from './conversions.js';
import type { Operator } from './expression.js';

function concat(...parts: Maybe[]): Maybe {
  let text = '';
  for (const part of parts) {
    if (isNullish(part)) return null;
    if (typeof part !== 'string') throw new ServerError(16702, `$concat only supports strings, not ${typeName(part)}`);
    text += part;
  }
  return text;
}

function onText(name: string, apply: (text: string) => Maybe): Operator {
  return eager(name, [1, 1], (value) => apply(isNullish(value) ? '' : stringOf(value)));
}

function substring(name: string, units: (text: string) => Iterable<string> | Buffer): Operator {
  return eager(name, [3, 3], (value, from, count) => {
    const text = isNullish(value) ? '' : stringOf(value);
    const start = toNumber(needNumber(name, from, 16034));
    const length = toNumber(needNumber(name, count, 16035));
    const split = units(text);
    const end = length < 0 ? undefined : start + length;
    return Buffer.isBuffer(split) ? split.subarray(start, end).toString('utf8') : [...split].slice(start, end).join('');
  });
}

function length(name: string, measure: (text: string) => number): Operator {
  return eager(name, [1, 1], (value) => new Int32(measure(needString(name, value, 34473))));
}

function indexOf(name: string): Operator {
  return eager(name, [2, 4], (text, part, from) => {
    if (isNullish(text)) return null;
    const start = from === undefined ? 0 : toNumber(needNumber(name, from, 40096));
    return new Int32(needString(name, text, 40093).indexOf(needString(name, part, 40094), start));
  });
}

function split(text: Maybe, by: Maybe): Maybe {
  if (isNullish(text) || isNullish(by)) return null;
  const separator = needString('$split', by, 40086);
  if (separator === '') throw new ServerError(40087, '$split requires a non-empty separator');
  return needString('$split', text, 40085).split(separator);
}

function trim(name: string, apply: (text: string) => string): Operator {
  return (args, compile, env) => {
    const source = compile(named(name, args, { required: ['input'] })['input'] ?? null, env);
    return (scope) => {
      const text = source(scope);
      return isNullish(text) ? null : apply(needString(name, text, 50699));
    };
  };
}

function replace(name: '$replaceOne' | '$replaceAll'): Operator {
  return (args, compile, env) => {
    const spec = named(name, args, { required: ['input', 'find', 'replacement'] });
    const parts = ['input', 'find', 'replacement'].map((key) => compile(spec[key] ?? null, env));
    return (scope) => {
      const [input, find, replacement] = parts.map((part) => part(scope));
      if (isNullish(input) || isNullish(find) || isNullish(replacement)) return null;
      const text = needString(name, input, 51746);
      const [what, by] = [needString(name, find, 51745), needString(name, replacement, 51744)];
      return name === '$replaceAll' ? text.replaceAll(what, () => by) : text.replace(what, () => by);
    };
  };
}

const regexMatch: Operator = (args, compile, env) => {
  const spec = named('$regexMatch', args, { required: ['input', 'regex'], optional: ['options'] });
  const input = compile(spec['input'] ?? null, env);
  const regex: Value = spec['regex'] ?? null;
  const options = spec['options'];
  const test = compileRegex(regex, typeof options === 'string' ? options : undefined);
  return (scope) => {
    const text = input(scope);
    return !isNullish(text) && test.test(needString('$regexMatch', text, 51104));
  };
};

function strcasecmp(a: Maybe, b: Maybe): Maybe {
  const order = compareStrings(stringOf(a ?? '').toUpperCase(), stringOf(b ?? '').toUpperCase());
  return new Int32(Math.sign(order));
}

export const STRINGS: Readonly<Record<string, Operator>> = {
  $concat: eager('$concat', ANY_NUMBER, concat),
  $toLower: onText('$toLower', (text) => text.toLowerCase()),
  $toUpper: onText('$toUpper', (text) => text.toUpperCase()),
  $substr: substring('$substr', (text) => Buffer.from(text)),
  $substrBytes: substring('$substrBytes', (text) => Buffer.from(text)),
  $substrCP: substring('$substrCP', (text) => text),
  $strLenBytes: length('$strLenBytes', (text) => Buffer.byteLength(text)),
  $strLenCP: length('$strLenCP', (text) => [...text].length),
  $indexOfCP: indexOf('$indexOfCP'),
  $split: eager('$split', [2, 2], split),
  $trim: trim('$trim', (text) => text.trim()),
  $ltrim: trim('$ltrim', (text) => text.trimStart()),
  $rtrim: trim('$rtrim', (text) => text.trimEnd()),
  $replaceOne: replace('$replaceOne'),
  $replaceAll: replace('$replaceAll'),
  $regexMatch: regexMatch,
  $strcasecmp: eager('$strcasecmp', [2, 2], strcasecmp),
};
