/** Resume tokens: hexadecimal strings that sort as the events they stand for. */

import { Timestamp } from 'mongodb';
import { fromTimestamp, type OpTime, toTimestamp } from '../oplog/op-time.js';
import { ServerError } from '../server-error.js';
import { type Doc, isDoc, type Maybe } from '../values/value.js';

/** A place in the order of events; streams go on after it. */
export interface Place {
  readonly at: OpTime;
  /** Within a transaction; -1 stands before everything at that time. */
  readonly place: number;
  /** After the change itself: the `invalidate` that it caused. */
  readonly isInvalidate: boolean;
}

const KINDS = { highWater: '00', event: '64', invalidate: '78' } as const;

export function encodeToken({ at, place, isInvalidate }: Place): Doc {
  const time = toTimestamp(at);
  const kind = place < 0 ? KINDS.highWater : isInvalidate ? KINDS.invalidate : KINDS.event;
  const seconds = hex(time.getHighBitsUnsigned());
  return { _data: `82${seconds}${hex(time.getLowBitsUnsigned())}2B${hex(Math.max(place, 0))}${kind}` };
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}

/** A token of everything up to a time: the events after it are still to come. */
export function highWaterToken(upTo: OpTime): Doc {
  return encodeToken({ at: upTo + 1, place: -1, isInvalidate: false });
}

export function decodeToken(token: Maybe): Place {
  const data = isDoc(token) ? token['_data'] : undefined;
  const parts = typeof data === 'string' ? /^82([0-9A-F]{8})([0-9A-F]{8})2B([0-9A-F]{8})(00|64|78)$/i.exec(data) : null;
  const [, seconds, counter, place, kind] = parts ?? [];
  if (seconds === undefined || counter === undefined || place === undefined) {
    throw new ServerError(
      'InvalidResumeToken',
      `Bad resume token: _data of missing or of wrong type${typeof data === 'string' ? ` or not a token of this set: ${data}` : ''}`,
    );
  }
  const at = fromTimestamp(new Timestamp({ t: Number.parseInt(seconds, 16), i: Number.parseInt(counter, 16) }));
  return { at, place: kind === KINDS.highWater ? -1 : Number.parseInt(place, 16), isInvalidate: kind === KINDS.invalidate };
}
