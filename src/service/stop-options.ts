/** The options of a stop, and its report. */

import { checkOptions, is, type Rules } from '../check.js';

export interface StopOptions {
  /**
   * Finishes jobs first: in memory all that can still run, and the jobs that they queue; in a database those that this process runs or has
   * claimed.
   * @default false
   */
  readonly drain?: boolean | undefined;
  /** With `drain`: milliseconds that this may take, in place of `stopMs`; jobs that still run then are aborted. @default 30_000 */
  readonly timeoutMs?: number | undefined;
}

/** The jobs that `stop` has left. */
export interface StopReport {
  /**
   * Jobs that have not ended: in memory all, which end with the process; in a database those that had to be aborted here, and run again.
   */
  readonly left: number;
}

export const STOP_DEFAULTS = Object.freeze({ drain: false, timeoutMs: 30_000 } as const satisfies StopOptions);

const RULES: Rules<StopOptions> = { drain: is.boolean, timeoutMs: is.timerFromZeroMs };

export type CheckedStopOptions = { readonly [K in keyof Required<StopOptions>]: Exclude<StopOptions[K], undefined> };

export const NOTHING_LEFT: StopReport = Object.freeze({ left: 0 });

/** @throws OptionError */
export function checkStopOptions(options: StopOptions): CheckedStopOptions {
  checkOptions<StopOptions>('`stop`', options, RULES);
  return { drain: options.drain ?? STOP_DEFAULTS.drain, timeoutMs: options.timeoutMs ?? STOP_DEFAULTS.timeoutMs };
}
