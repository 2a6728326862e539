/** Executes one command from its arrival to its answer. */

import { DropConnection } from '../faults/drop-connection.js';
import type { Failure } from '../faults/fail-command.js';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import type { Operation } from '../transactions/operations.js';
import type { Transaction } from '../transactions/transaction.js';
import { wholeNumber } from '../values/numbers.js';
import { type Doc, type Draft, isDoc } from '../values/value.js';
import { answered } from './answer.js';
import type { Call, Command } from './command.js';
import { findCommand } from './command-table.js';
import { labelsOf } from './error-labels.js';
import { optionalCount, optionalDoc, optionalLong, refuseUnknownOptions } from './fields.js';
import { refuseWrongMember } from './member-check.js';
import { awaitReadConcern, checkReadConcern } from './read-concern.js';
import { checkOut, isEnd, presentTransaction, useSession, useTransaction } from './session-use.js';
import { awaitWriteConcern } from './write-concern.js';

/** The client of a command. */
export interface Client {
  readonly id: number;
  readonly member: number;
  appName: string | undefined;
  readonly isClosed: boolean;
}

/** @throws DropConnection when the connection is to be closed instead */
export async function execute(server: Server, body: Doc, client: Client): Promise<Doc> {
  const [name = ''] = Object.keys(body);
  const operation: Operation = newOperation(server, name, body);
  server.operations.begin(operation);
  try {
    return await run(server, { name, body, client, operation });
  } finally {
    server.operations.end(operation);
    server.waiting.check();
  }
}

function newOperation(server: Server, name: string, body: Doc): Operation {
  const maxTimeMs = name === 'getMore' ? undefined : optionalMaxTime(body);
  const lsid = isDoc(body['lsid']) ? body['lsid'] : undefined;
  return {
    deadline: maxTimeMs ? server.clock.monotonic() + maxTimeMs : undefined,
    session: lsid,
    interruption: undefined,
  };
}

function optionalMaxTime(body: Doc): number | undefined {
  const value = Number(body['maxTimeMS'] ?? 0);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

interface Arrival {
  readonly name: string;
  readonly body: Doc;
  readonly client: Client;
  readonly operation: Operation;
}

async function run(server: Server, arrival: Arrival): Promise<Doc> {
  const { name, body, client } = arrival;
  const failure = failureFor(server, arrival);
  try {
    if (failure !== undefined) await fail(server, failure);
    const command = findCommand(name);
    const { call, doc } = await runCommand(server, command, arrival);
    const concernError = await awaitWriteConcern(call, command);
    if (command.kind === 'write' && server.answers !== undefined) await new Promise<void>(server.answers);
    const withConcern = addConcernError(doc, failure?.writeConcernError ?? concernError);
    const errorLabels = labelsOf(withConcern, { name, body, failure });
    return answered(server, { ...withConcern, ...(errorLabels.length > 0 ? { errorLabels } : {}), ok: 1 });
  } catch (error) {
    if (error instanceof DropConnection) throw error;
    return answered(server, errorAnswer(asServerError(error, client), { name, body, failure }));
  }
}

/** Runs it with its session to itself; any error ends its transaction. */
async function runCommand(server: Server, command: Command, arrival: Arrival): Promise<{ readonly call: Call; readonly doc: Doc }> {
  const { name, body, operation } = arrival;
  const taken = await checkOut(server, body, operation);
  let transaction: Transaction | undefined;
  try {
    const call = prepare(server, command, arrival);
    transaction = call.transaction;
    if (body['readConcern'] !== undefined) await awaitReadConcern(call);
    return { call, doc: await command.run(call) };
  } catch (error) {
    if (!isEnd(name)) (transaction ?? presentTransaction(server, body))?.abortIfOpen();
    throw error;
  } finally {
    taken?.checkIn();
    server.waiting.check();
  }
}

function failureFor(server: Server, { name, body, client }: Arrival): Failure | undefined {
  const collection = body[name === 'getMore' ? 'collection' : name];
  const namespace = `${String(body['$db'])}.${typeof collection === 'string' ? collection : ''}`;
  return server.faults.failCommand.failureFor(name, { appName: client.appName, namespace });
}

async function fail(server: Server, failure: Failure): Promise<void> {
  if (failure.blockMs > 0) await new Promise<void>((resolve) => void server.clock.after(failure.blockMs, resolve));
  if (failure.closeConnection) throw new DropConnection();
  if (failure.error !== undefined) throw failure.error;
}

function prepare(server: Server, command: Command, { name, body, client, operation }: Arrival): Call {
  refuseUnknownOptions(name, command, body);
  const database = String(body['$db'] ?? '');
  if (database === '') throw new ServerError(40571, 'OP_MSG requests require a $db argument');
  if (command.onlyAdmin && database !== 'admin')
    throw new ServerError('Unauthorized', `${name} may only be run against the admin database.`);
  optionalCount(body, 'maxTimeMS');
  receiveClusterTime(server, body);
  refuseWrongMember(server, command, { body, member: client.member });
  const session = useSession(server, body);
  checkReadConcern(name, command, body);
  const transaction = useTransaction(server, { name, command, body, session });
  const isRetryable = transaction === undefined && optionalLong(body, 'txnNumber') !== undefined && body['autocommit'] === undefined;
  return { name, body, database, server, member: client.member, session, transaction, operation, isRetryable, client };
}

function receiveClusterTime(server: Server, body: Doc): void {
  const gossip = optionalDoc(body, '$clusterTime');
  if (gossip !== undefined) server.hear(gossip['clusterTime']);
}

function addConcernError(doc: Doc, error: Doc | undefined): Doc {
  return error === undefined ? doc : { ...doc, writeConcernError: error };
}

function asServerError(error: unknown, { id }: Client): ServerError {
  if (error instanceof ServerError) return error;
  console.error(`The stand-in failed in connection ${id}:`, error);
  return new ServerError('InternalError', `the stand-in failed: ${String(error)}`);
}

function errorAnswer(error: ServerError, about: { name: string; body: Doc; failure: Failure | undefined }): Doc {
  const doc: Draft = { ok: 0, errmsg: error.message, code: wholeNumber(error.code), codeName: error.codeName, ...error.extra };
  const errorLabels = labelsOf(doc, about);
  if (errorLabels.length > 0) doc['errorLabels'] = errorLabels;
  return doc;
}
