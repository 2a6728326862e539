/** The quota rule: how many places of which quotas a job takes, and in which order quotas may be held together. */

import { checkOption, didYouMean, is, type Rule } from '../check.js';
import { OptionError, QuotaError, UnknownQuotaError } from '../errors.js';
import type { Quotas } from './register.js';

/** How many places of each quota, in the order of the names. */
export type Places = Readonly<Record<string, number>>;

/** The sizes of the quotas, in their lock order: that in which they were first configured. */
export type QuotaLimits = ReadonlyMap<string, number>;

/** The quota of jobs that name none. */
export const DEFAULT_QUOTA = 'default';

export const NO_PLACES: Places = Object.freeze({});
export const DEFAULT_PLACES: Places = Object.freeze({ [DEFAULT_QUOTA]: 1 });

/** The quotas that a store has with a configuration: `default` before all others, with one place unless it is named. */
export function withDefaultQuota(named: QuotaLimits): QuotaLimits {
  return new Map([[DEFAULT_QUOTA, 1], ...named]);
}

/** Reads the option `quotas`: names with one place each, or weights. @throws OptionError */
export function placesOf(quotas: Quotas, owner: string): Places {
  const entries: [string, unknown][] = Array.isArray(quotas)
    ? quotas.map((name) => [String(name), 1])
    : Object.entries(namedWeights(quotas, owner));
  for (const [name, weight] of entries) {
    checkQuotaName(owner, name);
    if (entries.filter(([other]) => other === name).length > 1)
      throw new OptionError(`\`quotas\` of ${owner} names \`${name}\` twice; for several places write \`{ ${name}: 2 }\``);
    if (!Number.isSafeInteger(weight) || Number(weight) < 1)
      throw new OptionError(`\`quotas.${name}\` of ${owner} must be an integer of at least 1, but is ${weight}`);
  }
  return entries.length === 0
    ? NO_PLACES
    : Object.freeze(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)) as [string, number][]));
}

/** @throws OptionError */
export function checkQuotaName(owner: string, name: string): void {
  if (name === '') throw new OptionError(`\`quotas\` of ${owner} has an empty name`);
  checkOption(owner, 'quotas', name, { must: `named with ${is.label.must}`, holds: is.label.holds });
}

function namedWeights(quotas: unknown, owner: string): Record<string, unknown> {
  if (typeof quotas === 'object' && quotas !== null) return quotas as Record<string, unknown>;
  throw new OptionError(`\`quotas\` of ${owner} must be an array of names, or an object of name: places, but is ${typeof quotas}`);
}

/**
 * Refuses places that could never be had.
 * @param within - the last quota that the batches around the job hold
 * @throws UnknownQuotaError, QuotaError
 */
export function checkPlaces(places: Places, book: QuotaLimits, owner: string, within: string | undefined): void {
  for (const name in places) {
    const weight = weightOf(places, name);
    const size = book.get(name);
    if (size === undefined) throw unknownQuota(owner, name, book);
    if (weight > size)
      throw new QuotaError(
        `${owner} needs ${weight} places of the quota \`${name}\`, whose size is ${size}, so it could never run; raise the size, or take fewer places`,
      );
    if (within !== undefined) checkOrder(name, within, [...book.keys()], owner);
  }
}

export const QUOTAS_RULE: Rule = {
  must: "a list of quotas, such as `['files']`, or their weights, such as `{ gpu: 2 }`",
  holds: is.either(is.array, is.object).holds,
};

export function unknownQuota(owner: string, name: string, book: QuotaLimits): UnknownQuotaError {
  const hint = didYouMean(name, [...book.keys()]) || '; add it to `quotas` of asyncModule';
  return new UnknownQuotaError(`${owner} names the quota \`${name}\`, which is not configured${hint}`);
}

function checkOrder(name: string, within: string, names: readonly string[], owner: string): void {
  if (names.indexOf(name) > names.indexOf(within)) return;
  throw new QuotaError(
    `${owner} needs the quota \`${name}\` inside a batch that holds \`${within}\`; a job may only name quotas that come after those (order: ${names.join(', ')}), else it could wait for its own batch. Give the batch \`quotas: []\`, or the job other quotas`,
  );
}

/** The last quota in lock order, of the one held already and those of these places. */
export function lastInLockOrder(places: Places, book: QuotaLimits, within: string | undefined): string | undefined {
  const names = [...book.keys()];
  return [...Object.keys(places), ...(within === undefined ? [] : [within])].sort((a, b) => names.indexOf(a) - names.indexOf(b)).at(-1);
}

/** Whether the quotas are large enough for these places, if nobody else held any. */
export function couldEverFit(places: Places, book: QuotaLimits): boolean {
  return Object.entries(places).every(([name, weight]) => weight <= (book.get(name) ?? 0));
}

/** How many places of one quota. Own properties only: a quota may be called `constructor`. */
export function weightOf(places: Places, name: string): number {
  return Object.hasOwn(places, name) ? (places[name] ?? 0) : 0;
}

/** Whether a job takes places of a quota. */
export function takes(places: Places, name: string): boolean {
  return Object.hasOwn(places, name);
}

/** How many places in all: a job that needs several may have to save them up. */
export function placesInAll(places: Places): number {
  let sum = 0;
  for (const name in places) sum += places[name] ?? 0;
  return sum;
}
