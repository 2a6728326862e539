/** The options of quotas: sizes and rates. */

import { checkOption, checkOptions, is, MAX_TIMER_MS, type Rule, type Rules } from '../check.js';
import { checkQuotaName, type QuotaLimits } from '../job/places.js';
import type { Rate, RateBook } from '../job/rates.js';
import type { QuotaSize } from '../job/register.js';

const OWNER = '`asyncModule`';
const SIZE: Rule = { must: `${is.count.must}, or an object with \`size\` and \`rate\``, holds: is.count.holds };
const RULES: Rules<Exclude<QuotaSize, number>> = { size: is.count, rate: is.object };
const RATE_RULES: Rules<Rate> = {
  starts: is.count,
  perMs: {
    must: `a whole number of milliseconds from 1 to ${MAX_TIMER_MS} (24 days)`,
    holds: (value) => is.count.holds(value) && Number(value) <= MAX_TIMER_MS,
  },
};

/** @throws OptionError */
export function checkQuotas(sizes: Readonly<Record<string, QuotaSize>>): { readonly quotas: QuotaLimits; readonly rates: RateBook } {
  const quotas = new Map<string, number>();
  const rates = new Map<string, Rate>();
  for (const [name, given] of Object.entries(sizes)) {
    checkQuotaName(OWNER, name);
    const { size, rate } =
      typeof given === 'object' ? checkRated(`\`quotas.${name}\` of ${OWNER}`, given) : { size: given, rate: undefined };
    checkOption(OWNER, `quotas.${name}`, size, SIZE);
    quotas.set(name, size);
    if (rate !== undefined) rates.set(name, { starts: rate.starts, perMs: rate.perMs });
  }
  return { quotas, rates };
}

function checkRated(owner: string, rated: Exclude<QuotaSize, number>): Exclude<QuotaSize, number> {
  checkOptions(owner, rated, RULES);
  checkOption(owner, 'size', rated.size, RULES.size);
  if (rated.rate === undefined) return rated;
  checkOptions(`\`rate\` of ${owner}`, rated.rate, RATE_RULES);
  for (const key of ['starts', 'perMs'] as const) checkOption(`\`rate\` of ${owner}`, key, rated.rate[key], RATE_RULES[key]);
  return rated;
}
