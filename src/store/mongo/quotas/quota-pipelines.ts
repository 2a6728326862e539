/** The updates of a quota: the server computes the new document from the old one, so that each command is one step. */

import { grainOf, type Rate, type RecentStarts } from '../../../job/rates.js';
import { SAVES_AFTER_MS } from '../../place-savers.js';
import { type Expression, type Fields, literal, numberIn, type Pipeline } from '../driver/expression.js';
import type { ServerTime } from '../driver/server-time.js';
import type { Holder, QuotaDocument, Reservation } from '../schema/documents.js';

/** A dispatcher that has not repeated its request for places for this time does not wait any more. */
const WAITS_FOR_MS = 45_000;

/** How many places nobody holds. */
export function roomOf({ size, holders }: QuotaDocument): number {
  return holders.reduce((room, { places }) => room - places, size);
}

/** Whether places are held by a job in its own name. */
export function isHeld(holder: Holder): holder is Reservation {
  return 'job' in holder;
}

/** Appends the quotas that are new to the lock order. */
export function appendPipeline(names: readonly string[]): Pipeline {
  const known: Expression = { $cond: [{ $isArray: '$names' }, '$names', []] };
  const added: Expression = { $filter: { input: literal(names), as: 'w', cond: { $not: [{ $in: ['$$w', known] }] } } };
  return [{ $set: { names: { $concatArrays: [known, added] } } }];
}

/** Writes a quota as it is configured, or as the store needs one that is not configured; an equal one stays as it is. */
export interface Configured {
  readonly size: number;
  readonly rate: Rate | undefined;
  readonly isConfigured: boolean;
}

/** A size that was set at run time stays as long as the configured one does not change. */
export function configurePipeline({ size, rate, isConfigured }: Configured): Pipeline {
  const isMissing = (field: `$${string}`): Expression => ({ $eq: [{ $type: field }, 'missing'] });
  const isNew: Expression = { $and: [isMissing('$size'), isMissing('$configured')] };
  const wantedRate: Expression = rate === undefined ? '$$REMOVE' : literal(rate);
  const hasSameRate: Expression = rate === undefined ? { $eq: [{ $type: '$rate' }, 'missing'] } : { $eq: ['$rate', literal(rate)] };
  const isSame: Expression = { $and: [{ $eq: ['$configured', size] }, hasSameRate] };
  const mayChange: Expression = isConfigured ? { $not: [isSame] } : false;
  const written: Fields = {
    holders: { $cond: [isNew, [], '$holders'] },
    waiting: { $cond: [isNew, [], '$waiting'] },
    revision: { $cond: [{ $and: [mayChange, { $not: [isNew] }] }, NEXT_REVISION, '$revision'] },
    size: { $cond: [{ $or: [isNew, { $and: [mayChange, { $ne: ['$configured', size] }] }] }, size, '$size'] },
    configured: { $cond: [{ $or: [isNew, mayChange] }, size, '$configured'] },
    rate: { $cond: [mayChange, wantedRate, '$rate'] },
  };
  return [{ $set: written }];
}

export interface PlacesRequest {
  readonly dispatcher: string;
  readonly want: number;
  /** It gets more than it has only if at least this number is free: fewer would be useless. */
  readonly least: number;
  /** For its first job; who only gives places up waits on, if it does. */
  readonly need: number | undefined;
  /** Its own places suffice for its jobs one after the other: it waits only for places that others leave idle. */
  readonly isModest: boolean;
  readonly inUse: number;
  readonly version: number;
}

/**
 * Gives the wanted places as far as there are any, never fewer than those in use; an older command that comes late changes nothing.
 * Its rule in TypeScript is `grantedPlaces` of the tests, which compare the two.
 */
