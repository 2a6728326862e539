/** The one job of a plan, without those below it: its options, and those that it takes over from the job above it. */

import { OptionError } from '../errors.js';
import type { ExpansionContext } from './expansion-context.js';
import type { JobPlan, PlanOptions } from './job-plan.js';
import type { QueuedJob, Role } from './job-record.js';
import { type Metadata, withInherited } from './metadata.js';
import { checkPlaces, DEFAULT_PLACES, type Places } from './places.js';
import { anonymous, isSamePrincipal, type PrincipalReference, referenceTo } from './principal.js';
import { RETRY_DEFAULTS } from './retry-policy.js';
import { type Uniqueness, type UniqueOptions, uniquenessOf } from './unique-key-options.js';

/** The values that a job takes over from the job above, or from the one that it replaces. */
export interface Inherited {
  readonly queue: string;
  readonly priority: number;
  /** Where it names none. */
  readonly places: Places;
  readonly outerQuota?: string | undefined;
  readonly replacesChild?: true | undefined;
  readonly principal?: PrincipalReference | undefined;
  /** All of it; the keys that are inherited are chosen later. */
  readonly metadata?: Metadata | undefined;
  /** It is not due before this. */
  readonly dueMs?: number;
}

/** The job that it is below. */
export interface ParentContext extends Inherited {
  readonly id: string;
  readonly role: Role;
  readonly position?: number;
}

const USUAL_INTERRUPTIONS = Object.freeze({ limit: RETRY_DEFAULTS.interruptions, delayMs: RETRY_DEFAULTS.interruptionDelayMs });

/** @throws UnknownQuotaError, QuotaError, OptionError */
export function queuedJob(
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
  checkPlaces(places, expansion.book, plan.taskName, above?.outerQuota);
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
  assign(job, 'outerQuota', above?.outerQuota);
  assign(job, 'replacesChild', above?.replacesChild);
  if (above !== undefined && 'id' in above) {
    job.parent = above.id;
    job.role = above.role;
    assign(job, 'position', above.position);
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
