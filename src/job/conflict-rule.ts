/** When to repeat work that met a conflict with another transaction: at once while that one may soon be over, then less and less often. */

/** As long as the driver tries. By default, a server drops the transaction of a dead process within half of that. */
const OUTLAST_MS = 120_000;
/** A transaction that goes on is over after a few commands. */
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

export interface ConflictMoment {
  readonly now: number;
  /** A number in [0, 1), so that two that met once do not meet each time. */
  readonly random: number;
  readonly longestPauseMs: number;
}

/** Milliseconds before the next try, 0 for at once; `undefined` once conflicts have gone on for two minutes. */
export function pauseAfterConflict({ since, count }: Conflicts, { now, random, longestPauseMs }: ConflictMoment): number | undefined {
  if (now >= since + OUTLAST_MS) return undefined;
  if (count <= TRIES_AT_ONCE) return 0;
  return Math.ceil(random * Math.min(FIRST_PAUSE_MS * GROWTH ** (count - TRIES_AT_ONCE), longestPauseMs));
}

/** The label by which drivers of databases, and Millrace's own errors, mark errors after which another try may succeed. */
const TRANSIENT = 'TransientTransactionError';

/** Whether an error is marked as a conflict of a transaction: the same work may well succeed the next time. */
export function isTransient(error: unknown): boolean {
  try {
    const { errorLabels, errorLabelSet } = error as { errorLabels?: unknown; errorLabelSet?: unknown };
    return [...((errorLabelSet ?? errorLabels) as Iterable<unknown>)].includes(TRANSIENT);
  } catch {
    return false;
  }
}

/** Marks an error so that the work is tried again. */
export function asTransient<E extends Error>(error: E): E {
  return Object.assign(error, { errorLabels: [TRANSIENT] });
}
