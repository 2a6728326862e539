/** The plan behind a draft, and how it is planted: turned into jobs with ids, checked against the quotas. */

import { OptionError, TooLargeError } from '../errors.js';
import type { FailureLogLevel } from './failure-log-level.js';
import type { Choice, Input, JobTree, OnFailure, QueuedJob, Role } from './job-record.js';
import { type Encrypted, type JobSealer, NO_SEALER } from './job-sealer.js';
import { checkJobSize } from './job-size.js';
import { type Metadata, withInherited } from './metadata.js';
import { ARGUMENTS, Payload } from './payload.js';
import { checkPlaces, DEFAULT_PLACES, lastInLockOrder, NO_PLACES, type Places, type QuotaLimits } from './places.js';
import { anonymous, isSamePrincipal, type PrincipalReference, referenceTo } from './principal.js';
import { RETRY_DEFAULTS, type StoredRetry } from './retry-policy.js';
import { type Uniqueness, type UniqueOptions, uniquenessOf } from './unique-key-options.js';

/** A job that is not queued yet, with everything below it; immutable. */
export interface JobPlan {
  readonly kind: 'task' | 'serial' | 'parallel';
  readonly taskName: string;
  readonly args: Payload;
  /** Of the arguments; absent for the first. */
  readonly version?: number;
  /** Which of the task's arguments are to be encrypted. */
  readonly encrypt?: Encrypted;
  /** The roles that its task requires of the principal. */
  readonly requires?: readonly string[];
  readonly input: Input;
  readonly options: PlanOptions;
  readonly steps: readonly JobPlan[];
  readonly postprocess?: JobPlan;
  readonly onFailure?: OnFailure;
  readonly callbacks: readonly CallbackPlan[];
}

/** The options of a task and a draft; checked before they get here. */
export interface PlanOptions extends UniqueOptions {
  readonly name?: string;
  readonly queue?: string;
  /** Absent where neither task nor draft named any. */
  readonly places?: Places;
  readonly priority?: number;
  readonly delayMs?: number;
  readonly beginAfter?: Date;
  readonly beginBy?: Date;
  /** Of this one job, in place of the task's policy. */
  readonly retry?: StoredRetry;
  readonly interruptions?: { readonly limit: number; readonly delayMs: number };
  readonly keepMs?: number;
  readonly failureLogLevel?: FailureLogLevel;
  /** On whose behalf, where that is not who queues it. */
  readonly principal?: PrincipalReference;
  readonly metadata?: Metadata;
  /** The task's own key for its jobs: for those that are not part of another one. */
  readonly keyOfTask?: UniqueOptions;
}

/** One callback for every end, or one for each of the two sides. */
export type CallbackPlan = { readonly both: JobPlan } | { readonly success?: JobPlan | undefined; readonly failure?: JobPlan | undefined };

/** The plans directly below a plan, and the place of each, such as `.steps[1]`. */
export function plansBelow({ steps, postprocess, callbacks }: JobPlan): readonly (readonly [JobPlan, string])[] {
  return [
    ...steps.map((step, index) => [step, `.steps[${index}]`] as const),
    ...(postprocess === undefined ? [] : [[postprocess, '.postprocess'] as const]),
    ...callbacks.flatMap((callback, index) => sidesOf(callback).map(([side, at]) => [side, `.callbacks[${index}]${at}`] as const)),
  ];
}

/** The plans of one callback, and where they stand in it. */
export function sidesOf(callback: CallbackPlan): readonly (readonly [JobPlan, string])[] {
  if ('both' in callback) return [[callback.both, '']];
  const { success, failure } = callback;
  return [
    ...(success === undefined ? [] : [[success, '.success'] as const]),
    ...(failure === undefined ? [] : [[failure, '.failure'] as const]),
  ];
}

/** How many levels of jobs a job may have below it when it is queued: steps of batches, callbacks, and the jobs below these. */
export const MAX_LEVELS = 100;

