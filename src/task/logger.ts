/** Where messages go: a port with the four methods that every logging library has. */

import { types } from 'node:util';
import { isError, revivedError, storedError } from '../job/stored-error.js';

/**
 * Takes a message, then details, in which `err` is the error: `console`, or a logger of your own. A logger of pino or of winston is
 * recognised by its methods, and is given both in its own shape.
 */
export interface Logger {
  debug(message: string, details?: object): void;
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

/** A kind of logger: how it is recognised, and the arguments that its methods take. */
interface Shape {
  readonly methods: readonly string[];
  readonly args: (message: string, details: object | undefined) => readonly unknown[];
}

/** The first whose methods a logger has is its shape. */
const SHAPES: readonly [...Shape[], Shape] = [
  // pino takes the details first, and shows message and stack of an `err`.
  { methods: ['bindings', 'isLevelEnabled'], args: (message, details = {}) => [details, message] },
  // winston loses the details beside a message with a `%`, unless both are in one object; and its JSON of an error is empty.
  { methods: ['configure', 'log', 'query'], args: (message, details) => [{ ...printable(details), message }] },
  { methods: ['table', 'group', 'dir'], args: forConsole },
  { methods: [], args: (message, details) => [message, ...given(details)] },
];

/** Warnings and errors on the console, the rest nowhere. */
export const consoleLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message, details) => console.warn(...forConsole(`millrace: ${message}`, details)),
  error: (message, details) => console.error(...forConsole(`millrace: ${message}`, details)),
};

/** A logger that never throws: a message that cannot be logged must not make the work fail. */
export function guardedLogger(logger: Logger): Logger {
  const { args } = SHAPES.find(({ methods }) => methods.every((method) => typeof Reflect.get(logger, method) === 'function')) as Shape;
  const at =
    (level: keyof Logger) =>
    (message: string, details?: object): void => {
      try {
        const logged: unknown = Reflect.apply(logger[level], logger, args(message, withError(details)));
        if (types.isPromise(logged)) logged.catch(() => undefined);
      } catch {
        // There is no other way to report it.
      }
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A logger that adds details to every message; those of a message itself come first. An error given in place of details is their `err`. */
export function loggerWith(logger: Logger, common: object): Logger {
  const at =
    (level: keyof Logger) =>
    (message: string, details?: object): void =>
      logger[level](message, { ...common, ...(isError(details) ? { err: details } : details) });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A console reads its first argument as a format, if there are others. */
function forConsole(message: string, details: object | undefined): readonly unknown[] {
  return details === undefined ? [message] : [message.replaceAll('%', '%%'), details];
}

function given(details: object | undefined): readonly [details?: object] {
  return details === undefined ? [] : [details];
}

/** Makes `err` an error, whatever value was thrown. */
function withError(details: object | undefined): object | undefined {
  if (details === undefined || !('err' in details) || details.err === undefined || isError(details.err)) return details;
  return { ...details, err: revivedError(storedError(details.err)) };
}

/** With errors as plain objects. */
function printable(details: object | undefined): object {
  return Object.fromEntries(Object.entries(details ?? {}).map(([key, value]) => [key, isError(value) ? storedError(value) : value]));
}
