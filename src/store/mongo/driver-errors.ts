/** What the driver's errors mean for the store. */

import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError, MongoWriteConcernError } from 'mongodb';
import { OptionError, UncertainError } from '../../errors.js';

/**
 * Whether what was sent may have been done, although the driver has tried twice. Its error is that of the second try,
 * which may not have been sent at all; what became of the first it does not tell.
 */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('UnknownTransactionCommitResult')) return true;
  if (error instanceof MongoWriteConcernError || error instanceof MongoNetworkError || hasNoServer(error)) return true;
  // One of the network in the clothes of a bulk write's.
  return error instanceof MongoServerError && error.code === undefined && !hasSome(error['writeErrors'] ?? []);
}

/** Whether the driver has not found the server for as long as it looks for one. */
export function hasNoServer(error: unknown): boolean {
  return error instanceof MongoServerSelectionError;
}

function hasSome(errors: unknown): boolean {
  return !Array.isArray(errors) || errors.length > 0;
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
