/** Tools for tests of the service: signals, a logger that remembers, a task that runs until it is aborted. */

import { currentTask, type Logger } from '../../src/index.js';

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** A promise that the test settles. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}

/** Never resolves; rejects with the reason when the current task's signal is aborted. */
export function untilAborted(): Promise<never> {
  const { signal } = currentTask();
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** The error of a promise that a test expects to fail. @throws Error when it did not fail */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`a value that is not an error was thrown: ${String(error)}`);
  }
  throw new Error('it did not fail');
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly details: object | undefined;
}

/** A logger that keeps what it is told. */
export class Log implements Logger {
  readonly lines: LogLine[] = [];

  debug(message: string, details?: object): void {
    this.lines.push({ level: 'debug', message, details });
  }

  info(message: string, details?: object): void {
    this.lines.push({ level: 'info', message, details });
  }

  warn(message: string, details?: object): void {
    this.lines.push({ level: 'warn', message, details });
  }

  error(message: string, details?: object): void {
    this.lines.push({ level: 'error', message, details });
  }

  of(level: LogLine['level']): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
