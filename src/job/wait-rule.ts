/** The wait rule: which job waits for which, and so whether a job can only go on once another one has ended. */

import type { JobState, Role } from './job-record.js';
import { isFinal, isWaiting, type Status } from './job-status.js';
import { type Places, type QuotaLimits, weightOf } from './places.js';

/** The part of a job that says for which others it waits. */
export interface WaitingJob {
  readonly job: {
    readonly id: string;
    readonly parent?: string | undefined;
    readonly role?: Role | undefined;
    readonly position?: number | undefined;
    readonly places: Places;
  };
  readonly state: { readonly status: Status; readonly waitsFor?: JobState['waitsFor'] | undefined; readonly outcome?: unknown };
}

/** The jobs that a search asks its store for: one by its id, those below one that have not ended, or those that wait for its outcome. */
export type Question =
  | { readonly find: 'job'; readonly id: string }
  | { readonly find: 'below'; readonly id: string; readonly roles: readonly Role[] }
  | { readonly find: 'followers'; readonly id: string };

/** A search over jobs. The store answers each question, at once or later, with the jobs that there are. */
export type Search<T> = Generator<Question, T, readonly WaitingJob[]>;

/** A moment in the life of a job that others wait for: its turn, its outcome, or its end, callbacks included. */
interface Moment {
  readonly of: 'turn' | 'outcome' | 'end';
  readonly awaited: WaitingJob;
}

/** Whether the end of a job has to wait for the outcome of another, over however many jobs. */
export function* waitsFor(awaited: WaitingJob, other: string): Search<boolean> {
  const open: Moment[] = [{ of: 'end', awaited }];
  const seen = new Set<string>();
  for (let moment = open.pop(); moment !== undefined; moment = open.pop()) {
    const { id } = moment.awaited.job;
    if (moment.of === 'outcome' && id === other) return true;
    if (seen.has(`${moment.of} ${id}`)) continue;
    seen.add(`${moment.of} ${id}`);
    open.push(...(yield* before(moment)));
  }
  return false;
}

/** The places that a job, those below it and those that it waits for have still to be given. */
export function* placesNeeded(job: WaitingJob): Search<readonly Places[]> {
  const found = yield* reached(job, awaitedBy);
  return found.flatMap((one) => (isWaiting(one.state.status) ? [one.job.places] : []));
}

/** The jobs that do not end before this one has. It is not among them, since it gives its own places back. */
export function* waitersOf(job: WaitingJob): Search<readonly string[]> {
  const found = yield* reached(job, nextWaitersOf);
  return found.map((one) => one.job.id).filter((id) => id !== job.job.id);
}

/** A quota of which too little is left while others hold these places. */
export function quotaLacking(needed: readonly Places[], held: readonly Places[], sizes: QuotaLimits): string | undefined {
  const heldOf = (name: string): number => held.reduce((sum, places) => sum + weightOf(places, name), 0);
  const isLacking = (places: Places, name: string): boolean =>
    heldOf(name) > 0 && weightOf(places, name) + heldOf(name) > (sizes.get(name) ?? 0);
  return needed.flatMap((places) => Object.keys(places).filter((name) => isLacking(places, name)))[0];
}

/** The moments that have to come before one that has not come yet. */
function* before({ of, awaited }: Moment): Search<readonly Moment[]> {
  const { job, state } = awaited;
  if (of === 'turn') return state.status === 'blocked' ? yield* beforeTurn(awaited) : [];
  if (of === 'outcome') return state.outcome === undefined ? yield* beforeOutcome(awaited) : [];
  if (isFinal(state.status)) return [];
  const callbacks = endsOf(yield { find: 'below', id: job.id, roles: ['callback'] });
  return [{ of: 'outcome', awaited }, ...callbacks, ...(state.outcome === undefined ? [] : yield* openWork(job.id))];
}

function* beforeOutcome(awaited: WaitingJob): Search<readonly Moment[]> {
  const { job, state } = awaited;
  if (typeof state.waitsFor === 'object') return endsOf(yield { find: 'job', id: state.waitsFor.job });
  const turn: readonly Moment[] = state.status === 'blocked' ? [{ of: 'turn', awaited }] : [];
  return [...turn, ...(yield* openWork(job.id))];
}

/** Of a batch that is not open yet as well, or was cancelled by then: its steps may have ended, but for their callbacks. */
function* openWork(id: string): Search<readonly Moment[]> {
  return endsOf(yield { find: 'below', id, roles: ['step', 'postprocess'] });
}

function* beforeTurn({ job }: WaitingJob): Search<readonly Moment[]> {
  const [parent] = yield* parentOf(job);
  if (parent === undefined) return [];
  if (job.role === 'callback') return [{ of: 'outcome', awaited: parent }];
  if (parent.state.status !== 'active') return [{ of: 'turn', awaited: parent }];
  const steps = yield { find: 'below', id: parent.job.id, roles: ['step'] };
  if (job.role === 'postprocess') return endsOf(steps);
  return endsOf(steps.filter((step) => (step.job.position ?? 0) < (job.position ?? 0)).slice(0, 1));
}

/** The jobs below it, and the job whose outcome it waits for. */
function* awaitedBy({ job, state }: WaitingJob): Search<readonly WaitingJob[]> {
  const below = yield { find: 'below', id: job.id, roles: ['step', 'postprocess', 'callback'] };
  return typeof state.waitsFor === 'object' ? [...below, ...(yield { find: 'job', id: state.waitsFor.job })] : below;
}

/** Its batch or the job that it is a callback of, and those that wait for its outcome. */
function* nextWaitersOf({ job }: WaitingJob): Search<readonly WaitingJob[]> {
  return [...(yield* parentOf(job)), ...(yield { find: 'followers', id: job.id })];
}

function* parentOf({ parent }: WaitingJob['job']): Search<readonly WaitingJob[]> {
  return parent === undefined ? [] : yield { find: 'job', id: parent };
}

/** A job and all that are reached from it. */
function* reached(from: WaitingJob, next: (job: WaitingJob) => Search<readonly WaitingJob[]>): Search<readonly WaitingJob[]> {
  const found = new Map([[from.job.id, from]]);
  for (const one of found.values()) for (const other of yield* next(one)) found.set(other.job.id, other);
  return [...found.values()];
}

function endsOf(jobs: readonly WaitingJob[]): readonly Moment[] {
  return jobs.map((awaited) => ({ of: 'end', awaited }));
}
