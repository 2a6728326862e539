/** How soon a server does what follows from a command: at once where it is prompt, milliseconds later where it is late. */

import { seededRandom } from '../../src/testing/seeded-random.js';

export type Timing = { readonly kind: 'prompt' } | { readonly kind: 'late'; readonly seed: number };

/** Does something as soon as the server is. */
export type Later = (act: () => void) => void;

/** About as late as a set of three members in one room. */
const LEAST_MS = 1;
const MOST_MS = 6;

/** @param after - calls something after so many milliseconds */
export function laterBy(timing: Timing, after: (ms: number, act: () => void) => unknown): Later {
  if (timing.kind === 'prompt') return (act) => act();
  const random = seededRandom(timing.seed);
  return (act) => void after(LEAST_MS + random() * (MOST_MS - LEAST_MS), act);
}

/** What MILLRACE_STAND_IN and MILLRACE_STAND_IN_SEED ask for. */
export function timingOf(env: NodeJS.ProcessEnv = process.env): Timing {
  const kind = env['MILLRACE_STAND_IN'] || 'prompt';
  if (kind === 'prompt') return { kind };
  if (kind !== 'late') throw new Error(`MILLRACE_STAND_IN must be \`late\` or \`prompt\`; it is ${JSON.stringify(kind)}`);
  const seed = Number(env['MILLRACE_STAND_IN_SEED'] || 1);
  if (!Number.isInteger(seed)) throw new Error(`MILLRACE_STAND_IN_SEED must be a whole number; it is ${env['MILLRACE_STAND_IN_SEED']}`);
  return { kind, seed };
}

/** In words, for the line that a test run begins with. */
export function describeTiming(timing: Timing): string {
  return timing.kind === 'prompt' ? 'prompt' : `late, by MILLRACE_STAND_IN_SEED=${timing.seed}`;
}
