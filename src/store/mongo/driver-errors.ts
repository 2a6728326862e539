/** What the driver's errors mean for the store. */

import {
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
  type WriteError,
} from 'mongodb';
import { OptionError, UncertainError } from '../../errors.js';

const DUPLICATE = 11_000;

/**
 * Whether what was sent may have been done, although the driver has tried twice. Its error is that of the second try,
 * which may not have been sent at all; what became of the first it does not tell.
 */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('UnknownTransactionCommitResult')) return true;
  if (error instanceof MongoWriteConcernError || error instanceof MongoNetworkError || hasNoServer(error)) return true;
  // One of the network in the clothes of a bulk write's.
  return error instanceof MongoServerError && error.code === undefined && writeErrorsOf(error).length === 0;
}

/** Whether the driver has not found the server for as long as it looks for one. */
export function hasNoServer(error: unknown): boolean {
  return error instanceof MongoServerSelectionError;
}

/** It has been done already: these documents are there. @throws what is anything else */
export function ignoreDuplicates(error: unknown): void {
  if (refusedSingly(error).length > 0) throw error;
}

/** Of many documents, those that were refused each for itself, apart from those that are there already. @throws what refuses all of them */
export function refusedSingly(error: unknown): readonly Partial<WriteError>[] {
  const errors = writeErrorsOf(error);
  if (errors.length === 0 && (error as Partial<WriteError>).code !== DUPLICATE) throw error;
  return errors.filter(({ code }) => code !== DUPLICATE);
}

/** The driver gives several, one alone, or none where the error is about the whole command. */
function writeErrorsOf(error: unknown): readonly Partial<WriteError>[] {
  const { writeErrors = [] } = error as { readonly writeErrors?: Partial<WriteError> | readonly Partial<WriteError>[] };
  return [writeErrors].flat();
}

/** As an error of ours, where nobody can say whether it was done. */
export function asUncertain(cause: unknown, what: string): unknown {
  if (!isUnanswered(cause)) return cause;
  return new UncertainError(`MongoDB has not answered ${what}: ${(cause as Error).message}; it may have been done`, { cause });
}

/** @throws OptionError for a session that belongs to another client */
export function refuseForeign(cause: unknown): void {
  // Whatever the driver wraps it in.
  if (cause instanceof Error && /ClientSession must be from the same MongoClient/.test(cause.message)) throw foreign({ cause });
}

export function foreign(options?: ErrorOptions): OptionError {
  return new OptionError(
    '`withSession` was given a session of another client than the store knows; name that client as `sessions` of `mongoStore`',
    options,
  );
}
