/** At which level a failure is logged. */

import { is, type Rule } from '../check.js';

/** A method of the logger, or none. */
export type FailureLogLevel = 'debug' | 'info' | 'warn' | 'error' | 'none';

/** What holds where neither task nor draft says anything. */
export const FAILURE_LOG_LEVEL: FailureLogLevel = 'error';

export const FAILURE_LOG_RULE: Rule = is.oneOf('debug', 'info', 'warn', 'error', 'none');
