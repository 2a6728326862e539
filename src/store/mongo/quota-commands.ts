/** What is written to a quota: its document is read and computed anew by the server, so that each command is one step. */

import type { Document } from 'mongodb';
import { SAVES_AFTER_MS } from '../savers.js';
import type { Held, Holder, QuotaDocument } from './documents.js';
import type { ServerTime } from './server-time.js';

/** A dispatcher that waits for places and has not asked again for so long waits no more. */
const WAITS_FOR_MS = 45_000;

/** How many places nobody holds. */
export function roomOf({ size, holders }: QuotaDocument): number {
  return holders.reduce((room, { n }) => room - n, size);
}

/** Whether places are held by a job in its own name. */
export function isHeld(holder: Holder): holder is Held {
  return 'job' in holder;
}

export interface Ask {
  readonly dispatcher: string;
  readonly want: number;
  /** For its first job; who only gives places up waits on, if it does. */
  readonly need: number | undefined;
  readonly inUse: number;
  readonly v: number;
}

/** Gives as much as is wanted and there is, never less than what is in use; an older command that comes late changes nothing. */
export function askPipeline({ dispatcher, want, need, inUse, v }: Ask, time: ServerTime): Document[] {
  const mine = shareOf(dispatcher);
  const others = { $sum: { $map: { input: sharesBut(dispatcher), as: 'h', in: '$$h.n' } } };
  const longSince = { $subtract: [time.now, SAVES_AFTER_MS] };
  const me = { $indexOfArray: ['$waiting.by', dispatcher] };
  const isBefore = {
    $and: [
      { $ne: ['$$w.by', dispatcher] },
      { $gt: ['$$w.until', time.now] },
      { $lte: ['$$w.since', longSince] },
      { $or: [{ $lt: ['$$me', 0] }, { $lt: [{ $indexOfArray: ['$waiting.by', '$$w.by'] }, '$$me'] }] },
    ],
  };
  const ahead = { $sum: { $map: { input: { $filter: { input: '$waiting', as: 'w', cond: isBefore } }, as: 'w', in: '$$w.n' } } };
  const room = { $subtract: ['$size', { $add: [others, ahead] }] };
  const given = { $max: [{ $min: [inUse, { $ifNull: ['$$mine.n', 0] }] }, { $min: [want, room] }, 0] };
  const isOld = { $gte: [{ $ifNull: ['$$mine.v', -1] }, v] };
  const give = { $let: { vars: { mine, me }, in: { $cond: [isOld, '$$mine.n', given] } } };
  const share = { by: { $literal: dispatcher }, n: '$give', v: { $literal: v } };
  const since = {
    $let: {
      vars: { old: { $first: { $filter: { input: '$waiting', as: 'w', cond: { $eq: ['$$w.by', dispatcher] } } } } },
      in: { $ifNull: ['$$old.since', time.now] },
    },
  };
  const entry = { by: { $literal: dispatcher }, n: { $subtract: [need ?? 0, '$give'] }, since, until: time.after(WAITS_FOR_MS) };
  const place = { $indexOfArray: ['$waiting.by', dispatcher] };
  const updated = {
    $map: { input: '$waiting', as: 'w', in: { $cond: [{ $eq: ['$$w.by', dispatcher] }, entry, '$$w'] } },
  };
  const waiting = {
    $cond: [
      { $lt: ['$give', need ?? 0] },
      { $cond: [{ $gte: [place, 0] }, updated, { $concatArrays: ['$waiting', [entry]] }] },
      waitingBut(dispatcher),
    ],
  };
  // Also a share of none stays, for its number.
  const holders = { $concatArrays: [sharesBut(dispatcher), [share]] };
  return [{ $set: { give } }, { $set: { rev: NEXT, holders, ...(need === undefined ? {} : { waiting }) } }, { $unset: 'give' }];
}

/** Rises with each write, so that what was seen already need not be read again. */
export const NEXT = { $add: [{ $ifNull: ['$rev', 0] }, 1] };

export function sharesBut(dispatcher: string): Document {
  return { $filter: { input: '$holders', as: 'h', cond: { $ne: ['$$h.by', dispatcher] } } };
}

export function heldBut(job: string, attempt: string): Document {
  const isIt = { $and: [{ $eq: ['$$h.job', job] }, { $eq: ['$$h.attempt', attempt] }] };
  return { $filter: { input: '$holders', as: 'h', cond: { $not: [isIt] } } };
}

export function waitingBut(dispatcher: string): Document {
  return { $filter: { input: '$waiting', as: 'w', cond: { $ne: ['$$w.by', dispatcher] } } };
}

function shareOf(dispatcher: string): Document {
  return { $first: { $filter: { input: '$holders', as: 'h', cond: { $eq: ['$$h.by', dispatcher] } } } };
}

export interface Keep {
  readonly dispatcher: string;
  readonly held: Held;
  readonly v: number;
}

/** Takes places off a dispatcher's share and makes them a job's own, once however often it is asked for. */
export function keepPipeline({ dispatcher, held, v }: Keep): Document[] {
  const share = { by: { $literal: dispatcher }, n: { $subtract: ['$$mine.n', held.n] }, v: { $literal: v } };
  const kept = { $concatArrays: [sharesBut(dispatcher), [share], [{ $literal: held }]] };
  const mayBeKept = {
    $and: [
      { $lt: [{ $ifNull: ['$$mine.v', v] }, v] },
      { $gte: ['$$mine.n', held.n] },
      { $not: [{ $in: [{ $literal: held.attempt }, '$holders.attempt'] }] },
    ],
  };
  const holders = { $let: { vars: { mine: shareOf(dispatcher) }, in: { $cond: [mayBeKept, kept, '$holders'] } } };
  return [{ $set: { rev: NEXT, holders } }];
}
