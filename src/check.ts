/** Option checks: one sentence shape for all of them, unknown keys refused with the nearest known name. */

import { types } from 'node:util';
import leven from 'leven';
import { MAX_DELAY_MS, OptionError } from './errors.js';

/** The requirement for an option: its words, and its test. */
export interface Rule {
  readonly must: string;
  readonly holds: (value: unknown) => boolean;
}

/** One rule for each known option. */
export type Rules<O> = { readonly [K in keyof Required<O>]: Rule };

const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value);
const isString = (value: unknown): value is string => typeof value === 'string';
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The longest that a timer of the platform can wait. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The longest text that a job stores beside its arguments, whose size has a separate limit. */
const MAX_LABEL_LENGTH = 1_000;
/** Well-formed: half a surrogate pair would not come out of a database as it went in, and a null byte ends a name in BSON. */
const isName = (value: unknown): value is string => isString(value) && value.isWellFormed() && !value.includes('\0');
const isLabel = (value: unknown): boolean => isName(value) && value.length <= MAX_LABEL_LENGTH;

export const is = {
  anything: { must: 'anything', holds: () => true },
  text: { must: 'a non-empty, well-formed string', holds: (value) => value !== '' && isName(value) },
  string: { must: 'a well-formed string', holds: (value) => isString(value) && value.isWellFormed() },
  label: {
    must: `a non-empty, well-formed string of at most ${MAX_LABEL_LENGTH} characters`,
    holds: (value) => value !== '' && isLabel(value),
  },
  labelOrEmpty: { must: `a well-formed string of at most ${MAX_LABEL_LENGTH} characters`, holds: isLabel },
  boolean: { must: 'a boolean', holds: (value) => typeof value === 'boolean' },
  integer: { must: 'an integer', holds: (value) => Number.isSafeInteger(value) },
  count: { must: 'an integer of at least 1', holds: (value) => Number.isSafeInteger(value) && Number(value) >= 1 },
  countOrInfinity: {
    must: 'an integer of at least 1, or Infinity',
    holds: (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 1),
  },
  countFromZero: {
    must: 'an integer of at least 0, or Infinity',
    holds: (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 0),
  },
  durationMs: {
    must: 'a number of milliseconds from 0 to a hundred years',
    holds: (value) => isNumber(value) && value >= 0 && value <= MAX_DELAY_MS,
  },
  /** The longest time of a platform timer; a longer one would fire at once. */
  timerMs: {
    must: `a number of milliseconds above 0 and at most ${MAX_TIMER_MS} (24 days)`,
    holds: (value) => isNumber(value) && value > 0 && value <= MAX_TIMER_MS,
  },
  timerFromZeroMs: {
    must: `a number of milliseconds from 0 to ${MAX_TIMER_MS} (24 days)`,
    holds: (value) => isNumber(value) && value >= 0 && value <= MAX_TIMER_MS,
  },
  date: { must: 'a valid Date', holds: (value) => types.isDate(value) && !Number.isNaN(value.getTime()) },
  callable: { must: 'a function', holds: (value) => typeof value === 'function' },
  object: { must: 'an object', holds: isObject },
  array: { must: 'an array', holds: Array.isArray },
  labels: {
    must: `an array of non-empty, well-formed strings of at most ${MAX_LABEL_LENGTH} characters`,
    holds: (value) => Array.isArray(value) && value.every((item) => item !== '' && isLabel(item)),
  },
  texts: {
    must: 'an array of non-empty, well-formed strings',
    holds: (value) => Array.isArray(value) && value.every((item) => item !== '' && isName(item)),
  },
  oneOf: (...words: readonly string[]): Rule => ({
    must: `one of ${words.map((word) => `'${word}'`).join(', ')}`,
    holds: (value) => isString(value) && words.includes(value),
  }),
  either: (one: Rule, other: Rule): Rule => ({
    must: `${one.must}, or ${other.must}`,
    holds: (value) => one.holds(value) || other.holds(value),
  }),
} as const satisfies Record<string, Rule | ((...args: never[]) => Rule)>;

/** Checks an options object; options that are `undefined` count as absent. @throws OptionError */
export function checkOptions<O>(owner: string, options: unknown, rules: Rules<O>): void {
  if (!isObject(options)) throw new OptionError(`${owner} must be an object, but is ${shown(options)}`);
  for (const [key, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, key) ? rules[key as keyof O] : undefined;
    if (rule === undefined)
      throw new OptionError(
        `${owner} has no option \`${key}\`${
          didYouMean(key, Object.keys(rules)) ||
          `; its options are ${Object.keys(rules)
            .map((name) => `\`${name}\``)
            .join(', ')}`
        }`,
      );
    if (value !== undefined) checkOption(owner, key, value, rule);
  }
}

/** Checks one option. @throws OptionError */
export function checkOption(owner: string, path: string, value: unknown, rule: Rule): void {
  if (!rule.holds(value)) throw new OptionError(`\`${path}\` of ${owner} must be ${rule.must}, but is ${shown(value)}`);
}

/** `; did you mean …?`, where one of the known names is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((word) => ({ word, distance: leven(name.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, distance }) => distance <= Math.max(2, word.length / 3))
    .sort((one, other) => one.distance - other.distance);
  return nearest === undefined ? '' : `; did you mean \`${nearest.word}\`?`;
}

/** Plain in any realm: its prototype is `null` or the end of a prototype chain. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Not so after a compiler has made a function of it. */
export function isClass(value: unknown): value is abstract new (...args: never[]) => unknown {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

/** The name of the class of an object, for a message. */
export function classNameOf(value: object): string {
  const made: unknown = Reflect.get(value, 'constructor');
  return (typeof made === 'function' && made.name) || 'a class';
}

/** A value and its type, in a few words, for a message. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (isString(value))
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}${value.includes('\0') ? ', which has a null byte' : ''}`;
  if (typeof value === 'function') return `the ${isClass(value) ? 'class' : 'function'} ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? 'an invalid Date' : `the Date ${value.toISOString()}`;
  if (types.isPromise(value)) return 'a promise';
  if (typeof value === 'object') return isPlain(value) ? 'an object' : `an instance of ${classNameOf(value)}`;
  return `the ${typeof value} ${String(value)}`;
}
