/** The labels that tell a driver what it may do about an error. */

import type { Failure } from '../faults/fail-command.js';
import { numberOf } from '../values/numbers.js';
import { type Doc, isDoc } from '../values/value.js';

/** Codes after which a retryable write may be sent again. */
const RETRYABLE_WRITE = new Set([6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

/** Codes after which a change stream may be resumed. */
const RESUMABLE = new Set([6, 7, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436]);

/** Codes after which a whole transaction may be run again. */
const TRANSIENT = new Set([24, 112, 246, 251, 267, 239, ...RETRYABLE_WRITE]);

export interface Answered {
  readonly name: string;
  readonly body: Doc;
  readonly failure: Failure | undefined;
}

export function labelsOf(answer: Doc, { name, body, failure }: Answered): string[] {
  const code = numberOf(answer['code']);
  const concernCode = isDoc(answer['writeConcernError']) ? numberOf(answer['writeConcernError']['code']) : undefined;
  if (failure?.errorLabels !== undefined && (code !== undefined || concernCode !== undefined)) return [...failure.errorLabels];
  const labels: string[] = [];
  const isEnd = name === 'commitTransaction' || name === 'abortTransaction';
  const inTransaction = body['autocommit'] === false;
  const isRetryableWrite = isEnd || (body['txnNumber'] !== undefined && !inTransaction);
  if (isRetryableWrite && RETRYABLE_WRITE.has(code ?? concernCode ?? -1)) labels.push('RetryableWriteError');
  if (code !== undefined && inTransaction && isTransient(code, name, concernCode)) labels.push('TransientTransactionError');
  if (code !== undefined && isChangeStreamCommand(name, body) && RESUMABLE.has(code)) labels.push('ResumableChangeStreamError');
  return labels;
}

/** A commit that failed for want of a primary may have happened; only a missing transaction is sure. */
function isTransient(code: number, name: string, concernCode: number | undefined): boolean {
  if (name === 'commitTransaction') return [251, 112, 24].includes(code) && concernCode === undefined;
  return TRANSIENT.has(code);
}

function isChangeStreamCommand(name: string, body: Doc): boolean {
  if (name === 'getMore') return true;
  const pipeline = body['pipeline'];
  const [first] = Array.isArray(pipeline) ? (pipeline as Doc[]) : [];
  return name === 'aggregate' && first?.['$changeStream'] !== undefined;
}