export function requestPlaces(request: PlacesRequest, time: ServerTime): Pipeline {
  const { dispatcher, want, least, inUse, version } = request;
  const mine = shareOf(dispatcher);
  const others: Expression = { $sum: { $map: { input: withoutShareOf(dispatcher), as: 'h', in: '$$h.places' } } };
  const there: Expression = { $min: [want, { $subtract: ['$size', { $add: [others, lackedBefore(dispatcher, time)] }] }] };
  const useful: Expression = {
    $let: { vars: { there }, in: { $cond: [{ $gte: ['$$there', least] }, '$$there', { $min: ['$$there', HAD] }] } },
  };
  const isOld: Expression = { $gte: [{ $ifNull: ['$$mine.version', -1] }, version] };
  const give: Expression = {
    $let: { vars: { mine }, in: { $cond: [isOld, '$$mine.places', { $max: [{ $min: [inUse, HAD] }, useful, 0] }] } },
  };
  const isLate: Expression = { $let: { vars: { mine }, in: isOld } };
  // Also a share of none stays, for its number.
  const holders: Expression = {
    $concatArrays: [withoutShareOf(dispatcher), [{ dispatcher: literal(dispatcher), places: '$give', version }]],
  };
  const unlessLate = (field: `$${string}`, written: Expression): Expression => ({ $cond: ['$isLate', field, written] });
  const written: Expression = {
    revision: NEXT_REVISION,
    holders: unlessLate('$holders', holders),
    waiting: unlessLate('$waiting', waitingAfter(request, time)),
  };
  return [{ $set: { give, isLate } }, { $set: written }, { $unset: ['give', 'isLate'] }];
}

/** The places of the dispatcher before the command. */
const HAD: Expression = { $ifNull: ['$$mine.places', 0] };

/** The number of places that dispatchers lack which come before this one, and have waited for long. */
function lackedBefore(dispatcher: string, time: ServerTime): Expression {
  const longSince: Expression = { $subtract: [time.now, SAVES_AFTER_MS] };
  const isBefore: Expression = {
    $and: [
      { $ne: ['$$w.dispatcher', literal(dispatcher)] },
      { $gt: ['$$w.until', time.now] },
      { $lte: ['$$w.since', longSince] },
      { $or: [{ $lt: ['$$me', 0] }, { $lt: [{ $indexOfArray: ['$waiting.dispatcher', '$$w.dispatcher'] }, '$$me'] }] },
    ],
  };
  const before: Expression = { $filter: { input: '$waiting', as: 'w', cond: isBefore } };
  return { $let: { vars: { me: positionOf(dispatcher) }, in: { $sum: { $map: { input: before, as: 'w', in: '$$w.places' } } } } };
}

/** The dispatchers that wait after the command, which gives `$give` places. */
function waitingAfter({ dispatcher, need, isModest }: PlacesRequest, time: ServerTime): Expression {
  const isMine: Expression = { $eq: ['$$w.dispatcher', literal(dispatcher)] };
  const withMine = (changed: Expression): Expression => ({
    $map: { input: '$waiting', as: 'w', in: { $cond: [isMine, changed, '$$w'] } },
  });
  if (need === undefined) {
    // The places that it gives up, it lacks in addition.
    const givenUp: Expression = { $let: { vars: { mine: shareOf(dispatcher) }, in: { $subtract: [HAD, '$give'] } } };
    const places: Expression = { $cond: [{ $gt: ['$$w.places', 0] }, { $add: ['$$w.places', givenUp] }, 0] };
    return withMine({ $mergeObjects: ['$$w', { places }] });
  }
  const old: Expression = { $first: { $filter: { input: '$waiting', as: 'w', cond: isMine } } };
  const since: Expression = { $let: { vars: { old }, in: { $ifNull: ['$$old.since', time.now] } } };
  const places: Expression = isModest ? 0 : { $subtract: [need, '$give'] };
  const entry: Expression = { dispatcher: literal(dispatcher), places, since, until: time.after(WAITS_FOR_MS) };
  const withEntry: Expression = {
    $cond: [{ $gte: [positionOf(dispatcher), 0] }, withMine(entry), { $concatArrays: ['$waiting', [entry]] }],
  };
  return { $cond: [{ $lt: ['$give', need] }, withEntry, withoutWaiting(dispatcher)] };
}

/** The position of a dispatcher among those that wait, or -1. */
function positionOf(dispatcher: string): Expression {
  return { $indexOfArray: ['$waiting.dispatcher', literal(dispatcher)] };
}

