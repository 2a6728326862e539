/** Whether a task waits for a job that cannot end before the task: it needs places that the task holds, or waits for the task's own job. */

import { CircularJobError, type MillraceError, QuotaError } from '../errors.js';
import type { JobRecord, QueuedJob } from '../job/job-record.js';
import { isFinal, isWaiting, OPEN } from '../job/job-status.js';
import type { QuotaLimits } from '../job/places.js';
import type { JobStore } from '../store/job-store.js';

type Source = Pick<JobStore, 'find' | 'quotas'>;

/** How many open jobs below a batch are looked at. */
const MAX_BELOW = 1_000;

/** The job of the task that waits, and those above it: none of them ends before it does. */
type Chain = readonly [waiter: JobRecord, ...above: JobRecord[]];

/** Places of a quota that are held until the waiting task has ended, and by which job. */
interface Held {
  readonly places: number;
  readonly by: QueuedJob;
}

/**
 * Finds only certain problems, which last until somebody cancels a job, or makes a quota larger.
 * @returns the error for the task; `undefined` if the job may end
 */
export async function problemOfWaiting(waiterId: string, jobId: string, store: Source): Promise<MillraceError | undefined> {
  const chain = await chainOf(waiterId, store);
  if (chain === undefined || !isUnderWay(chain[0])) return undefined;
  const held = heldAlong(chain);
  const open = new Set([jobId]);
  for (const id of open) {
    const [record] = await store.find({ ids: [id] });
    if (record === undefined || isFinal(record.state.status)) continue;
    if (isAfter(record, chain)) return circular(chain[0].job, jobId, record.job);
    // It may expire, and that is its end.
    if (record.job.beginBy !== undefined && isWaiting(record.state.status)) continue;
    const lacking = quotaLacking(record, held, store.quotas);
    if (lacking !== undefined) return starved(chain[0].job, jobId, record.job, lacking);
    for (const next of await before(record, held.size > 0, store)) open.add(next);
  }
  return undefined;
}

async function chainOf(id: string, store: Source): Promise<Chain | undefined> {
  const [waiter] = await store.find({ ids: [id] });
  if (waiter === undefined) return undefined;
  const chain: [JobRecord, ...JobRecord[]] = [waiter];
  for (let parent = waiter.job.parent; parent !== undefined; ) {
    const [above] = await store.find({ ids: [parent] });
    if (above === undefined) break;
    chain.push(above);
    parent = above.job.parent;
  }
  return chain;
}

/** The places that the task and the batches around it hold; a job whose callbacks run has given its places up. */
function heldAlong(chain: Chain): ReadonlyMap<string, Held> {
  const held = new Map<string, Held>();
  for (const { job, state } of chain) {
    if (!isUnderWay({ state })) continue;
    for (const [quota, places] of Object.entries(job.places)) {
      const nearer = held.get(quota);
      held.set(quota, nearer === undefined ? { places, by: job } : { places: nearer.places + places, by: nearer.by });
    }
  }
  return held;
}

/** A job that was claimed ahead may have begun before that is recorded. */
function isUnderWay({ state: { status } }: Pick<JobRecord, 'state'>): boolean {
  return status === 'active' || status === 'assigned';
}

/** Whether a job cannot end, or cannot have its turn, before a job of the chain has ended. */
function isAfter({ job, state }: JobRecord, chain: Chain): boolean {
  if (chain.some((one) => one.job.id === job.id)) return true;
  if (state.status !== 'blocked') return false;
  const below = chain.findIndex((one) => one.job.parent === job.parent);
  const sibling = chain[below]?.job;
  if (job.role === 'callback')
    return chain.findIndex((one) => one.job.id === job.parent) <= firstCallback(chain) && isIn(chain, job.parent);
  if (sibling === undefined || sibling.role !== 'step') return false;
  return job.role === 'postprocess' || (chain[below + 1]?.job.kind === 'serial' && (sibling.position ?? 0) < (job.position ?? 0));
}

function isIn(chain: Chain, id: string | undefined): boolean {
  return chain.some(({ job }) => job.id === id);
}

/** The first place in the chain that is a callback; the jobs before it have no outcome yet. */
function firstCallback(chain: Chain): number {
  const place = chain.findIndex(({ job }) => job.role === 'callback');
  return place === -1 ? chain.length : place;
}