/** Refuses a plan before anything walks through it recursively. @throws TooLargeError */
export function checkLevels(plan: JobPlan): void {
  let level: readonly JobPlan[] = [plan];
  for (let levels = 0; level.length > 0; levels++) {
    if (levels > MAX_LEVELS)
      throw new TooLargeError(
        `${plan.taskName} has more than ${MAX_LEVELS} levels of jobs below it, the limit; put them side by side, or let a task queue, or return, the next of them`,
      );
    level = level.flatMap((one) => plansBelow(one).map(([below]) => below));
  }
}

/** Where a plan is planted. */
export interface ExpansionContext {
  readonly nextId: () => string;
  readonly book: QuotaLimits;
  /** The limit on the arguments of one job, in bytes. */
  readonly valueLimitBytes: number;
  /** On whose behalf code runs here; `undefined` outside of every `runAs` and task. */
  readonly principal?: () => PrincipalReference | undefined;
  /** Of the job whose task's code runs here. */
  readonly metadata?: () => Metadata | undefined;
  /** The keys of the metadata that a job takes over from the one above it, or from the one that queues it. */
  readonly inheritMetadata?: readonly string[];
  /** Seals and encrypts; if absent, nothing is sealed. */
  readonly sealer?: JobSealer;
}

/** Taken over from the job above, or from the one that it replaces. */
interface Inherited {
  readonly queue: string;
  readonly priority: number;
  /** Where it names none. */
  readonly places: Places;
  readonly within?: string | undefined;
  readonly isPart?: true | undefined;
  readonly principal?: PrincipalReference | undefined;
  /** All of it; the keys that are inherited are chosen later. */
  readonly metadata?: Metadata | undefined;
  /** It is not due before this. */
  readonly dueMs?: number;
}

/** The job that it is below. */
interface ParentContext extends Inherited {
  readonly id: string;
  readonly role: Role;
  readonly index?: number;
}

/** Turns a plan into jobs. @throws UnknownQuotaError, QuotaError, TooLargeError, OptionError */
export function expand(plan: JobPlan, expansion: ExpansionContext): JobTree {
  checkLevels(plan);
  return grow(plan, expansion.nextId(), expansion, undefined);
}

/** Turns a draft that the task of a job returned into jobs, which stand in for that one. @throws as `plant` does */
export function expandReplacement(
  { queue, priority, outerQuota, parent, principal, metadata, ...job }: QueuedJob,
  plan: JobPlan,
  expansion: ExpansionContext,
): JobTree {
  checkLevels(plan);
  const isPart = parent !== undefined || job.replacesChild === true;
  const places = isPart ? NO_PLACES : DEFAULT_PLACES;
  return grow(plan, expansion.nextId(), expansion, {
    queue,
    priority,
    places,
    within: outerQuota,
    principal,
    metadata,
    ...(isPart ? { isPart } : {}),
  });
}

/**
 * Turns a callback of a job that is queued already into jobs: with the principal that adds it, else the job's.
 * @throws as `plant` does; SealError for a job that is not as it was queued
 */
export function expandCallback(callback: CallbackPlan, parent: QueuedJob, expansion: ExpansionContext): JobTree {
  for (const [side] of sidesOf(callback)) checkLevels(side);
  checkAbove(parent, expansion);
  return growCallback(callback, expansion, { ...aboveCallbacks(parent, expansion), ...ofWhoAdds(parent, expansion) });
}

/**
 * Turns a plan into one more step of a batch that is queued already; the store gives its number. Its principal is the one that adds it,
 * else the batch's.
 * @throws as `plantCallback` does
 */
export function expandStep(plan: JobPlan, batch: QueuedJob, expansion: ExpansionContext): JobTree {
  checkLevels(plan);
  checkAbove(batch, expansion);
  const { id, queue, priority, places } = batch;
  const within = lastInLockOrder(places, expansion.book, batch.outerQuota);
  const dueMs = protectionOf(expansion).dueMs(batch);
  return grow(plan, expansion.nextId(), expansion, {
    id,
    role: 'step',
    queue,
    priority,
    places: NO_PLACES,
    within,
    dueMs,
    ...ofWhoAdds(batch, expansion),
  });
}

