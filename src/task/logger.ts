/** Where messages go: a port with the four methods that every logging library has. */

export interface Logger {
  debug(message: string, details?: object): void;
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

/** Warnings and errors on the console, the rest nowhere. */
export const consoleLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message, details) => console.warn(`millrace: ${message}`, ...shownDetails(details)),
  error: (message, details) => console.error(`millrace: ${message}`, ...shownDetails(details)),
};

function shownDetails(details: object | undefined): readonly [details?: object] {
  return details === undefined ? [] : [details];
}

/** A logger that never throws, whatever the one behind it does: who works, or tells of a failure, is not to fail by it. */
export function guardedLogger(logger: Logger): Logger {
  const at =
    (level: keyof Logger) =>
    (message: string, details?: object): void => {
      try {
        const logged: unknown = logger[level](message, ...shownDetails(details));
        if (logged instanceof Promise) logged.catch(() => undefined);
      } catch {
        // There is nobody left to tell.
      }
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
