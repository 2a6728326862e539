/** What the driver's errors mean for the store. */

import { MongoError, MongoNetworkError, MongoServerSelectionError, MongoWriteConcernError } from 'mongodb';
import { OptionError, UncertainError } from '../../errors.js';

/** Whether what was sent may have been done, although the driver has tried twice. */
export function isUnanswered(error: unknown): boolean {
  if (error instanceof MongoServerSelectionError) return false;
  if (error instanceof MongoNetworkError || error instanceof MongoWriteConcernError) return true;
  return (
    error instanceof MongoError && (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('UnknownTransactionCommitResult'))
  );
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