/** The principal and the metadata of a job that is added to another one: of the job that adds it, else of that job. */
function ofWhoAdds(job: QueuedJob, expansion: ExpansionContext): Pick<Inherited, 'principal' | 'metadata'> {
  return { principal: expansion.principal?.() ?? job.principal, metadata: { ...job.metadata, ...expansion.metadata?.() } };
}

function protectionOf({ sealer = NO_SEALER }: ExpansionContext): JobSealer {
  return sealer;
}

/** A job must not get its principal from an altered job above it. A job whose seal has expired is still as it was queued. */
function checkAbove(job: QueuedJob, expansion: ExpansionContext): void {
  const refusal = protectionOf(expansion).refusal(job);
  if (refusal !== undefined && refusal.reason !== 'expired') throw refusal;
}

function grow(plan: JobPlan, id: string, expansion: ExpansionContext, above: ParentContext | Inherited | undefined): JobTree {
  const job = protectionOf(expansion).protect(queuedJob(plan, id, expansion, above), plan.encrypt, above?.dueMs);
  checkSize(job, expansion.valueLimitBytes);
  const isAlone = plan.steps.length === 0 && plan.postprocess === undefined && plan.callbacks.length === 0;
  return isAlone ? [job] : [job, ...growBelow(plan, job, expansion)];
}

function growBelow(plan: JobPlan, job: QueuedJob, expansion: ExpansionContext): QueuedJob[] {
  const { id, queue, priority, principal, metadata } = job;
  const within = lastInLockOrder(job.places, expansion.book, job.outerQuota);
  const dueMs = protectionOf(expansion).dueMs(job);
  const child = (role: Role, index: number): ParentContext => ({
    id,
    role,
    index,
    queue,
    priority,
    places: NO_PLACES,
    within,
    principal,
    metadata,
    dueMs,
  });
  return [
    ...plan.steps.flatMap((step, index) => grow(step, expansion.nextId(), expansion, child('step', index))),
    ...(plan.postprocess === undefined
      ? []
      : grow(plan.postprocess, expansion.nextId(), expansion, child('postprocess', plan.steps.length))),
    ...plan.callbacks.flatMap((callback) => growCallback(callback, expansion, aboveCallbacks(job, expansion))),
  ];
}

/** A job's own places are given back before its callbacks run; those of the batches around it are not. */
function aboveCallbacks(job: QueuedJob, expansion: ExpansionContext): ParentContext {
  const { id, queue, priority, outerQuota, principal, metadata } = job;
  return {
    id,
    role: 'callback',
    queue,
    priority,
    places: NO_PLACES,
    within: outerQuota,
    principal,
    metadata,
    dueMs: protectionOf(expansion).dueMs(job),
  };
}

