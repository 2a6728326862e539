/** At which level a failure is logged. */

import { is, type Rule } from '../check.js';

const LEVELS = ['debug', 'info', 'warn', 'error', 'none'] as const;

/** A method of the logger, or none. */
export type FailureLogLevel = (typeof LEVELS)[number];

/** The level if neither the task nor the draft names one. */
const DEFAULT: FailureLogLevel = 'error';

export const FAILURE_LOG_RULE: Rule = is.oneOf(...LEVELS);

/** The level for a job; one that another build has stored, and that is unknown to this, counts as none given. */
export function failureLogLevelOf({ failureLogLevel }: { readonly failureLogLevel?: string }): FailureLogLevel {
  return LEVELS.find((level) => level === failureLogLevel) ?? DEFAULT;
}
