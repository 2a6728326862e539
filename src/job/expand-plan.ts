/** Turns a plan into jobs with ids, each checked, sealed, and with all that it takes over from the job above it. */

import { TooLargeError } from '../errors.js';
import type { ExpansionContext } from './expansion-context.js';
import { type CallbackPlan, checkLevels, type JobPlan, sidesOf } from './job-plan.js';
import type { Choice, JobTree, QueuedJob } from './job-record.js';
import { type JobSealer, NO_SEALER } from './job-sealer.js';
import { checkJobSize } from './job-size.js';
import { ARGUMENTS, Payload } from './payload.js';
import { DEFAULT_PLACES, lastInLockOrder, NO_PLACES } from './places.js';
import { type Inherited, type ParentContext, queuedJob } from './planned-job.js';

/** Turns a plan into jobs. @throws UnknownQuotaError, QuotaError, TooLargeError, OptionError */
export function expand(plan: JobPlan, expansion: ExpansionContext): JobTree {
  checkLevels(plan);
  return jobsOf(plan, expansion.nextId(), expansion, undefined);
}

/** Turns a draft that the task of a job returned into jobs, which stand in for that one. @throws as `expand` does */
export function expandReplacement(
  { queue, priority, outerQuota, parent, principal, metadata, ...job }: QueuedJob,
  plan: JobPlan,
  expansion: ExpansionContext,
): JobTree {
  checkLevels(plan);
  const isPart = parent !== undefined || job.replacesChild === true;
  const places = isPart ? NO_PLACES : DEFAULT_PLACES;
  return jobsOf(plan, expansion.nextId(), expansion, {
    queue,
    priority,
    places,
    outerQuota,
    principal,
    metadata,
    ...(isPart ? { replacesChild: isPart } : {}),
  });
}

/**
 * Turns a callback of a job that is queued already into jobs: with the principal that adds it, else the job's.
 * @throws as `expand` does; SealError for a job that is not as it was queued
 */
export function expandCallback(callback: CallbackPlan, parent: QueuedJob, expansion: ExpansionContext): JobTree {
  for (const [side] of sidesOf(callback)) checkLevels(side);
  checkAbove(parent, expansion);
  return callbackJobs(callback, expansion, { ...parentOf(parent, 'callback', expansion), ...ofWhoAdds(parent, expansion) });
}

/**
 * Turns a plan into one more step of a batch that is queued already; the store gives its number. Its principal is the one that adds it,
 * else the batch's.
 * @throws as `expandCallback` does
 */
export function expandStep(plan: JobPlan, batch: QueuedJob, expansion: ExpansionContext): JobTree {
  checkLevels(plan);
  checkAbove(batch, expansion);
  return jobsOf(plan, expansion.nextId(), expansion, { ...parentOf(batch, 'step', expansion), ...ofWhoAdds(batch, expansion) });
}

/** The principal and the metadata of a job that is added to another one: of the job that adds it, else of that job. */
function ofWhoAdds(job: QueuedJob, expansion: ExpansionContext): Pick<Inherited, 'principal' | 'metadata'> {
  return { principal: expansion.principal?.() ?? job.principal, metadata: { ...job.metadata, ...expansion.metadata?.() } };
}

function sealerOf({ sealer = NO_SEALER }: ExpansionContext): JobSealer {
  return sealer;
}

/** A job must not get its principal from an altered job above it. A job whose seal has expired is still as it was queued. */
function checkAbove(job: QueuedJob, expansion: ExpansionContext): void {
  const refusal = sealerOf(expansion).refusal(job);
  if (refusal !== undefined && refusal.reason !== 'expired') throw refusal;
}

function jobsOf(plan: JobPlan, id: string, expansion: ExpansionContext, above: ParentContext | Inherited | undefined): JobTree {
  const job = sealerOf(expansion).protect(queuedJob(plan, id, expansion, above), plan.encrypt, above?.dueMs);
  checkSize(job, expansion.valueLimitBytes);
  const isAlone = plan.steps.length === 0 && plan.postprocess === undefined && plan.callbacks.length === 0;
  return isAlone ? [job] : [job, ...jobsBelow(plan, job, expansion)];
}

function jobsBelow(plan: JobPlan, job: QueuedJob, expansion: ExpansionContext): QueuedJob[] {
  const { steps, postprocess, callbacks } = plan;
  const batch = parentOf(job, 'step', expansion);
  const ended = parentOf(job, 'callback', expansion);
  const last: ParentContext = { ...batch, role: 'postprocess', position: steps.length };
  return [
    ...steps.flatMap((step, position) => jobsOf(step, expansion.nextId(), expansion, { ...batch, position })),
    ...(postprocess === undefined ? [] : jobsOf(postprocess, expansion.nextId(), expansion, last)),
    ...callbacks.flatMap((callback) => callbackJobs(callback, expansion, ended)),
  ];
}

/** The job above. Its own places are given back before its callbacks run, but held around its steps; those around it are held in both cases. */
function parentOf(job: QueuedJob, role: 'step' | 'callback', expansion: ExpansionContext): ParentContext {
  const { id, queue, priority, places, principal, metadata } = job;
  const outerQuota = role === 'callback' ? job.outerQuota : lastInLockOrder(places, expansion.book, job.outerQuota);
  const dueMs = sealerOf(expansion).dueMs(job);
  return { id, role, queue, priority, places: NO_PLACES, outerQuota, principal, metadata, dueMs };
}

function callbackJobs(callback: CallbackPlan, expansion: ExpansionContext, above: ParentContext): JobTree {
  const id = expansion.nextId();
  if ('both' in callback) return jobsOf(callback.both, id, expansion, above);
  const choice: Choice = {
    ...(callback.success === undefined ? {} : { success: jobsOf(callback.success, id, expansion, above) }),
    ...(callback.failure === undefined ? {} : { failure: jobsOf(callback.failure, id, expansion, above) }),
  };
  const job = sealerOf(expansion).protect(
    { ...queuedJob(CHOICE, id, expansion, above), kind: 'choice', branches: choice },
    false,
    above.dueMs,
  );
  checkJobSize(job);
  return [job];
}

const CHOICE: JobPlan = {
  kind: 'task',
  taskName: 'choice',
  args: Payload.of([], ARGUMENTS),
  input: 'none',
  options: {},
  steps: [],
  callbacks: [],
};

function checkSize(job: QueuedJob, limit: number): void {
  const { args, taskName } = job;
  if (args.bytes > limit)
    throw new TooLargeError(
      `the arguments of ${taskName} take ${args.bytes} bytes, but the limit is ${limit}; store the data elsewhere and pass its key, or raise \`valueLimitBytes\``,
    );
  checkJobSize(job);
}
