/** Whether a task waits for a job that cannot end before the task does: as it needs places that the task holds, or waits for the task's own job. */

import { CircularJobError, type MillraceError, QuotaError } from '../errors.js';
import type { JobRecord, QueuedJob } from '../job/job-record.js';
import { isFinal, isWaiting, OPEN } from '../job/job-status.js';
import type { QuotaBook } from '../job/places.js';
import type { JobStore } from '../store/job-store.js';

type Source = Pick<JobStore, 'find' | 'quotas'>;

/** So many open jobs below a batch are looked at. */
const MAX_BELOW = 1_000;

/** The job of the task that waits, and those above it: none of them ends before it does. */
type Chain = readonly [waiter: JobRecord, ...above: JobRecord[]];

/** Who holds places of a quota until the waiting task has ended. */
interface Held {
  readonly places: number;
  readonly by: QueuedJob;
}

/**
 * Only what is certain: it holds until somebody cancels a job, or makes a quota larger.
 * @returns what the task is to be told; `undefined` where the job may end
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
    // One that expires before it begins has ended with that.
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

/** What the task itself holds, and the batches around it; a job whose callbacks run has given its places up. */
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

/** One that was claimed ahead may have begun without its being recorded yet. */
function isUnderWay({ state: { status } }: Pick<JobRecord, 'state'>): boolean {
  return status === 'active' || status === 'assigned';
}

/** Whether a job cannot end, or cannot have its turn, before the end of what is in the chain. */
function isAfter({ job, state }: JobRecord, chain: Chain): boolean {
  if (chain.some((one) => one.job.id === job.id)) return true;
  if (state.status !== 'blocked') return false;
  const below = chain.findIndex((one) => one.job.parent === job.parent);
  const sibling = chain[below]?.job;
  if (job.role === 'callback')
    return chain.findIndex((one) => one.job.id === job.parent) <= firstCallback(chain) && isIn(chain, job.parent);
  if (sibling === undefined || sibling.role !== 'step') return false;
  return job.role === 'postprocess' || (chain[below + 1]?.job.kind === 'serial' && (sibling.index ?? 0) < (job.index ?? 0));
}

function isIn(chain: Chain, id: string | undefined): boolean {
  return chain.some(({ job }) => job.id === id);
}

/** Up to where the chain is steps: the outcomes of the jobs up to there have not come. */
function firstCallback(chain: Chain): number {
  const place = chain.findIndex(({ job }) => job.role === 'callback');
  return place === -1 ? chain.length : place;
}

/** A quota of which a job that has yet to begin could not get its places. */
function quotaLacking(
  { job, state }: JobRecord,
  held: ReadonlyMap<string, Held>,
  book: QuotaBook,
): (Held & { readonly quota: string }) | undefined {
  if (state.keepsPlaces === true || !(isWaiting(state.status) || state.status === 'assigned')) return undefined;
  for (const [quota, needs] of Object.entries(job.places)) {
    const there = held.get(quota);
    if (there !== undefined && there.places + needs > (book.get(quota) ?? 0)) return { ...there, quota };
  }
  return undefined;
}

/** The jobs that must have ended before the end of a job that has not. @param withBelow - whether it matters what is below a batch */
async function before(record: JobRecord, withBelow: boolean, store: Source): Promise<readonly string[]> {
  const { job, state } = record;
  if (typeof state.waitsFor === 'object') return [state.waitsFor.job];
  // What is being cancelled ends without running.
  if (!withBelow || state.cancel !== undefined) return [];
  const below = await belowOf(job.id, store);
  const callbacks = below.filter((one) => one.job.role === 'callback' && one.job.kind !== 'choice');
  const ids = idsOf([...certainSteps(record, below), ...callbacks]);
  return state.status === 'blocked' ? [...ids, ...(await beforeTurn(job, store))] : ids;
}

/** What comes before a job in its batch, and that batch, where it has not begun itself. */
async function beforeTurn({ parent, role, index = 0 }: QueuedJob, store: Source): Promise<readonly string[]> {
  if (parent === undefined) return [];
  const [above] = await store.find({ ids: [parent] });
  if (above === undefined || role === 'callback') return [parent];
  const isEarlier = ({ job }: JobRecord): boolean => role === 'postprocess' || (above.job.kind === 'serial' && (job.index ?? 0) < index);
  const steps = (await belowOf(parent, store)).filter(({ job }) => job.role === 'step');
  const earlier = certainSteps(above, steps).filter(isEarlier);
  // A batch that waits must have its places before any of its steps.
  return isWaiting(above.state.status) ? [parent, ...idsOf(earlier)] : idsOf(earlier);
}

function belowOf(id: string, store: Source): Promise<readonly JobRecord[]> {
  return store.find({ parents: [id], statuses: OPEN, limit: MAX_BELOW });
}

/** Of what is below a batch and has not ended, that which will be run whatever becomes of the rest. */
function certainSteps({ job: { kind, onFailure = 'continue' } }: JobRecord, below: readonly JobRecord[]): readonly JobRecord[] {
  const steps = below.filter(({ job }) => job.role === 'step').sort((one, other) => (one.job.index ?? 0) - (other.job.index ?? 0));
  if (onFailure === 'stop') return kind === 'serial' || steps.length === 1 ? steps.slice(0, 1) : [];
  return onFailure === 'fail' ? steps : [...steps, ...below.filter(({ job }) => job.role === 'postprocess')];
}

function idsOf(records: readonly JobRecord[]): readonly string[] {
  return records.map(({ job }) => job.id);
}

function circular(waiter: QueuedJob, jobId: string, last: QueuedJob): CircularJobError {
  const over = last.id === jobId ? '' : `, which waits for ${named(last)}`;
  return new CircularJobError(
    `the task of ${named(waiter)} waits for job ${jobId}${over}: that cannot end before job ${waiter.id} itself. Do not wait for it; let a callback, or a later step, do what is to be done then`,
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
