/** Opens a change stream from the `$changeStream` stage of an aggregation. */

import { Timestamp } from 'mongodb';
import type { Call } from '../commands/command.js';
import { refuseUnknown } from '../commands/fields.js';
import { variablesOf } from '../commands/reading.js';
import { visible } from '../documents/stored.js';
import { fromTimestamp } from '../oplog/op-time.js';
import type { Change } from '../oplog/oplog.js';
import { runStages } from '../pipeline/pipeline.js';
import { nameAndSpec } from '../pipeline/stage.js';
import { idHack } from '../planning/nodes/collection-scan.js';
import type { Server } from '../server.js';
import { ServerError } from '../server-error.js';
import { type Doc, isDoc, type Maybe, type Value } from '../values/value.js';
import type { EventOptions } from './change-event.js';
import { ChangeStream, type Scope } from './change-stream.js';
import { decodeToken, type Place } from './resume-token.js';

const OPTIONS = [
  'fullDocument',
  'fullDocumentBeforeChange',
  'resumeAfter',
  'startAfter',
  'startAtOperationTime',
  'allChangesForCluster',
  'showExpandedEvents',
];
const ALLOWED_STAGES = ['$match', '$project', '$addFields', '$set', '$unset', '$replaceRoot', '$replaceWith'];

export interface ChangeStreamRequest {
  /** Undefined when a whole database or deployment is watched. */
  readonly collection: string | undefined;
  readonly pipeline: readonly Value[];
}

export function openChangeStream(call: Call, { collection, pipeline }: ChangeStreamRequest): ChangeStream {
  const [first, ...rest] = pipeline;
  const spec = first === undefined ? undefined : nameAndSpec(first)[1];
  if (!isDoc(spec)) throw new ServerError(50808, '$changeStream stage expects a document as argument');
  refuseUnknown(spec, '$changeStream', OPTIONS);
  if (call.transaction !== undefined)
    throw new ServerError('OperationNotSupportedInTransaction', 'Cannot run a $changeStream in a multi-document transaction.');
  refuseStages(rest);
  const context = { env: variablesOf(call), database: call.database, source: () => undefined };
  return new ChangeStream(call.server, {
    scope: scopeOf(call, spec, collection),
    from: startOf(call.server, spec),
    options: optionsOf(call.server, spec),
    pipeline: runStages(rest, context),
  });
}

function refuseStages(stages: readonly Value[]): void {
  for (const stage of stages) {
    const [name] = nameAndSpec(stage);
    if (!ALLOWED_STAGES.includes(name)) throw new ServerError('IllegalOperation', `${name} is not permitted in a $changeStream pipeline`);
  }
}

function scopeOf({ database }: Call, spec: Doc, collection: string | undefined): Scope {
  if (spec['allChangesForCluster'] !== true) {
    if (database === 'admin' && collection === undefined)
      throw new ServerError('InvalidNamespace', '$changeStream may not be opened on the internal admin database');
    return { database, collection };
  }
  if (database !== 'admin' || collection !== undefined) {
    throw new ServerError(
      'InvalidOptions',
      "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and with no collection name",
    );
  }
  return { database: undefined, collection: undefined };
}

/** Where it begins: after a token, at a time, or now. */
function startOf({ history, oplog }: Server, { resumeAfter, startAfter, startAtOperationTime }: Doc): Place {
  const given = [resumeAfter, startAfter, startAtOperationTime].filter((value) => value !== undefined);
  if (resumeAfter !== undefined && startAfter !== undefined) {
    throw new ServerError(50865, "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage.");
  }
  if (given.length > 1) throw new ServerError(40674, 'Only one type of resume option is allowed, but multiple were found.');
  const place = placeOf(resumeAfter, startAfter, startAtOperationTime);
  if (place === undefined) return { at: history.majority + 1, place: -1, isInvalidate: false };
  if (!oplog.reachesBackTo(place.at)) {
    throw new ServerError(
      'ChangeStreamHistoryLost',
      'Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
    );
  }
  return place;
}

function placeOf(resumeAfter: Maybe, startAfter: Maybe, startAtOperationTime: Maybe): Place | undefined {
  if (startAtOperationTime !== undefined) {
    if (!(startAtOperationTime instanceof Timestamp))
      throw new ServerError('TypeMismatch', "BSON field '$changeStream.startAtOperationTime' is the wrong type, expected type 'timestamp'");
    return { at: fromTimestamp(startAtOperationTime), place: -1, isInvalidate: false };
  }
  if (startAfter !== undefined) return decodeToken(startAfter);
  if (resumeAfter === undefined) return undefined;
  const place = decodeToken(resumeAfter);
  if (place.isInvalidate) {
    throw new ServerError(
      'InvalidResumeToken',
      "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.",
    );
  }
  return place;
}

function optionsOf(server: Server, { fullDocument = 'default', fullDocumentBeforeChange = 'off', showExpandedEvents }: Doc): EventOptions {
  return {
    fullDocument: oneOf('fullDocument', fullDocument, ['default', 'updateLookup', 'whenAvailable', 'required']),
    beforeChange: oneOf('fullDocumentBeforeChange', fullDocumentBeforeChange, ['off', 'whenAvailable', 'required']),
    isExpanded: showExpandedEvents === true,
    lookUp: (change) => lookUp(server, change),
  };
}

function oneOf<T extends string>(field: string, value: Maybe, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  throw new ServerError('BadValue', `Enumeration value '${String(value)}' for field '$changeStream.${field}' is not a valid value.`);
}

/** The document as it is majority-committed now. */
function lookUp({ catalog, history }: Server, { database, collection, id }: Change): Doc | undefined {
  const found = catalog.find(database, collection);
  if (found === undefined || id === undefined) return undefined;
  const view = { at: history.majority, owner: undefined };
  for (const { stored } of idHack({ collection: found, view: () => view }, id).rows()) {
    return stored === undefined ? undefined : visible(stored, view);
  }
  return undefined;
}
