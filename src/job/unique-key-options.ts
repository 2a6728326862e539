/** The options of a unique key, under which no job is queued while another one has it. */

import { checkOption, is, type Rules } from '../check.js';
import { OptionError } from '../errors.js';

/** How long a key is taken: until the job's first start, until it has ended with its callbacks, or for a number of milliseconds. */
export type UniqueFor = 'waiting' | 'unfinished' | number;

/** The options of a task and a draft for a job's key. */
export interface UniqueOptions {
  /** While a job has it, no other job of the task is queued under it: who asks is given the one that is there. */
  readonly uniqueKey?: string | undefined;
  /**
   * How long the key is taken: until the job first starts, until it has ended with its callbacks, or for a number of milliseconds from when
   * it was queued, unless it fails or is cancelled before.
   * @default 'unfinished'
   */
  readonly uniqueFor?: UniqueFor | undefined;
  /**
   * Milliseconds of quiet before the job is due. Until then, who queues another under the key puts it off anew, and has its
   * arguments replaced; the key is free as soon as it is due. Not with `uniqueFor`, `delayMs` or `beginAfter`.
   */
  readonly debounceMs?: number | undefined;
  /** Milliseconds after which it is due however often it is put off; at least `debounceMs`. @default no limit */
  readonly debounceMaxMs?: number | undefined;
}

/** The key of one job. */
export interface Uniqueness {
  /** JSON of the task's name and the key. */
  readonly key: string;
  readonly for: UniqueFor;
  readonly debounce?: { readonly ms: number; readonly maxMs?: number };
}

export const UNIQUE_DEFAULTS = Object.freeze({ uniqueFor: 'unfinished' } as const satisfies UniqueOptions);

/** An index takes no more. */
const MAX_KEY_LENGTH = 500;

export const UNIQUE_RULES: Rules<UniqueOptions> = {
  uniqueKey: {
    must: `a non-empty string of at most ${MAX_KEY_LENGTH} characters`,
    holds: (value) => is.text.holds(value) && String(value).length <= MAX_KEY_LENGTH,
  },
  uniqueFor: is.either(is.oneOf('waiting', 'unfinished'), is.durationMs),
  debounceMs: is.durationMs,
  debounceMaxMs: is.durationMs,
};

/**
 * @param owner - what messages call the job.
 * @throws OptionError for options that need a key if there is none, or that exclude each other
 */
export function uniquenessOf(owner: string, taskName: string, options: UniqueOptions): Uniqueness | undefined {
  const { uniqueKey, uniqueFor, debounceMs, debounceMaxMs } = options;
  checkUniqueOptions(owner, { ...options, uniqueKey });
  if (uniqueKey === undefined) return undefined;
  checkOption(owner, 'uniqueKey', uniqueKey, UNIQUE_RULES.uniqueKey);
  const key = JSON.stringify([taskName, uniqueKey]);
  if (debounceMs === undefined) return { key, for: uniqueFor ?? UNIQUE_DEFAULTS.uniqueFor };
  return { key, for: 'waiting', debounce: debounceMaxMs === undefined ? { ms: debounceMs } : { ms: debounceMs, maxMs: debounceMaxMs } };
}

/** @param options - where `uniqueKey` may also be a function. @throws OptionError */
export function checkUniqueOptions(
  owner: string,
  { uniqueKey, uniqueFor, debounceMs, debounceMaxMs }: Omit<UniqueOptions, 'uniqueKey'> & { readonly uniqueKey?: unknown },
): void {
  const withKey = Object.entries({ uniqueFor, debounceMs, debounceMaxMs }).find(([, value]) => value !== undefined);
  if (withKey !== undefined && uniqueKey === undefined)
    throw new OptionError(`\`${withKey[0]}\` of ${owner} needs a \`uniqueKey\`, under which other jobs are recognised`);
  if (debounceMs !== undefined && uniqueFor !== undefined)
    throw new OptionError(`${owner} has both \`debounceMs\` and \`uniqueFor\`; with \`debounceMs\` the key is taken until the job is due`);
  if (debounceMaxMs !== undefined && debounceMs === undefined)
    throw new OptionError(`\`debounceMaxMs\` of ${owner} needs a \`debounceMs\` that it limits`);
  if (debounceMs !== undefined && debounceMaxMs !== undefined && debounceMaxMs < debounceMs)
    throw new OptionError(`\`debounceMaxMs\` of ${owner} must be at least its \`debounceMs\`, ${debounceMs}, but is ${debounceMaxMs}`);
}