/** A quota that has too few places for a job that has not begun. */
function quotaLacking(
  { job, state }: JobRecord,
  held: ReadonlyMap<string, Held>,
  book: QuotaLimits,
): (Held & { readonly quota: string }) | undefined {
  if (state.hasPlaces === true || !(isWaiting(state.status) || state.status === 'assigned')) return undefined;
  for (const [quota, needs] of Object.entries(job.places)) {
    const there = held.get(quota);
    if (there !== undefined && there.places + needs > (book.get(quota) ?? 0)) return { ...there, quota };
  }
  return undefined;
}

/** The jobs that must end before an open job can end. @param withBelow - whether jobs below a batch matter */
async function before(record: JobRecord, withBelow: boolean, store: Source): Promise<readonly string[]> {
  const { job, state } = record;
  if (typeof state.waitsFor === 'object') return [state.waitsFor.job];
  // Jobs that are being cancelled end without running.
  if (!withBelow || state.cancel !== undefined) return [];
  const below = await belowOf(job.id, store);
  const callbacks = below.filter((one) => one.job.role === 'callback' && one.job.kind !== 'choice');
  const ids = idsOf([...certainSteps(record, below), ...callbacks]);
  return state.status === 'blocked' ? [...ids, ...(await beforeTurn(job, store))] : ids;
}

/** The jobs before a job in its batch, and the batch itself if it has not begun. */
async function beforeTurn({ parent, role, position = 0 }: QueuedJob, store: Source): Promise<readonly string[]> {
  if (parent === undefined) return [];
  const [above] = await store.find({ ids: [parent] });
  if (above === undefined || role === 'callback') return [parent];
  const isEarlier = ({ job }: JobRecord): boolean =>
    role === 'postprocess' || (above.job.kind === 'serial' && (job.position ?? 0) < position);
  const steps = (await belowOf(parent, store)).filter(({ job }) => job.role === 'step');
  const earlier = certainSteps(above, steps).filter(isEarlier);
  // A batch that waits must have its places before any of its steps.
  return isWaiting(above.state.status) ? [parent, ...idsOf(earlier)] : idsOf(earlier);
}

function belowOf(id: string, store: Source): Promise<readonly JobRecord[]> {
  return store.find({ parents: [id], statuses: OPEN, limit: MAX_BELOW });
}

/** The open jobs below a batch that will run, whatever the outcome of the others. */
function certainSteps({ job: { kind, onFailure = 'continue' } }: JobRecord, below: readonly JobRecord[]): readonly JobRecord[] {
  const steps = below.filter(({ job }) => job.role === 'step').sort((one, other) => (one.job.position ?? 0) - (other.job.position ?? 0));
  if (onFailure === 'stop') return kind === 'serial' || steps.length === 1 ? steps.slice(0, 1) : [];
  return onFailure === 'fail' ? steps : [...steps, ...below.filter(({ job }) => job.role === 'postprocess')];
}

function idsOf(records: readonly JobRecord[]): readonly string[] {
  return records.map(({ job }) => job.id);
}

function circular(waiter: QueuedJob, jobId: string, last: QueuedJob): CircularJobError {
  const over = last.id === jobId ? '' : `, which waits for ${named(last)}`;
  return new CircularJobError(
    `the task of ${named(waiter)} waits for job ${jobId}${over}: that cannot end before job ${waiter.id} itself. Do not wait for it; let a callback, or a later step, do the work after it`,
  );
}

function starved(waiter: QueuedJob, jobId: string, last: QueuedJob, { quota, places, by }: Held & { readonly quota: string }): QuotaError {
  const over = last.id === jobId ? '' : ` waits for ${named(last)}, which`;
  const what = `the task of ${named(waiter)} waits for job ${jobId}, but that${over} could never begin: it needs the quota \`${quota}\`, of which`;
  return new QuotaError(
    by.id === waiter.id
      ? `${what} job ${waiter.id} holds ${places} until it ends. Return the job instead of waiting for it, and its places are given up`
      : `${what} ${named(by)}, a batch around job ${waiter.id}, holds ${places}. Give the batch \`quotas: []\``,
  );
}

function named({ id, taskName }: QueuedJob): string {
  return `job ${id} (${taskName})`;
}
