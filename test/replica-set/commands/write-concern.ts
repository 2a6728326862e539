/** Waiting until a write is as durable as its write concern asks. */

import type { OpTime } from '../oplog/op-time.js';
import { ServerError } from '../server-error.js';
import { numberOf, wholeNumber } from '../values/numbers.js';
import type { Doc, Maybe } from '../values/value.js';
import type { Call, Command } from './command.js';
import { optionalDoc, optionalNumber, refuseUnknown } from './fields.js';

/** @returns a `writeConcernError`, unless all went well */
export async function awaitWriteConcern(call: Call, command: Command): Promise<Doc | undefined> {
  const { body, transaction, name } = call;
  const concern = optionalDoc(body, 'writeConcern');
  if (concern !== undefined) checkWriteConcern(concern, call);
  const isEnd = name === 'commitTransaction' || name === 'abortTransaction';
  if (command.kind !== 'write' || (transaction !== undefined && !isEnd)) return undefined;
  const w = concern?.['w'] ?? 'majority';
  const members = call.server.topology.hosts.length;
  const nodes = numberOf(w);
  if (nodes !== undefined && nodes > members)
    return concernError(100, 'UnsatisfiableWriteConcern', 'Not enough data-bearing nodes', concern);
  if (nodes !== undefined && nodes <= 1) return undefined;
  if (nodes === undefined && w !== 'majority')
    return concernError(
      79,
      'UnknownReplWriteConcern',
      `No write concern mode named '${String(w)}' found in replica set configuration`,
      concern,
    );
  return awaitMajority(call, call.server.history.applied, concern ?? {});
}

function checkWriteConcern(concern: Doc, { transaction, name }: Call): void {
  refuseUnknown(concern, 'writeConcern', ['w', 'j', 'wtimeout', 'fsync', 'provenance']);
  const isEnd = name === 'commitTransaction' || name === 'abortTransaction';
  if (transaction !== undefined && !isEnd)
    throw new ServerError('InvalidOptions', 'writeConcern is not allowed within a multi-statement transaction');
  const w = concern['w'];
  if (w !== undefined && typeof w !== 'string' && numberOf(w) === undefined)
    throw new ServerError('FailedToParse', 'w has to be a number, string, or object');
}

async function awaitMajority({ server, operation }: Call, time: OpTime, concern: Doc): Promise<Doc | undefined> {
  const wtimeout = optionalNumber(concern, 'wtimeout') ?? 0;
  const untilDeadline = operation.deadline === undefined ? undefined : operation.deadline - server.clock.monotonic();
  const timeoutMs = wtimeout > 0 ? wtimeout : untilDeadline;
  try {
    const { history } = server;
    // Where it is held, what is rolled back meanwhile must be waited for from now on.
    if (history.majority < time && !history.isMajorityHeld) await server.hurryMajority();
    const isThere = await server.waiting.until(() => server.history.majority >= time, {
      timeoutMs,
      interruption: () => operation.interruption,
    });
    if (isThere) return undefined;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    if (error.code !== 11602) return concernError(error.code, error.codeName, error.message, concern);
    return concernError(189, 'PrimarySteppedDown', 'Primary stepped down while waiting for replication', concern);
  }
  if (wtimeout > 0) return concernError(64, 'WriteConcernFailed', 'waiting for replication timed out', concern, { wtimeout: true });
  return concernError(50, 'MaxTimeMSExpired', 'operation exceeded time limit', concern);
}

function concernError(code: number, codeName: string, errmsg: string, concern: Doc | undefined, info: Doc = {}): Doc {
  const w: Maybe = concern?.['w'] ?? 'majority';
  const wtimeout = wholeNumber(numberOf(concern?.['wtimeout']) ?? 0);
  const provenance = concern === undefined ? 'implicitDefault' : 'clientSupplied';
  return { code: wholeNumber(code), codeName, errmsg, errInfo: { ...info, writeConcern: { w, wtimeout, provenance } } };
}
