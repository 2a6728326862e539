/** When a job runs again: a policy is a plain object, the built-in ones are data that can be stored with a job. */

import { checkOption, checkOptions, is, type Rule, type Rules } from '../check.js';
import { OptionError } from '../errors.js';
import { isTransient } from './conflict-rule.js';

/** Growing delays: `firstMs`, then `factor` times the one before, at most `maxMs`, each shortened by up to `jitter` of itself. */
export interface Backoff {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
  readonly jitter: number;
}

/** A policy without functions, which can be stored with a single job. */
export interface StoredRetry {
  /**
   * How often the task is run at most, the first time included, before an error is final; conflicts that a transactional task outlasts do
   * not count.
   * @default 5
   */
  readonly attempts?: number | undefined;
  /** How many interruptions (its process died, stopped or lost its lease) are borne before the job is aborted. @default 10 */
  readonly interruptions?: number | undefined;
  /** Milliseconds before a job that was interrupted runs again. @default 0 */
  readonly interruptionDelayMs?: number | undefined;
  /** Milliseconds before the next attempt. @default 0 */
  readonly delayMs?: number | Backoff | undefined;
  /** Which errors are worth another attempt: conflicts of database transactions, or any. @default 'transient' */
  readonly retries?: 'transient' | 'any' | undefined;
}

/** A policy of a task, which may decide by functions of its own. */
export interface RetryPolicy extends Omit<StoredRetry, 'delayMs' | 'retries'> {
  /** Milliseconds before the next attempt, or a function of the number of attempts that failed, from 1. @default 0 */
  readonly delayMs?: number | Backoff | ((attempt: number) => number) | undefined;
  /** Which errors are worth another attempt. @default 'transient' */
  readonly retries?: 'transient' | 'any' | ((error: unknown) => boolean) | undefined;
}

/** The values that a policy leaves out. */
export const RETRY_DEFAULTS = Object.freeze({
  attempts: 5,
  interruptions: 10,
  interruptionDelayMs: 0,
  delayMs: 0,
  retries: 'transient',
} as const satisfies Required<StoredRetry>);

/**
 * The default: 5 attempts on conflicts of database transactions, none on the application's own errors, 10 interruptions. A transactional
 * task outlasts conflicts: each of these attempts is made again for two minutes.
 */
export const retryCommon: StoredRetry = RETRY_DEFAULTS;

/** Never again, whatever happens: for work that must not be done twice. */
export const never: StoredRetry = Object.freeze({ ...RETRY_DEFAULTS, attempts: 1, interruptions: 0 });

/** Any error, without end; `delayMs` between two attempts. */
export function forever(delayMs: number | Backoff = 1_000): StoredRetry {
  const endless = Number.POSITIVE_INFINITY;
  return Object.freeze({ ...RETRY_DEFAULTS, attempts: endless, interruptions: endless, delayMs, retries: 'any' });
}

/** Any error, `attempts` times in all, always `delayMs` apart. @throws OptionError */
export function fixedDelay(options: { readonly attempts?: number; readonly delayMs: number }): StoredRetry {
  checkOptions<{ attempts?: number; delayMs: number }>('`fixedDelay`', options, { attempts: RULES.attempts, delayMs: is.durationMs });
  return Object.freeze({
    ...RETRY_DEFAULTS,
    attempts: options.attempts ?? RETRY_DEFAULTS.attempts,
    delayMs: options.delayMs,
    retries: 'any',
  });
}

/**
 * Any error, `attempts` times in all, ever longer apart: 1 s, 2 s, 4 s … up to an hour, unless the options say otherwise.
 * @throws OptionError
 */
export function exponential(options: { readonly attempts?: number } & Partial<Backoff> = {}): StoredRetry {
  checkOptions<{ attempts?: number } & Backoff>('`exponential`', options, { attempts: RULES.attempts, ...BACKOFF_RULES });
  const { attempts = RETRY_DEFAULTS.attempts, firstMs = 1_000, factor = 2, maxMs = 3_600_000, jitter = 0.1 } = options;
  return Object.freeze({ ...RETRY_DEFAULTS, attempts, delayMs: Object.freeze({ firstMs, factor, maxMs, jitter }), retries: 'any' });
}