function growCallback(callback: CallbackPlan, expansion: ExpansionContext, above: ParentContext): JobTree {
  const id = expansion.nextId();
  if ('both' in callback) return grow(callback.both, id, expansion, above);
  const choice: Choice = {
    ...(callback.success === undefined ? {} : { success: grow(callback.success, id, expansion, above) }),
    ...(callback.failure === undefined ? {} : { failure: grow(callback.failure, id, expansion, above) }),
  };
  const job = protectionOf(expansion).protect(
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

const USUAL_INTERRUPTIONS = Object.freeze({ limit: RETRY_DEFAULTS.interruptions, delayMs: RETRY_DEFAULTS.interruptionDelayMs });

function queuedJob(
  { options, ...plan }: JobPlan,
  id: string,
  expansion: ExpansionContext,
  above: ParentContext | Inherited | undefined,
): QueuedJob {
  const places = options.places ?? above?.places ?? DEFAULT_PLACES;
  const job: { -readonly [K in keyof QueuedJob]: QueuedJob[K] } = {
    id,
    kind: plan.kind,
    taskName: plan.taskName,
    queue: options.queue ?? above?.queue ?? '',
    args: plan.args,
    callbackInput: plan.input,
    places,
    priority: options.priority ?? above?.priority ?? 0,
    interruptionPolicy: options.interruptions ?? USUAL_INTERRUPTIONS,
  };
  checkPlaces(places, expansion.book, plan.taskName, above?.within);
  checkTimes(plan.taskName, options);
  const unique = uniqueness(plan.taskName, options, above !== undefined && 'id' in above);
  assign(job, 'unique', unique);
  assign(job, 'principal', recordedPrincipal(options.principal ?? (above === undefined ? expansion.principal?.() : above.principal)));
  const around = above === undefined ? expansion.metadata?.() : above.metadata;
  assign(job, 'metadata', withInherited(plan.taskName, options.metadata, { keys: expansion.inheritMetadata, from: around }));
  for (const key of ['name', 'retry', 'beginAfter', 'delayMs', 'beginBy', 'failureLogLevel'] as const) assign(job, key, options[key]);
  assign(job, 'retentionMs', options.keepMs);
  if (unique?.debounce !== undefined) job.delayMs = unique.debounce.ms;
  assign(job, 'version', plan.version);
  assign(job, 'outerQuota', above?.within);
  assign(job, 'replacesChild', above?.isPart);
  if (above !== undefined && 'id' in above) {
    job.parent = above.id;
    job.role = above.role;
    assign(job, 'position', above.index);
  }
  assign(job, 'onFailure', plan.onFailure);
  return job;
}

/** The anonymous principal is not stored. */
function recordedPrincipal(principal: PrincipalReference | undefined): PrincipalReference | undefined {
  return principal === undefined || isSamePrincipal(principal, anonymous) ? undefined : referenceTo(principal);
}

/** Sets what is given; a job has no properties that are `undefined`. */
function assign<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}

function checkSize(job: QueuedJob, limit: number): void {
  const { args, taskName } = job;
  if (args.bytes > limit)
    throw new TooLargeError(
      `the arguments of ${taskName} take ${args.bytes} bytes, but the limit is ${limit}; store the data elsewhere and pass its key, or raise \`valueLimitBytes\``,
    );
  checkJobSize(job);
}

/** The key of a job that is queued by itself; a part of another one has its place there, and is run. */
function uniqueness(taskName: string, options: PlanOptions, isPart: boolean): Uniqueness | undefined {
  const { keyOfTask, uniqueKey, uniqueFor, debounceMs, debounceMaxMs } = options;
  const own = { uniqueKey, uniqueFor, debounceMs, debounceMaxMs };
  const named = Object.entries(own).find(([, value]) => value !== undefined);
  if (isPart && named !== undefined)
    throw new OptionError(
      `${taskName} has \`${named[0]}\`, but is a step or a callback, which is queued with its batch or its job: give the option to that`,
    );
  if (isPart || (named === undefined && keyOfTask === undefined)) return undefined;
  const unique = uniquenessOf(taskName, taskName, named === undefined ? (keyOfTask ?? {}) : instead(keyOfTask ?? {}, own));
  if (unique?.debounce !== undefined && (options.delayMs ?? options.beginAfter) !== undefined)
    throw new OptionError(`${taskName} has both \`debounceMs\` and a time at which it begins; give one`);
  return unique;
}

/** A draft that says how long the key is taken says it in place of its task. */
function instead(ofTask: UniqueOptions, own: UniqueOptions): UniqueOptions {
  const saysHowLong = own.uniqueFor !== undefined || own.debounceMs !== undefined;
  const key = own.uniqueKey ?? ofTask.uniqueKey;
  if (saysHowLong) return { ...own, uniqueKey: key };
  return { ...ofTask, uniqueKey: key, debounceMaxMs: own.debounceMaxMs ?? ofTask.debounceMaxMs };
}

function checkTimes(taskName: string, { delayMs, beginAfter, beginBy }: PlanOptions): void {
  if (delayMs !== undefined && beginAfter !== undefined)
    throw new OptionError(`${taskName} has both \`delayMs\` and \`beginAfter\`; give one`);
  if (beginAfter !== undefined && beginBy !== undefined && beginBy <= beginAfter)
    throw new OptionError(`${taskName} has a \`beginBy\` that is not after its \`beginAfter\`, so it could never start`);
}
