/** Logical time of the set: a timestamp of seconds and a counter, packed into one number that orders as it does. */

import { Timestamp } from 'mongodb';

/** Seconds × 2²⁰ + counter; a busy second simply runs into the next. */
export type OpTime = number;

const COUNTER = 2 ** 20;

/** Later than every time. */
export const END_OF_TIME: OpTime = Number.POSITIVE_INFINITY;

export function toTimestamp(time: OpTime): Timestamp {
  return new Timestamp({ t: Math.floor(time / COUNTER), i: time % COUNTER });
}

export function fromTimestamp(timestamp: Timestamp): OpTime {
  return timestamp.getHighBitsUnsigned() * COUNTER + Math.min(timestamp.getLowBitsUnsigned(), COUNTER - 1);
}

/** The next time after `last`, not before the clock's second; the counter begins at 1. */
export function tickAfter(last: OpTime, clockMs: number): OpTime {
  const next = Math.max(last + 1, Math.floor(clockMs / 1000) * COUNTER + 1);
  return next % COUNTER === 0 ? next + 1 : next;
}
