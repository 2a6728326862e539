/** A job queued again with everything below it: the same work under new ids, as if none of it had been run. */

import type { Choice, JobTree, QueuedJob } from './job-record.js';
import { type JobSealer, NO_SEALER } from './job-sealer.js';
import { Payload } from './payload.js';
import { NO_PLACES, type Places, placesInAll } from './places.js';

export interface CopyContext {
  readonly nextId: () => string;
  /** The copy loses a `beginBy` before this time, and does not wait for a `beginAfter` after it. */
  readonly now: Date;
  /** The places that the batches around a step held while it ran: its copy has no batches around it. */
  readonly placesAround: Places;
  /** Seals and encrypts; if absent, nothing is sealed. */
  readonly sealer?: JobSealer;
}

/**
 * Copies a job that has ended, and the jobs below it. It begins at once. A step leaves its batch, which has gone on without it; a callback
 * belongs to its job still.
 * @param below - all that is below the root, each parent before its children
 * @throws SealError where one of them is not as it was queued
 */
export function copyTree(root: QueuedJob, below: readonly QueuedJob[], context: CopyContext): JobTree {
  const newIds = new Map([[root.id, context.nextId()]]);
  const decided = new Set([root, ...below].filter(({ branches }) => branches !== undefined).map(({ id }) => id));
  const tree: [QueuedJob, ...QueuedJob[]] = [transferred(root, copyOfRoot(root, newIds, context), context)];
  for (const job of below) {
    // A job below a callback with two drafts is in these drafts; a retry of another job is represented by that job.
    if (job.parent === undefined || !newIds.has(job.parent) || decided.has(job.parent) || job.retryOf !== undefined) continue;
    newIds.set(job.id, context.nextId());
    tree.push(transferred(job, copyOf(job, newIds, context), context));
  }
  return tree;
}

function copyOfRoot(root: QueuedJob, newIds: ReadonlyMap<string, string>, context: CopyContext): QueuedJob {
  const { beginAfter } = root;
  // A time that has come keeps nobody waiting, and the task may ask for it.
  const isPast = beginAfter !== undefined && beginAfter <= context.now;
  const atOnce = without(copyOf(root, newIds, context), 'delayMs', 'beginAfter');
  const retry = { ...atOnce, ...(isPast ? { beginAfter } : {}), retryOf: root.id };
  if (root.role === 'callback') return retry;
  const alone = without(retry, 'parent', 'role', 'position', 'outerQuota', 'replacesChild');
  return placesInAll(alone.places) > 0 ? alone : { ...alone, places: context.placesAround };
}

/** The copy of a job as it is stored. */
function transferred(job: QueuedJob, copy: QueuedJob, { sealer = NO_SEALER }: CopyContext): QueuedJob {
  return sealer.transfer(job, copy);
}

function without<J extends QueuedJob, K extends keyof J>(job: J, ...fields: readonly K[]): Omit<J, K> {
  return Object.fromEntries(Object.entries(job).filter(([field]) => !fields.includes(field as K))) as Omit<J, K>;
}

function copyOf(job: QueuedJob, newIds: ReadonlyMap<string, string>, context: CopyContext): QueuedJob {
  const { beginBy, parent, retryOf: _, ...rest } = job;
  const copy = {
    ...rest,
    id: newIds.get(job.id) ?? context.nextId(),
    ...(parent === undefined ? {} : { parent: newIds.get(parent) ?? parent }),
    ...(beginBy === undefined || beginBy <= context.now ? {} : { beginBy }),
  };
  return job.branches === undefined ? copy : undecided(copy, job.branches, context);
}

/** A callback that is one of two drafts, to be chosen anew. */
function undecided(callback: QueuedJob, choice: Choice, context: CopyContext): QueuedJob {
  const { id, queue, principal, metadata, priority, interruptionPolicy, outerQuota, parent, role } = callback;
  return {
    id,
    kind: 'choice',
    taskName: 'choice',
    queue,
    args: Payload.of([], 'arguments'),
    callbackInput: 'none',
    places: NO_PLACES,
    priority,
    interruptionPolicy,
    ...(principal === undefined ? {} : { principal }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(outerQuota === undefined ? {} : { outerQuota }),
    ...(parent === undefined ? {} : { parent }),
    ...(role === undefined ? {} : { role }),
    branches: {
      ...(choice.success === undefined ? {} : { success: copiedSide(choice.success, { id, parent }, context) }),
      ...(choice.failure === undefined ? {} : { failure: copiedSide(choice.failure, { id, parent }, context) }),
    },
  };
}

/** The root of each side has the id, and the parent, of the callback itself. */
function copiedSide(
  [root, ...below]: JobTree,
  { id, parent }: Pick<QueuedJob, 'id'> & { readonly parent: string | undefined },
  context: CopyContext,
): JobTree {
  const newIds = new Map([[root.id, id], ...below.map((job) => [job.id, context.nextId()] as const)]);
  if (root.parent !== undefined && parent !== undefined) newIds.set(root.parent, parent);
  const copied = (job: QueuedJob): QueuedJob => transferred(job, copyOf(job, newIds, context), context);
  return [copied(root), ...below.map(copied)];
}
