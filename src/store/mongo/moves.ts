/** What moves write, as the server is to compute it. */

import { dueTime } from '../../job/job-record.js';
import { isWaiting } from '../../job/job-status.js';
import type { StoredOutcome } from '../../job/outcome.js';
import type { JobDocument } from './documents.js';
import { asPipeline, Computed, type Written } from './jobs.js';
import { toJob, toOutcome } from './records.js';
import type { ServerTime } from './server-time.js';

/** What an end takes off a job. */
const OVER = {
  bell: undefined,
  dueAt: undefined,
  startBy: undefined,
  waiting: undefined,
  inner: undefined,
  ownsInner: undefined,
} as const satisfies Written;

/** What puts many jobs that were claimed ahead back where they stood, each to ring in its lane. */
export const BACK_IN_LINE = asPipeline({ status: 'pending', owner: undefined, token: undefined, bell: new Computed('$lane') });

/** Whether something follows from the end of a job, for which somebody has to be responsible. */
export function hasDuties({ kind, parent, tail, followed, held }: JobDocument): boolean {
  return kind !== 'task' || parent !== undefined || tail === true || followed === true || held !== undefined;
}

/** Whether something below a job, which ends now, may not have ended: callbacks, or what is below a batch that never began. */
export function hasOpenBelow({ kind, root, status, tail }: JobDocument): boolean {
  const isBatch = kind === 'serial' || kind === 'parallel';
  return tail === true || (isBatch && root !== undefined && isWaiting(status));
}

/** @param by - who sees to what follows */
export function ended(
  job: JobDocument,
  outcome: StoredOutcome | 'steps',
  { time, by }: { readonly time: ServerTime; readonly by: string },
): Written {
  return {
    ...OVER,
    outcome: outcome === 'steps' ? { kind: 'completed', steps: true } : toOutcome(outcome),
    endedAt: new Computed(time.now),
    owner: hasDuties(job) ? by : undefined,
    ...(hasOpenBelow(job) ? {} : { open: undefined, told: job.origin }),
    // Of a tree, the end of its top decides for all.
    ...(job.root === undefined ? { expireAt: new Computed(time.removal) } : {}),
  };
}

/** When a job that may run from now on has its turn: the status, and what goes with it. */
export function turn(job: JobDocument, time: ServerTime): { readonly status: 'pending' | 'scheduled'; readonly written: Written } {
  const dueAt = dueTime(toJob(job), time.estimate());
  if (dueAt === undefined) return { status: 'pending', written: { owner: undefined, bell: job.lane, dueAt: undefined } };
  const exact = job.delayMs === undefined ? dueAt : new Computed(time.after(job.delayMs));
  return { status: 'scheduled', written: { owner: undefined, dueAt: exact } };
}
