/** When work is done again that met a conflict with another transaction: at once while that may soon be through, then less and less often. */

/** As long as the driver tries. A server drops within half of that what a dead process left open, unless it is configured otherwise. */
const OUTLAST_MS = 120_000;
/** Another transaction that goes on is through after a few commands. */
const TRIES_AT_ONCE = 10;
const FIRST_PAUSE_MS = 5;
const GROWTH = 1.5;

/** Conflicts in a row. */
export interface Conflicts {
  /** When the first of these tries began, or met its conflict. */
  readonly since: number;
  /** How many there have been, the last one included. */
  readonly count: number;
}

export interface Moment {
  readonly now: number;
  /** A number in [0, 1): those that met once are not to meet each time. */
  readonly random: number;
  readonly longestPauseMs: number;
}

/** Milliseconds before the next try, 0 for at once; `undefined` once conflicts have gone on for two minutes. */
export function pauseAfterConflict({ since, count }: Conflicts, { now, random, longestPauseMs }: Moment): number | undefined {
  if (now >= since + OUTLAST_MS) return undefined;
  if (count <= TRIES_AT_ONCE) return 0;
  return Math.ceil(random * Math.min(FIRST_PAUSE_MS * GROWTH ** (count - TRIES_AT_ONCE), longestPauseMs));
}
