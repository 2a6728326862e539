/** Runs the statements of a write one after another: retries, errors of single statements, and the answer. */

import { ServerError } from '../server-error.js';
import { numberOf, wholeNumber } from '../values/numbers.js';
import type { Doc, Draft, Value } from '../values/value.js';
import type { Call } from './command.js';
import { optionalArray, optionalBoolean, optionalNumber } from './fields.js';

export interface StatementResult {
  readonly n: number;
  readonly nModified?: number;
  readonly upserted?: Value;
}

interface BatchResult {
  readonly results: Map<number, StatementResult>;
  readonly errors: Doc[];
  readonly retried: number[];
}

const MOST_STATEMENTS = 100_000;

/** Runs `run` for each statement, in order; after a failure only if unordered. */
export async function runStatements(
  call: Call,
  count: number,
  run: (at: number) => Promise<StatementResult> | StatementResult,
): Promise<Doc> {
  if (count === 0 || count > MOST_STATEMENTS) {
    throw new ServerError('InvalidLength', `Write batch sizes must be between 1 and ${MOST_STATEMENTS}. Got ${count} operations.`);
  }
  const isOrdered = optionalBoolean(call.body, 'ordered') ?? true;
  const batch: BatchResult = { results: new Map(), errors: [], retried: [] };
  for (let at = 0; at < count; at++) {
    const failure = await runOne(call, at, { batch, run });
    if (failure === undefined) continue;
    batch.errors.push(errorDoc(at, failure));
    if (call.transaction !== undefined) {
      call.transaction.abort();
      break;
    }
    if (isOrdered) break;
  }
  return answer(call, batch);
}

interface Running {
  readonly batch: BatchResult;
  readonly run: (at: number) => Promise<StatementResult> | StatementResult;
}

async function runOne(call: Call, at: number, { batch, run }: Running): Promise<ServerError | undefined> {
  const statement = statementId(call, at);
  const known = call.isRetryable ? call.session?.answerOf(statement) : undefined;
  if (known !== undefined) {
    batch.retried.push(statement);
    batch.results.set(at, known as unknown as StatementResult);
    return undefined;
  }
  try {
    const result = await run(at);
    batch.results.set(at, result);
    rememberAnswer(call, statement, result as unknown as Doc);
    return undefined;
  } catch (error) {
    if (!(error instanceof ServerError) || concernsWholeCommand(error, call)) throw error;
    return error;
  }
}

export function statementId({ body }: Call, at: number): number {
  const all = optionalArray(body, 'stmtIds');
  if (all !== undefined) return numberOf(all[at]) ?? at;
  return (optionalNumber(body, 'stmtId') ?? 0) + at;
}

/** Keeps the first answer to a retryable statement, until its write is rolled back. */
export function rememberAnswer({ isRetryable, session, server }: Call, statement: number, answer: Doc): void {
  if (!isRetryable || session === undefined) return;
  session.remember(statement, answer);
  server.history.whenRolledBack(() => session.forget(statement));
}

/** Interruptions and, in a transaction, write conflicts end the command and not only the statement. */
function concernsWholeCommand({ code }: ServerError, { transaction }: Call): boolean {
  const isInterruption = [11600, 11601, 11602, 189, 10107, 50, 262].includes(code);
  return isInterruption || (transaction !== undefined && [112, 246, 251, 24].includes(code));
}

function errorDoc(index: number, { code, message, extra }: ServerError): Doc {
  return { index: wholeNumber(index), code: wholeNumber(code), errmsg: message, ...extra };
}

function answer({ name }: Call, { results, errors, retried }: BatchResult): Doc {
  const all = [...results.values()];
  const doc: Draft = { n: wholeNumber(all.reduce((n, result) => n + result.n, 0)) };
  if (name === 'update') {
    doc['nModified'] = wholeNumber(all.reduce((n, result) => n + (result.nModified ?? 0), 0));
    const upserted = [...results].flatMap(([index, result]) =>
      result.upserted === undefined ? [] : [{ index: wholeNumber(index), _id: result.upserted }],
    );
    if (upserted.length > 0) doc['upserted'] = upserted;
  }
  if (errors.length > 0) doc['writeErrors'] = errors;
  if (retried.length > 0) doc['retriedStmtIds'] = retried.map(wholeNumber);
  return doc;
}
