/** Finds out why a job is not running now, from the data of the store. */

import {
  distinctUntilChanged,
  endWith,
  filter,
  ignoreElements,
  interval,
  merge,
  type Observable,
  share,
  switchMap,
  takeUntil,
  takeWhile,
} from 'rxjs';
import type { JobRecord, QueuedJob } from '../job/job-record.js';
import { isFinal, OPEN } from '../job/job-status.js';
import type { JobStore } from '../store/job-store.js';
import type { Explanation, Reason } from './explanation.js';
import type { JobAccess } from './job-access.js';
import { inWords } from './reasons-in-words.js';
import { type Line, lineOf, look, waitingReasons } from './waiting-reasons.js';

/** The most jobs before it that are counted, and the most children that are read. */
const MAX_AHEAD = 1_000;
/** The number of awaited jobs that are named. */
const MAX_NAMED = 10;

/** The time between two looks of a subscription to explanations. */
const LOOK_MS = 1_000;

/** @returns `undefined` for a job that is not there */
export async function explain(id: string, store: JobStore): Promise<Explanation | undefined> {
  const [record] = await store.find({ ids: [id] });
  if (record === undefined) return undefined;
  const { job, state } = record;
  const ahead = state.status === 'pending' ? await store.insight.countAhead(id, MAX_AHEAD) : undefined;
  const reasons = await reasonsOf(record, store);
  const seen = { id, taskName: job.taskName, queue: job.queue, status: state.status, reasons, ahead };
  return Object.freeze({ ...seen, text: inWords(seen) });
}

/** As it is now, then whenever it reads otherwise, until the job has ended. Changes by others are seen after a second. */
export function explanations(
  id: string,
  { store, clock, changes }: Pick<JobAccess, 'store' | 'clock' | 'changes'>,
): Observable<Explanation> {
  const told = changes({ job: id }).pipe(share());
  const over = told.pipe(ignoreElements(), endWith(undefined));
  return merge(interval(LOOK_MS, clock.scheduler).pipe(takeUntil(over)), told).pipe(
    switchMap(() => explain(id, store)),
    takeWhile((explanation) => explanation !== undefined && !isFinal(explanation.status), true),
    filter((explanation) => explanation !== undefined),
    distinctUntilChanged((one, other) => one.text === other.text),
  );
}

async function reasonsOf(record: JobRecord, store: JobStore): Promise<readonly Reason[]> {
  const { job, state } = record;
  switch (state.status) {
    case 'pending':
      return pendingReasons(lineOf(record), store);
    case 'scheduled':
      return [{ because: 'scheduled', until: state.dueAt, lastError: state.lastError }];
    case 'assigned':
      return [{ because: 'claimed', dispatcher: state.owner }];
    case 'active':
      return [await activeReason(record, store)];
    case 'callbacks':
      return [{ because: 'waits-for', what: 'callbacks', jobs: named(await openBelow(job.id, store)) }];
    case 'blocked':
      return [await blockedReason(job, store)];
    default:
      return [];
  }
}

async function activeReason({ job, state }: JobRecord, store: JobStore): Promise<Reason> {
  const { waitsFor, owner: dispatcher, startedAt: since } = state;
  if (waitsFor === undefined) return { because: 'running', dispatcher, since };
  if (waitsFor !== 'steps') return { because: 'waits-for', what: 'returned-job', jobs: [waitsFor.job] };
  const open = await openBelow(job.id, store);
  return { because: 'waits-for', what: 'steps', jobs: named(open.filter(({ role }) => role !== 'callback')) };
}

async function blockedReason({ parent = '', role, position }: QueuedJob, store: JobStore): Promise<Reason> {
  const itsJob: Reason = { because: 'waits-for', what: 'its-job', jobs: [parent] };
  if (role === 'callback') return itsJob;
  const isBefore = (one: QueuedJob): boolean => one.role === 'step' && (position === undefined || (one.position ?? 0) < position);
  const before = (await openBelow(parent, store)).filter(isBefore);
  // A batch that waits itself has begun none of its steps.
  return before.length === 0 ? itsJob : { because: 'waits-for', what: 'earlier-steps', jobs: named(before) };
}

/** Children that have not ended. */
async function openBelow(parent: string, store: JobStore): Promise<readonly QueuedJob[]> {
  const open = await store.find({ parents: [parent], statuses: OPEN, limit: MAX_AHEAD });
  return open.map(({ job }) => job);
}

function named(jobs: readonly QueuedJob[]): readonly string[] {
  return jobs.slice(0, MAX_NAMED).map(({ id }) => id);
}

async function pendingReasons(line: Line, store: JobStore): Promise<readonly Reason[]> {
  return waitingReasons(line, await look(store, [line]));
}
