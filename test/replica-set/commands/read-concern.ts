/** Read concerns: which there are, and waiting until what they ask for is there. */

import { Timestamp } from 'mongodb';
import { fromTimestamp, type OpTime } from '../oplog/op-time.js';
import { ServerError } from '../server-error.js';
import type { Doc } from '../values/value.js';
import type { Call, Command } from './command.js';
import { optionalDoc, refuseUnknown } from './fields.js';

const LEVELS = ['local', 'available', 'majority', 'linearizable', 'snapshot'];
const SNAPSHOT_COMMANDS = ['find', 'aggregate', 'distinct'];

export function checkReadConcern(name: string, command: Command, body: Doc): void {
  const concern = optionalDoc(body, 'readConcern');
  if (concern === undefined) return;
  refuseUnknown(concern, 'readConcern', ['level', 'afterClusterTime', 'atClusterTime', 'provenance']);
  const level = concern['level'];
  if (level !== undefined && (typeof level !== 'string' || !LEVELS.includes(level))) {
    throw new ServerError('BadValue', `Enumeration value '${String(level)}' for field 'readConcern.level' is not a valid value.`);
  }
  const inTransaction = body['autocommit'] === false;
  if (inTransaction && body['startTransaction'] !== true) {
    throw new ServerError('InvalidOptions', 'Only the first command in a transaction may specify a readConcern');
  }
  if (inTransaction && level === 'linearizable')
    throw new ServerError('InvalidOptions', 'readConcern level linearizable is not supported in a transaction');
  if (!inTransaction && level === 'snapshot' && !SNAPSHOT_COMMANDS.includes(name)) {
    throw new ServerError('InvalidOptions', `read concern snapshot is not supported by ${name} outside a transaction`);
  }
  if (!inTransaction && command.kind === 'write' && level !== undefined && level !== 'local') {
    throw new ServerError('InvalidOptions', `Command ${name} does not support { readConcern: { level: "${String(level)}" } }`);
  }
}

function timeOf(concern: Doc, field: 'afterClusterTime' | 'atClusterTime'): OpTime | undefined {
  const value = concern[field];
  if (value === undefined) return undefined;
  if (value instanceof Timestamp) return fromTimestamp(value);
  throw new ServerError('TypeMismatch', `BSON field 'readConcern.${field}' is the wrong type, expected type 'timestamp'`);
}

/** Waits for the majority point where the level asks for it; a snapshot outside a transaction is chosen here. */
export async function awaitReadConcern(call: Call): Promise<void> {
  const { server, body, session, transaction } = call;
  const concern = optionalDoc(body, 'readConcern');
  if (concern === undefined || transaction !== undefined) return;
  const after = timeOf(concern, 'afterClusterTime');
  const at = timeOf(concern, 'atClusterTime');
  refuseFuture(call, after ?? at);
  const level = concern['level'];
  if (level === 'majority' || level === 'snapshot') await majorityReaches(call, after ?? at ?? 0);
  if (level === 'linearizable') await majorityReaches(call, server.history.applied);
  if (level === 'snapshot' && session !== undefined) chooseSnapshot(call, at);
}

export function refuseFuture({ server }: Pick<Call, 'server'>, time: OpTime | undefined): void {
  if (time === undefined || time <= server.history.applied) return;
  throw new ServerError('InvalidOptions', 'readConcern afterClusterTime value must not be greater than the current clusterTime');
}

/** @throws MaxTimeMSExpired when the command's time is over before */
async function majorityReaches({ server, operation }: Call, time: OpTime): Promise<void> {
  const timeoutMs = operation.deadline === undefined ? undefined : operation.deadline - server.clock.monotonic();
  const isThere = await server.waiting.until(() => server.history.majority >= time, {
    timeoutMs,
    interruption: () => operation.interruption,
  });
  if (!isThere) throw new ServerError('MaxTimeMSExpired', 'operation exceeded time limit');
}

function chooseSnapshot({ server, session }: Call, at: OpTime | undefined): void {
  if (session === undefined || (at !== undefined && at === session.snapshotAt)) return;
  const time = at ?? server.history.majority;
  if (time < server.history.oldest) throw new ServerError('SnapshotTooOld', 'Read timestamp is older than the oldest available timestamp.');
  session.snapshotAt = time;
  server.history.pin(session, time);
}