/** A failed attempt, for a policy to decide about. */
export interface FailedAttempt {
  /** How many attempts have failed by now, this one included. */
  readonly failures: number;
  readonly error: unknown;
  /** A number in [0, 1), for the jitter. */
  readonly random: number;
}

/** The delay in milliseconds before the next attempt, or `undefined` when the error is final. */
export function retryDelay(policy: RetryPolicy, { failures, error, random }: FailedAttempt): number | undefined {
  const { attempts = RETRY_DEFAULTS.attempts, retries = RETRY_DEFAULTS.retries, delayMs = RETRY_DEFAULTS.delayMs } = policy;
  if (failures >= attempts || !worthIt(retries, error)) return undefined;
  const delay =
    typeof delayMs === 'function' ? delayMs(failures) : typeof delayMs === 'number' ? delayMs : backoff(delayMs, failures, random);
  checkOption('a retry policy', 'delayMs(attempt)', delay, is.durationMs);
  return delay;
}

/** Whether an error is a conflict of a transaction, and a policy wants another attempt after one. */
export function retriesConflict(policy: RetryPolicy, error: unknown): boolean {
  const { attempts = RETRY_DEFAULTS.attempts, retries = RETRY_DEFAULTS.retries } = policy;
  return attempts > 1 && isTransient(error) && worthIt(retries, error);
}

function worthIt(retries: NonNullable<RetryPolicy['retries']>, error: unknown): boolean {
  if (typeof retries === 'function') return retries(error);
  return retries === 'any' || isTransient(error);
}

function backoff({ firstMs, factor, maxMs, jitter }: Backoff, failures: number, random: number): number {
  const grown = firstMs === 0 ? 0 : firstMs * factor ** (failures - 1);
  return Math.min(maxMs, grown) * (1 - jitter * random);
}

const BACKOFF_RULES: Rules<Backoff> = {
  firstMs: is.durationMs,
  factor: { must: 'a finite number of at least 1', holds: (value) => Number.isFinite(value) && Number(value) >= 1 },
  maxMs: is.durationMs,
  jitter: { must: 'a number from 0 to 1', holds: (value) => typeof value === 'number' && value >= 0 && value <= 1 },
};

const RULES: Rules<RetryPolicy> = {
  attempts: is.countOrInfinity,
  interruptions: is.countFromZero,
  interruptionDelayMs: is.durationMs,
  delayMs: { must: 'a number of milliseconds, a backoff or a function', holds: (value) => typeof value !== 'string' },
  retries: is.either(is.oneOf('transient', 'any'), is.callable),
};

export const RETRY_RULE: Rule = { must: 'a retry policy, such as `exponential({ attempts: 5 })`', holds: is.object.holds };

/** Checks a policy of a task. @throws OptionError */
export function checkRetry(owner: string, policy: unknown): asserts policy is RetryPolicy {
  checkOptions<RetryPolicy>(`\`retry\` of ${owner}`, policy, RULES);
  const { delayMs } = policy as RetryPolicy;
  if (delayMs === undefined || typeof delayMs === 'function') return;
  if (typeof delayMs === 'object') checkBackoff(`\`retry.delayMs\` of ${owner}`, delayMs);
  else checkOption(owner, 'retry.delayMs', delayMs, is.durationMs);
}

/** All four numbers are needed: a missing one would come up only when the first attempt has failed. */
function checkBackoff(owner: string, backoff: Backoff): void {
  checkOptions<Backoff>(owner, backoff, BACKOFF_RULES);
  for (const [key, rule] of Object.entries(BACKOFF_RULES)) checkOption(owner, key, backoff[key as keyof Backoff], rule);
}

/** Checks a policy for one job, which is stored with it and so cannot hold functions. @throws OptionError */
export function checkStoredRetry(owner: string, policy: unknown): asserts policy is StoredRetry {
  checkRetry(owner, policy);
  const key = (['delayMs', 'retries'] as const).find((name) => typeof policy[name] === 'function');
  if (key === undefined) return;
  throw new OptionError(
    `\`retry.${key}\` of ${owner} is a function, which cannot be stored with one job; give the policy to the task: \`@Task({ retry })\``,
  );
}
