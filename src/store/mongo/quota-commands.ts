/** What is written to a quota: its document is read and computed anew by the server, so that each command is one step. */

import type { Document } from 'mongodb';
import { type Begun, grainOf, type Rate } from '../../job/rates.js';
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

/** Appends the quotas that are new to the lock order. */
export function appendPipeline(names: readonly string[]): Document[] {
  const known = { $ifNull: ['$names', []] };
  const added = { $filter: { input: { $literal: names }, as: 'name', cond: { $not: [{ $in: ['$$name', known] }] } } };
  return [{ $set: { names: { $concatArrays: [known, added] } } }];
}

/** A quota as the configuration names it, or as the store needs one that is not configured; one that is like this already stays as it is. */
export interface Configured {
  readonly size: number;
  readonly rate: Rate | undefined;
  readonly isConfigured: boolean;
}

/** A size that was set since the same was configured stays. */
export function configurePipeline({ size, rate, isConfigured }: Configured): Document[] {
  const isNew = { $eq: [{ $type: '$size' }, 'missing'] };
  const wantedRate = rate === undefined ? '$$REMOVE' : { $literal: rate };
  const hasSameRate = rate === undefined ? { $eq: [{ $type: '$rate' }, 'missing'] } : { $eq: ['$rate', { $literal: rate }] };
  const isSame = { $and: [{ $eq: ['$configured', size] }, hasSameRate] };
  const mayChange = isConfigured ? { $not: [isSame] } : false;
  const written = {
    holders: { $ifNull: ['$holders', []] },
    waiting: { $ifNull: ['$waiting', []] },
    rev: { $cond: [{ $and: [mayChange, { $not: [isNew] }] }, NEXT, '$rev'] },
    size: { $cond: [{ $or: [isNew, { $and: [mayChange, { $ne: ['$configured', size] }] }] }, size, '$size'] },
    configured: { $cond: [{ $or: [isNew, mayChange] }, size, '$configured'] },
    rate: { $cond: [mayChange, wantedRate, '$rate'] },
  };
  return [{ $set: written }];
}

export interface Ask {
  readonly dispatcher: string;
  readonly want: number;
  /** No more than it has, unless there are so many: fewer would be of no use. */
  readonly least: number;
  /** For its first job; who only gives places up waits on, if it does. */
  readonly need: number | undefined;
  /** Its own places suffice for its jobs one after the other: it waits for what others leave idle, and for nothing else. */
  readonly isModest: boolean;
  readonly inUse: number;
  readonly v: number;
}

/** Gives as much as is wanted and there is, never less than what is in use; an older command that comes late changes nothing. */
export function askPipeline({ dispatcher, want, least, need, isModest, inUse, v }: Ask, time: ServerTime): Document[] {
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
  const had = { $ifNull: ['$$mine.n', 0] };
  const there = { $min: [want, { $subtract: ['$size', { $add: [others, ahead] }] }] };
  const useful = { $let: { vars: { there }, in: { $cond: [{ $gte: ['$$there', least] }, '$$there', { $min: ['$$there', had] }] } } };
  const isOld = { $gte: [{ $ifNull: ['$$mine.v', -1] }, v] };
  const give = {
    $let: { vars: { mine, me }, in: { $cond: [isOld, '$$mine.n', { $max: [{ $min: [inUse, had] }, useful, 0] }] } },
  };
  const isLate = { $let: { vars: { mine }, in: isOld } };
  const share = { by: { $literal: dispatcher }, n: '$give', v: { $literal: v } };
  const since = {
    $let: {
      vars: { old: { $first: { $filter: { input: '$waiting', as: 'w', cond: { $eq: ['$$w.by', dispatcher] } } } } },
      in: { $ifNull: ['$$old.since', time.now] },
    },
  };
  const lacks = isModest ? 0 : { $subtract: [need ?? 0, '$give'] };
  const entry = { by: { $literal: dispatcher }, n: lacks, since, until: time.after(WAITS_FOR_MS) };
  const place = { $indexOfArray: ['$waiting.by', dispatcher] };
  const withMine = (changed: Document): Document => ({
    $map: { input: '$waiting', as: 'w', in: { $cond: [{ $eq: ['$$w.by', dispatcher] }, changed, '$$w'] } },
  });
  const asked = {
    $cond: [
      { $lt: ['$give', need ?? 0] },
      { $cond: [{ $gte: [place, 0] }, withMine(entry), { $concatArrays: ['$waiting', [entry]] }] },
      waitingBut(dispatcher),
    ],
  };
  // What it gives up, it lacks in addition.
  const given = { $let: { vars: { mine }, in: { $subtract: [had, '$give'] } } };
  const lacksMore = { $mergeObjects: ['$$w', { n: { $cond: [{ $gt: ['$$w.n', 0] }, { $add: ['$$w.n', given] }, 0] } }] };
  const waiting = need === undefined ? withMine(lacksMore) : asked;
  // Also a share of none stays, for its number.
  const holders = { $concatArrays: [sharesBut(dispatcher), [share]] };
  const unlessLate = (field: string, written: Document): Document => ({ $cond: ['$isLate', field, written] });
  const written = { rev: NEXT, holders: unlessLate('$holders', holders), waiting: unlessLate('$waiting', waiting) };
  return [{ $set: { give, isLate } }, { $set: written }, { $unset: ['give', 'isLate'] }];
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

/** Gives as many starts as are wanted and the rate leaves; `given` says how many. */
export function startsPipeline({ want, rate }: { readonly want: number; readonly rate: Rate }, time: ServerTime): Document[] {
  const grain = grainOf(rate);
  const countedMs = { $add: [{ $toLong: time.now }, rate.perMs] };
  const until = { $toDate: { $multiply: [{ $ceil: { $divide: [countedMs, grain] } }, grain] } };
  const still = { $filter: { input: { $ifNull: ['$begun', []] }, as: 'b', cond: { $gt: ['$$b.until', time.now] } } };
  const n = { $max: [0, { $min: [want, { $subtract: [rate.starts, { $sum: '$begun.n' }] }] }] };
  const withTime = (is: '$eq' | '$ne'): Document => ({
    $filter: { input: '$begun', as: 'b', cond: { [is]: ['$$b.until', '$given.until'] } },
  });
  const same = { $sum: { $map: { input: withTime('$eq'), as: 'b', in: '$$b.n' } } };
  const added = { $concatArrays: [withTime('$ne'), [{ until: '$given.until', n: { $add: [same, '$given.n'] } }]] };
  return [
    { $set: { begun: still, rev: NEXT } },
    { $set: { given: { until, n } } },
    { $set: { begun: { $cond: [{ $gt: ['$given.n', 0] }, added, '$begun'] } } },
  ];
}

/** Takes starts back that were given and not used. */
export function unusedPipeline({ until, n }: Begun): Document[] {
  const less = { $mergeObjects: ['$$b', { n: { $subtract: ['$$b.n', n] } }] };
  const begun = { $map: { input: '$begun', as: 'b', in: { $cond: [{ $eq: ['$$b.until', until] }, less, '$$b'] } } };
  return [{ $set: { rev: NEXT, begun } }];
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
