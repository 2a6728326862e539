/**
 * The time at which a server shows a change and answers its command: both at once if it is prompt, else one some milliseconds after the
 * other.
 */

import { seededRandom } from '../../src/testing/seeded-random.js';

/** A late one shows a change after the answer, a hasty one before it; a server may do either. */
export type Timing = { readonly kind: 'prompt' } | { readonly kind: 'late' | 'hasty'; readonly seed: number };

/** Does something as soon as the server is. */
export type Later = (act: () => void) => void;

type After = (ms: number, act: () => void) => unknown;

/** About as late as a set of three members in one room. */
const LEAST_MS = 1;
const MOST_MS = 6;

/**
 * The delays after a command until the majority has it and streams show it.
 * @param after - calls a function after a number of milliseconds
 */
export function laterBy(timing: Timing, after: After): Later {
  return timing.kind === 'late' ? delayed(timing.seed, after) : (act) => act();
}

/** When a write is answered, unless at once. */
export function answersBy(timing: Timing, after: After): Later | undefined {
  return timing.kind === 'hasty' ? delayed(timing.seed, after) : undefined;
}

function delayed(seed: number, after: After): Later {
  const random = seededRandom(seed);
  return (act) => void after(LEAST_MS + random() * (MOST_MS - LEAST_MS), act);
}

/** The timing that MILLRACE_STAND_IN and MILLRACE_STAND_IN_SEED choose. */
export function timingOf(env: NodeJS.ProcessEnv = process.env): Timing {
  const kind = env['MILLRACE_STAND_IN'] || 'late';
  if (kind === 'prompt') return { kind };
  if (kind !== 'late' && kind !== 'hasty')
    throw new Error(`MILLRACE_STAND_IN must be \`late\`, \`hasty\` or \`prompt\`; it is ${JSON.stringify(kind)}`);
  const seed = Number(env['MILLRACE_STAND_IN_SEED'] || 1);
  if (!Number.isInteger(seed)) throw new Error(`MILLRACE_STAND_IN_SEED must be a whole number; it is ${env['MILLRACE_STAND_IN_SEED']}`);
  return { kind, seed };
}

/** In words, for the line that a test run begins with. */
export function describeTiming(timing: Timing): string {
  return timing.kind === 'prompt' ? 'prompt' : `${timing.kind}, by MILLRACE_STAND_IN_SEED=${timing.seed}`;
}
