/** Classifies the driver's errors by their meaning for the store. */

import {
  BSON,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoWriteConcernError,
  type WriteError,
} from 'mongodb';
import { OptionError, StoreError, TransactionError, UncertainError } from '../../../errors.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { isError, recordedError, storedError } from '../../../job/stored-error.js';

const DUPLICATE = 11_000;
/** No connection of the pool was free within `waitQueueTimeoutMS`; the driver does not export the class. */
const NO_CONNECTION = 'MongoWaitQueueTimeoutError';

/**
 * Whether a command may have been executed, although the driver has tried twice. Its error is that of the second try, which may not have
 * been sent at all; it does not show the result of the first.
 */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false;
  if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('UnknownTransactionCommitResult')) return true;
  if (error instanceof MongoWriteConcernError || error instanceof MongoNetworkError || hasNoServer(error)) return true;
  if (error.name === NO_CONNECTION) return true;
  // One of the network in the clothes of a bulk write's.
  return error instanceof MongoServerError && error.code === undefined && writeErrorsOf(error).length === 0;
}

/** Whether the driver has not found the server for as long as it looks for one. */
export function hasNoServer(error: unknown): boolean {
  return error instanceof MongoServerSelectionError;
}

/** The insert has been done already: these documents exist. @throws all other errors */
export function ignoreDuplicates(error: unknown): void {
  if (perDocumentErrors(error).length > 0) throw error;
}

/**
 * Of many documents, those that were refused each for itself, apart from those that are there already.
 * @throws an error that refuses all of them
 */
export function perDocumentErrors(error: unknown): readonly Partial<WriteError>[] {
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
  return new UncertainError(`MongoDB has not answered ${what}: ${(cause as Error).message}; it may have been executed`, { cause });
}

/** @throws OptionError for a session that belongs to another client */
export function refuseForeign(cause: unknown): void {
  // The driver may have wrapped the error.
  if (isError(cause) && /ClientSession must be from the same MongoClient/.test(cause.message)) throw foreignSession({ cause });
}

/** NoSuchTransaction: the server does not know a transaction, or has aborted it. */
const NO_SUCH_TRANSACTION = 251;
const LIFETIME_EXCEEDED = 290;
/** A document, or the writes of a transaction, are larger than allowed. */
const TOO_LARGE: ReadonlySet<unknown> = new Set([257, 388, 10334, 17419, 17420]);
/**
 * Errors about the values in a command, which come again with each try: bad values and types, nesting too deep, forbidden
 * fields, invalid BSON, a document that the rules of its collection refuse.
 */
const REFUSED: ReadonlySet<unknown> = new Set([...TOO_LARGE, 2, 9, 14, 15, 22, 28, 52, 56, 57, 121]);

/** Whether the server, or the driver, refused a write because of its values, so that it would be refused again. */
export function isRefused(error: unknown): boolean {
  if (error instanceof MongoServerError) return REFUSED.has(error.code) && error.errorLabels.length === 0;
  return error instanceof RangeError || error instanceof BSON.BSONError;
}

/** The outcome of a job whose own outcome could not be written. */
export function refusalOf({ id, taskName }: { readonly id: string; readonly taskName: string }, cause: unknown): StoredOutcome {
  const why = storedError(cause, 0).message.slice(0, 1_000);
  const error = new StoreError(
    `MongoDB refuses the outcome of job ${id} (${taskName}): ${why}; have the task return, or throw, something else`,
  );
  return { status: 'failed', error: recordedError(error) };
}

/** How long a transaction may be open, unless the server is configured otherwise. */
const LIFETIME_MS = 60_000;

/** How long a transaction has been open, and may be; the latter is `undefined` where the user of the client may not know it. */
export interface Lifetime {
  readonly openMs: number;
  readonly limitMs: number | undefined;
}

/** Whether the server may have ended a transaction because it was open for too long. */
export function mayBeTooOld(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === LIFETIME_EXCEEDED || error.code === NO_SUCH_TRANSACTION);
}

/**
 * Explains an error of a limit of MongoDB that ended a transaction. Such errors come again, so they are no longer labelled as transient.
 */
export function withTransactionLimitExplained(cause: unknown, { openMs, limitMs }: Lifetime): unknown {
  if (!(cause instanceof MongoServerError)) return cause;
  const { code } = cause;
  if (code === LIFETIME_EXCEEDED || (code === NO_SUCH_TRANSACTION && openMs >= (limitMs ?? LIFETIME_MS))) {
    const limit = limitMs === undefined ? '60 s, unless the server is configured otherwise' : `${limitMs / 1_000} s`;
    return new TransactionError(
      `MongoDB has aborted the transaction, which was open for ${Math.round(openMs / 1_000)} s, since it took longer than the server allows (\`transactionLifetimeLimitSeconds\`: ${limit}). Do long work before the transaction, or in a separate job, or raise the limit of the server`,
      { cause },
    );
  }
  if (TOO_LARGE.has(code))
    return new TransactionError(
      `MongoDB has refused the writes of the transaction as too large: ${cause.message}. A document may have 16 MB; split the work over several jobs`,
      { cause },
    );
  return cause;
}

export function foreignSession(options?: ErrorOptions): OptionError {
  return new OptionError(
    '`withSession` was given a session of another client than the store knows; name that client as `sessions` of `mongoStore`',
    options,
  );
}
