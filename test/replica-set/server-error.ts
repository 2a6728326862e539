/** Every error the stand-in answers with: MongoDB's code, its name, a message, and what the command adds. */

import type { Doc } from './values/value.js';

export const ERROR_CODES = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  Unauthorized: 13,
  TypeMismatch: 14,
  InvalidLength: 16,
  IllegalOperation: 20,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  MaxTimeMSExpired: 50,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  NotSingleValueField: 54,
  EmptyFieldName: 56,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  WriteConcernFailed: 64,
  UnsatisfiableWriteConcern: 100,
  WriteConflict: 112,
  NotImplemented: 238,
  QueryFeatureNotAllowed: 224,
  CannotIndexParallelArrays: 171,
  PrimarySteppedDown: 189,
  TransactionTooOld: 225,
  SnapshotTooOld: 239,
  InvalidResumeToken: 260,
  NoSuchTransaction: 251,
  TransactionCommitted: 256,
  OperationNotSupportedInTransaction: 263,
  ChangeStreamFatalError: 280,
  ChangeStreamHistoryLost: 286,
  NotWritablePrimary: 10107,
  DuplicateKey: 11000,
  Interrupted: 11601,
  InterruptedAtShutdown: 11600,
  InterruptedDueToReplStateChange: 11602,
  NotPrimaryNoSecondaryOk: 13435,
  ConversionFailure: 241,
  CursorKilled: 237,
  CannotBackfillArray: 76,
  NoMatchingDocument: 47,
} as const;

export type ErrorName = keyof typeof ERROR_CODES;

const NAMES = new Map<number, string>(Object.entries(ERROR_CODES).map(([name, code]) => [code, name]));

export class ServerError extends Error {
  readonly code: number;
  readonly codeName: string;
  /** Set where a command decided about labels itself; otherwise they follow from code and command. */
  labels: readonly string[] | undefined;
  /** Further fields of the answer, such as `keyPattern`. */
  readonly extra: Doc;

  constructor(error: ErrorName | number, message: string, extra: Doc = {}) {
    super(message);
    this.code = typeof error === 'number' ? error : ERROR_CODES[error];
    this.codeName = NAMES.get(this.code) ?? `Location${this.code}`;
    this.extra = extra;
  }
}
