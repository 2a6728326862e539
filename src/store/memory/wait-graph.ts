/** Which job waits for which: whether a job can only go on once another one has ended. */

import type { JobRecord } from '../../job/job-record.js';
import { isFinal, isWaiting } from '../../job/job-status.js';
import type { JobTable } from './job-table.js';
import type { MemoryContext } from './memory-context.js';

/** A moment in the life of a job that others wait for: its turn, its outcome, or its end, callbacks included. */
interface Moment {
  readonly of: 'turn' | 'outcome' | 'end';
  readonly id: string;
}

/** Whether the end of `id` has to wait for the outcome of `other`, over however many jobs. */
export function waitsFor({ table, completion }: MemoryContext, id: string, other: string): boolean {
  const awaiting = parentOf(table, other).length + table.family.childrenOf(other).length + completion.followersOf(other).size;
  // So a chain of jobs that each wait for an earlier one is not walked along.
  if (id !== other && awaiting === 0) return false;
  const open: Moment[] = [{ of: 'end', id }];
  const seen = new Set<string>();
  for (let moment = open.pop(); moment !== undefined; moment = open.pop()) {
    if (moment.of === 'outcome' && moment.id === other) return true;
    const key = `${moment.of} ${moment.id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const record = table.get(moment.id);
    if (record !== undefined) open.push(...before(table, moment.of, record));
  }
  return false;
}

/**
 * A quota of which those who wait for a job hold so much that another one, or one that it waits for, could not be started before they end.
 */
export function quotaHeldAround(id: string, other: string, { table, ledger, completion }: MemoryContext): string | undefined {
  const needed = neededBelow(other, table);
  const isBatch = (holder: string): boolean => table.get(holder)?.state.waitsFor === 'steps';
  if (!needed.some(([name]) => ledger.holdersOf(name).some((holder) => isBatch(holder.id)))) return undefined;
  const held = new Map<string, number>();
  for (const above of reached(id, (at) => [...parentOf(table, at), ...completion.followersOf(at)])) {
    // The job gives back the places that it holds itself.
    for (const [name, weight] of above === id ? [] : Object.entries(ledger.heldBy(above))) held.set(name, (held.get(name) ?? 0) + weight);
  }
  return needed.find(([name, weight]) => held.has(name) && weight + (held.get(name) ?? 0) > (ledger.sizes.get(name) ?? 0))?.[0];
}

/** The places that a job, those below it and those that it waits for have still to be given. */
function neededBelow(id: string, table: JobTable): readonly [string, number][] {
  return [...reached(id, (at) => [...table.family.childrenOf(at), ...followedBy(table, at)])].flatMap((below) => {
    const record = table.get(below);
    return record !== undefined && isWaiting(record.state.status) ? Object.entries(record.job.places) : [];
  });
}

/** A job and all that are reached from it. */
function reached(from: string, next: (id: string) => Iterable<string>): ReadonlySet<string> {
  const found = new Set([from]);
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}

function parentOf(table: JobTable, id: string): readonly string[] {
  const parent = table.get(id)?.job.parent;
  return parent === undefined ? [] : [parent];
}

function followedBy(table: JobTable, id: string): readonly string[] {
  const followed = table.get(id)?.state.waitsFor;
  return typeof followed === 'object' ? [followed.job] : [];
}

/** The moments that have to come before one that has not come yet. */
function before(table: JobTable, of: Moment['of'], record: JobRecord): readonly Moment[] {
  const { job, state } = record;
  if (of === 'turn') return state.status === 'blocked' ? beforeTurn(table, record) : [];
  if (of === 'outcome') return state.outcome === undefined ? beforeOutcome(table, record) : [];
  if (isFinal(state.status)) return [];
  const callbacks = table.family.of(job.id).callbacks.map((id): Moment => ({ of: 'end', id }));
  return [{ of: 'outcome', id: job.id }, ...callbacks, ...(state.outcome === undefined ? [] : openWork(table, job.id))];
}

function beforeOutcome(table: JobTable, { job, state }: JobRecord): readonly Moment[] {
  const turn: readonly Moment[] = state.status === 'blocked' ? [{ of: 'turn', id: job.id }] : [];
  if (typeof state.waitsFor === 'object') return [{ of: 'end', id: state.waitsFor.job }];
  return [...turn, ...openWork(table, job.id)];
}

/** Of a batch that is not open yet as well, or was cancelled by then: its steps may have ended, but for their callbacks. */
function openWork(table: JobTable, id: string): readonly Moment[] {
  const { postprocess } = table.family.of(id);
  return [...openSteps(table, id), ...(postprocess === undefined ? [] : [{ of: 'end', id: postprocess } as const])];
}

function beforeTurn(table: JobTable, { job }: JobRecord): readonly Moment[] {
  const parent = job.parent === undefined ? undefined : table.get(job.parent);
  if (parent === undefined) return [];
  if (job.role === 'callback') return [{ of: 'outcome', id: parent.job.id }];
  if (parent.state.status !== 'active') return [{ of: 'turn', id: parent.job.id }];
  const steps = openSteps(table, parent.job.id);
  return job.role === 'postprocess' ? steps : steps.slice(0, 1);
}

function openSteps(table: JobTable, batch: string): readonly Moment[] {
  const below = table.family.of(batch);
  table.family.firstOpenStep(below);
  return below.steps.slice(below.firstOpen).map((id): Moment => ({ of: 'end', id }));
}
