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

function shownDetails(details: object | undefined): readonly object[] {
  return details === undefined ? [] : [details];
}
