/** Errors as they are stored: readable whatever was thrown, bounded in size, and turned back into errors for a waiter. */

import { inspect, types } from 'node:util';
import type { MillraceError } from '../errors.js';

/** An error thrown by a task, as it is stored. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: StoredError;
}

const MAX = { name: 200, code: 200, message: 10_000, stack: 20_000, causes: 5, parts: 50 } as const;
const SHOWN_DEPTH = 2;

/** Describes anything that can be thrown; never throws itself. */
export function storedError(thrown: unknown, causes: number = MAX.causes): StoredError {
  if (!looksLikeError(thrown)) return Object.freeze({ name: 'Error', message: cut(describe(thrown), MAX.message) });
  const code = peek(thrown, 'code');
  const stack = text(peek(thrown, 'stack'), MAX.stack);
  const cause = causes > 0 ? (peek(thrown, 'cause') ?? firstOf(peek(thrown, 'errors'))) : undefined;
  return Object.freeze({
    name: text(peek(thrown, 'name'), MAX.name) ?? 'Error',
    message: messageOf(thrown),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), MAX.code) } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined || cause === null ? {} : { cause: storedError(cause, causes - 1) }),
  });
}

/** For an error whose message may hold a secret: its name and its code, if they look like such. */
export function redactedError(thrown: unknown, what: string): StoredError {
  const { name, code } = storedError(thrown, 0);
  const isName = (text: string): boolean => /^[A-Za-z_$][\w$.-]{0,99}$/.test(text);
  return Object.freeze({
    name: isName(name) ? name : 'Error',
    message: `${what} failed; its error messages are not kept`,
    ...(code === undefined || !/^[\w$.-]{1,100}$/.test(code) ? {} : { code }),
  });
}

function messageOf(thrown: object): string {
  const message = peek(thrown, 'message');
  if (typeof message === 'string') return cut(message, MAX.message);
  return message === undefined ? '(the message could not be read)' : cut(describe(thrown), MAX.message);
}

/** Of an `AggregateError`, whose reasons are in a list. */
function firstOf(errors: unknown): unknown {
  return Array.isArray(errors) ? errors[0] : undefined;
}

/** An error of a job that Millrace itself records, without its stack, which would say nothing about the job. */
export function recordedError({ name, message, code }: MillraceError, cause?: StoredError): StoredError {
  return Object.freeze(cause === undefined ? { name, message, code } : { name, message, code, cause });
}

/** An `Error` with everything that was stored of it. */
export function revivedError(stored: StoredError): Error & { readonly code?: string } {
  const error = new Error(stored.message, stored.cause === undefined ? undefined : { cause: revivedError(stored.cause) });
  const own = { name: stored.name, stack: stored.stack ?? `${stored.name}: ${stored.message}` };
  for (const [key, value] of Object.entries(own)) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
  }
  return stored.code === undefined ? error : Object.assign(error, { code: stored.code });
}

/** Whether it is an error, also one of another realm, such as the sandbox of a test runner. */
export function isError(value: unknown): value is Error {
  // biome-ignore lint/plugin: also one that is made by Object.create
  return types.isNativeError(value) || value instanceof Error;
}

function looksLikeError(thrown: unknown): thrown is object {
  if (typeof thrown !== 'object' || thrown === null) return false;
  try {
    return isError(thrown) || 'message' in thrown;
  } catch {
    return false;
  }
}

function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  try {
    return `${inspect(trimmed(thrown, SHOWN_DEPTH), { depth: SHOWN_DEPTH, customInspect: false, maxStringLength: 1_000, maxArrayLength: 20 })} was thrown, which is not an error`;
  } catch {
    return `something was thrown that cannot be read (${typeof thrown})`;
  }
}

/** The part of a value that is shown: an object, list or map of a million parts would take seconds. */
function trimmed(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || types.isDate(value)) return value;
  if (types.isMap(value) || types.isSet(value)) return `(${types.isMap(value) ? 'map' : 'set'} of ${value.size})`;
  if (Array.isArray(value))
    return depth === 0 ? `(array of ${value.length})` : value.slice(0, MAX.parts).map((part) => trimmed(part, depth - 1));
  if (depth === 0) return '(object)';
  const shown = Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>;
  let count = 0;
  for (const key in value) {
    if (++count > MAX.parts) break;
    shown[key] = trimmed(peek(value, key), depth - 1);
  }
  return count === 0 ? value : shown;
}

function peek(thrown: object, key: string): unknown {
  try {
    return (thrown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function text(value: unknown, max: number): string | undefined {
  return typeof value === 'string' ? cut(value, max) : undefined;
}

/** A copy, since a slice would keep the whole of a huge string in memory, and well-formed, since it will be stored. */
function cut(value: string, max: number): string {
  if (value.length <= max) return value.isWellFormed() ? value : value.toWellFormed();
  return Buffer.from(`${value.slice(0, max)}… (${value.length} characters)`, 'utf8').toString('utf8');
}
