/** Reads how a server refused something: from an error, or from the write errors of a raw answer. */

import { MongoBulkWriteError, MongoError, MongoServerError } from 'mongodb';

export interface Refusal {
  readonly code: number | string | undefined;
  readonly name: string | undefined;
  readonly labels: readonly string[];
  readonly message: string;
  readonly keyPattern?: unknown;
  readonly keyValue?: unknown;
  readonly index?: unknown;
}

/** The error of a refused attempt; throws if it was not refused. */
export async function refusal(attempt: Promise<unknown>): Promise<Refusal> {
  const answer = await attempt.catch((error: unknown) => error);
  if (answer instanceof MongoBulkWriteError) return fromWriteError(firstOf(answer.writeErrors));
  if (answer instanceof MongoServerError) return fromError(answer);
  if (answer instanceof MongoError) return { code: answer.code, name: answer.name, labels: answer.errorLabels, message: answer.message };
  if (isObject(answer) && Array.isArray(answer['writeErrors'])) return fromWriteError(answer['writeErrors'][0]);
  if (isObject(answer) && isObject(answer['writeConcernError'])) return fromWriteError(answer['writeConcernError']);
  throw new Error(`Expected a refusal, got ${answer instanceof Error ? answer.stack : JSON.stringify(answer)}`);
}

/** The code alone, for cases where nothing else matters. */
export async function codeOf(attempt: Promise<unknown>): Promise<number | string | undefined> {
  return (await refusal(attempt)).code;
}

function fromError(error: MongoServerError): Refusal {
  const { code, codeName, errorLabels, message, keyPattern, keyValue, index } = error;
  return { code, name: codeName, labels: errorLabels, message, keyPattern, keyValue, index };
}

function fromWriteError(error: unknown): Refusal {
  if (!isObject(error)) throw new Error(`Not a write error: ${String(error)}`);
  const inner = isObject(error['err']) ? error['err'] : error;
  const { code, codeName, errmsg, keyPattern, keyValue, index } = inner as Record<string, unknown>;
  return { code: code as number, name: codeName as string, labels: [], message: String(errmsg), keyPattern, keyValue, index };
}

const firstOf = (errors: unknown): unknown => (Array.isArray(errors) ? errors[0] : errors);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
