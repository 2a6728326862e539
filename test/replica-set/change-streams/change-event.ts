/** The event of a change, as change streams show it. */

import { toTimestamp } from '../oplog/op-time.js';
import type { Change } from '../oplog/oplog.js';
import { ServerError } from '../server-error.js';
import type { Doc, Maybe } from '../values/value.js';
import { encodeToken } from './resume-token.js';

export type FullDocument = 'default' | 'updateLookup' | 'whenAvailable' | 'required';

export interface EventOptions {
  readonly fullDocument: FullDocument;
  readonly beforeChange: 'off' | 'whenAvailable' | 'required';
  readonly isExpanded: boolean;
  /** The document as it is now, for `updateLookup`. */
  lookUp(change: Change): Maybe;
}

export function eventOf(change: Change, options: EventOptions): Doc {
  const { kind, database, collection, id } = change;
  const isOfDocument = id !== undefined;
  return {
    _id: encodeToken({ at: change.at, place: change.place, isInvalidate: false }),
    operationType: kind,
    clusterTime: toTimestamp(change.at),
    ...(options.isExpanded && change.uuid !== undefined ? { collectionUUID: change.uuid } : {}),
    wallTime: change.wallTime,
    ...(change.transaction ?? {}),
    ...fullDocument(change, options),
    ns: kind === 'dropDatabase' ? { db: database } : { db: database, coll: collection },
    ...(change.to === undefined ? {} : { to: change.to }),
    ...(isOfDocument ? { documentKey: { _id: id } } : {}),
    ...(change.update === undefined ? {} : { updateDescription: { ...change.update } }),
    ...beforeImage(change, options),
  };
}

function fullDocument(change: Change, { fullDocument: wanted, lookUp }: EventOptions): Doc {
  if (change.doc !== undefined) return { fullDocument: change.doc };
  if (change.kind !== 'update' || wanted === 'default') return {};
  if (wanted === 'updateLookup') return { fullDocument: lookUp(change) ?? null };
  if (wanted === 'whenAvailable') return { fullDocument: null };
  throw new ServerError(
    'NoMatchingDocument',
    'Change stream was configured to require a post-image for all update events, but the post-image was not found for event',
  );
}

function beforeImage({ kind }: Change, { beforeChange }: EventOptions): Doc {
  if (beforeChange === 'off' || !['update', 'replace', 'delete'].includes(kind)) return {};
  if (beforeChange === 'whenAvailable') return { fullDocumentBeforeChange: null };
  throw new ServerError(
    'NoMatchingDocument',
    'Change stream was configured to require a pre-image for all update, delete and replace events, but the pre-image was not found for event',
  );
}

export function invalidateEvent(change: Change): Doc {
  return {
    _id: encodeToken({ at: change.at, place: change.place, isInvalidate: true }),
    operationType: 'invalidate',
    clusterTime: toTimestamp(change.at),
    wallTime: change.wallTime,
  };
}
