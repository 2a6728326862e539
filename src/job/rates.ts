/** Rates of quotas: how many jobs may begin in a period, whichever period one looks at. */

/**
 * At most `starts` jobs that take places of the quota may begin in any `perMs` milliseconds, whatever their weights, in the whole
 * deployment: a job counts when the store grants its start, by the store's clock. Its code runs a little later, and that delay varies. A
 * retry that comes later counts again; one at once, which goes on with the places of its job, does not.
 */
export interface Rate {
  readonly starts: number;
  /** Milliseconds. */
  readonly perMs: number;
}

/** The quotas that have a rate. */
export type RateBook = ReadonlyMap<string, Rate>;

export const NO_RATES: RateBook = new Map();

/** Jobs that have begun, and until when they count. */
export interface RecentStarts {
  readonly until: Date;
  readonly count: number;
}

/** The parts of a period. Jobs that begin in one part count until the same time, which may be too late, but not too early. */
const PARTS = 64;

/** The milliseconds to whose multiples times are rounded up. */
export function grainOf({ perMs }: Rate): number {
  return Math.ceil(perMs / PARTS);
}

/** Until when a job counts that begins now. */
export function countsUntil(rate: Rate, nowMs: number): Date {
  const grain = grainOf(rate);
  return new Date(Math.ceil((nowMs + rate.perMs) / grain) * grain);
}

/** How many more may begin now. */
export function startsLeft({ starts }: Rate, begun: readonly RecentStarts[], nowMs: number): number {
  return begun.reduce((left, { until, count }) => (until.getTime() > nowMs ? left - count : left), starts);
}

/** When another one may begin, where none may now. */
export function nextStart(begun: readonly RecentStarts[], nowMs: number): Date | undefined {
  const times = begun.filter(({ count }) => count > 0).map(({ until }) => until.getTime());
  const next = times.filter((time) => time > nowMs).reduce((least, time) => Math.min(least, time), Number.POSITIVE_INFINITY);
  return Number.isFinite(next) ? new Date(next) : undefined;
}
