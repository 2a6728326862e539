/** Scheduled jobs that nobody makes pending: after this time they count as waiting, though no dispatcher is there to promote them. */

export const OVERDUE_MS = 10_000;