/** Rises with each write, so that a known state need not be read again. */
export const NEXT_REVISION: Expression = { $add: [numberIn('$revision'), 1] };

export function withoutShareOf(dispatcher: string): Expression {
  return { $filter: { input: '$holders', as: 'h', cond: { $ne: ['$$h.dispatcher', literal(dispatcher)] } } };
}

export function withoutReservation(job: string, attempt: string): Expression {
  const isIt: Expression = { $and: [{ $eq: ['$$h.job', literal(job)] }, { $eq: ['$$h.attempt', literal(attempt)] }] };
  return { $filter: { input: '$holders', as: 'h', cond: { $not: [isIt] } } };
}

export function withoutWaiting(dispatcher: string): Expression {
  return { $filter: { input: '$waiting', as: 'w', cond: { $ne: ['$$w.dispatcher', literal(dispatcher)] } } };
}

function shareOf(dispatcher: string): Expression {
  return { $first: { $filter: { input: '$holders', as: 'h', cond: { $eq: ['$$h.dispatcher', literal(dispatcher)] } } } };
}

export interface Keep {
  readonly dispatcher: string;
  readonly held: Reservation;
  readonly version: number;
}

/** Gives as many starts as are wanted and the rate leaves; `granted` says how many. */
export function startsPipeline({ want, rate }: { readonly want: number; readonly rate: Rate }, time: ServerTime): Pipeline {
  const grain = grainOf(rate);
  const countedMs: Expression = { $add: [{ $toLong: time.now }, rate.perMs] };
  const until: Expression = { $toDate: { $multiply: [{ $ceil: { $divide: [countedMs, grain] } }, grain] } };
  const still: Expression = { $filter: { input: { $ifNull: ['$recentStarts', []] }, as: 'b', cond: { $gt: ['$$b.until', time.now] } } };
  const count: Expression = { $max: [0, { $min: [want, { $subtract: [rate.starts, { $sum: '$recentStarts.count' }] }] }] };
  const withTime = (is: '$eq' | '$ne'): Expression => ({
    $filter: { input: '$recentStarts', as: 'b', cond: { [is]: ['$$b.until', '$granted.until'] } },
  });
  const same: Expression = { $sum: { $map: { input: withTime('$eq'), as: 'b', in: '$$b.count' } } };
  const added: Expression = { $concatArrays: [withTime('$ne'), [{ until: '$granted.until', count: { $add: [same, '$granted.count'] } }]] };
  return [
    { $set: { recentStarts: still, revision: NEXT_REVISION } },
    { $set: { granted: { until, count } } },
    { $set: { recentStarts: { $cond: [{ $gt: ['$granted.count', 0] }, added, '$recentStarts'] } } },
  ];
}

/** Takes starts back that were given and not used. */
export function unusedPipeline({ until, count }: RecentStarts): Pipeline {
  const less: Expression = { $mergeObjects: ['$$b', { count: { $subtract: ['$$b.count', count] } }] };
  const recentStarts: Expression = {
    $map: { input: '$recentStarts', as: 'b', in: { $cond: [{ $eq: ['$$b.until', until] }, less, '$$b'] } },
  };
  return [{ $set: { revision: NEXT_REVISION, recentStarts } }];
}

/** Takes places off a dispatcher's share and makes them a job's own, once however often it is asked for. */
export function keepPipeline({ dispatcher, held, version }: Keep): Pipeline {
  const share: Expression = { dispatcher: literal(dispatcher), places: { $subtract: ['$$mine.places', held.places] }, version };
  const kept: Expression = { $concatArrays: [withoutShareOf(dispatcher), [share], [literal(held)]] };
  const mayBeKept: Expression = {
    $and: [
      { $lt: [{ $ifNull: ['$$mine.version', version] }, version] },
      { $gte: ['$$mine.places', held.places] },
      { $not: [{ $in: [literal(held.attempt), '$holders.attempt'] }] },
    ],
  };
  const holders: Expression = { $let: { vars: { mine: shareOf(dispatcher) }, in: { $cond: [mayBeKept, kept, '$holders'] } } };
  return [{ $set: { revision: NEXT_REVISION, holders } }];
}
