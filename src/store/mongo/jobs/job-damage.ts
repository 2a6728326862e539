/** Damaged records of jobs: the damage, and the sound record of a job that has failed because of it. */

import { Binary, type Document, type ObjectId, Timestamp } from 'mongodb';
import { is, type Rule } from '../../../check.js';
import { StoreError } from '../../../errors.js';
import { FINAL, isFinal, OPEN, type Status } from '../../../job/job-status.js';
import { isLane, laneOf } from '../../../job/lane.js';
import { isMetadata } from '../../../job/metadata.js';
import { Payload } from '../../../job/payload.js';
import { checkStoredRetry } from '../../../job/retry-policy.js';
import { recordedError } from '../../../job/stored-error.js';
import { taskVersionOf } from '../../../job/task-version.js';
import { type DocumentRules, damagesOf, isReadable, isRecord, must, needed } from '../schema/damage.js';
import type { JobDocument, OutcomeDocument } from '../schema/documents.js';
import { decodeObject, fromBytes, toBytes } from '../schema/payload-codec.js';
import { choiceOf, errorOf, type QueuedPart, toOutcome } from './job-codec.js';
import { hasFollowUps, hasOpenBelow } from './transition-updates.js';

/** The bytes of a value that can be read back. */
function bytes(what: string, read: (value: Binary) => unknown): Rule {
  return { must: what, holds: (value) => value instanceof Binary && isReadable(() => read(value)) };
}

function record(what: string, holds: (value: Readonly<Record<string, unknown>>) => boolean): Rule {
  return { must: what, holds: (value) => isRecord(value) && holds(value) };
}

/** A rule for a field that may also be missing. */
function orNone({ holds }: Rule, value: unknown): boolean {
  return value === undefined || holds(value);
}

const KIND = is.oneOf('task', 'serial', 'parallel', 'choice');
const ROLE = is.oneOf('step', 'postprocess', 'callback');
const STATUS = is.oneOf(...OPEN, ...FINAL);
const DATE: Rule = is.date;
const STRING: Rule = must.string;
const ID: Rule = must.id;
const COUNT: Rule = must.count;

const PLACES = record('an object of quotas and their places', (places) => Object.values(places).every((weight) => is.count.holds(weight)));
const INTERRUPTION_POLICY = record(
  'an object with `limit` and `delayMs`',
  ({ limit, delayMs }) => is.countFromZero.holds(limit) && is.durationMs.holds(delayMs),
);
const PRINCIPAL = record('an object with `realm` and `id`', ({ realm, id }) => STRING.holds(realm) && STRING.holds(id));
const UNIQUE = record('an object with `key` and `for`', ({ key, for: lasts, debounce }) => {
  const isDebounced =
    debounce === undefined || (isRecord(debounce) && is.durationMs.holds(debounce['ms']) && orNone(is.durationMs, debounce['maxMs']));
  return STRING.holds(key) && (['waiting', 'unfinished'].includes(String(lasts)) || is.durationMs.holds(lasts)) && isDebounced;
});
const CANCEL = record('an object with `reason` and `owner`', ({ reason, owner }) => orNone(STRING, reason) && orNone(STRING, owner));
const OUTCOME = record('an outcome', ({ kind, value, error, reason, steps }) => {
  const isBinary = (part: unknown): boolean => part === undefined || part instanceof Binary;
  const isError = error === undefined || (error instanceof Binary && isReadable(() => isStoredError(error)));
  return is.oneOf(...FINAL).holds(kind) && isBinary(value) && isError && orNone(STRING, reason) && orNone(must.true, steps);
});

function isStoredError(error: Binary): boolean {
  const { name, message } = errorOf(error);
  return STRING.holds(name) && STRING.holds(message);
}

/** The rules for the fields of a job. Its arguments are checked when it runs, and fail with an error of the same kind. */
const RULES: DocumentRules<JobDocument> = {
  _id: needed(ID),
  kind: needed(KIND),
  taskName: needed(STRING),
  name: STRING,
  queue: needed(STRING),
  args: is.anything,
  encrypted: { must: 'an array of numbers', holds: (value) => Array.isArray(value) && value.every(COUNT.holds) },
  seal: is.anything,
  principal: PRINCIPAL,
  metadata: bytes('metadata', (value) => isMetadata(decodeObject(value))),
  version: is.count,
  callbackInput: needed(is.oneOf('none', 'result', 'error', 'outcome', 'jobs')),
  places: needed(PLACES),
  outerQuota: STRING,
  replacesChild: must.true,
  priority: needed(is.integer),
  retry: bytes('a retry policy', (value) => checkStoredRetry('the job', decodeObject(value))),
  interruptionPolicy: needed(INTERRUPTION_POLICY),
  beginAfter: DATE,
  delayMs: is.durationMs,
  beginBy: DATE,
  retentionMs: is.durationMs,
  failureLogLevel: STRING,
  parent: ID,
  role: ROLE,
  position: COUNT,
  onFailure: is.oneOf('continue', 'stop', 'fail'),
  steps: COUNT,
  branches: bytes('the two sides of a callback', areSides),
  retryOf: ID,
  retriedAs: ID,
  unique: UNIQUE,
  uniqueKey: STRING,
  keyReads: COUNT,
  queuedBy: needed(STRING),
  notifyProcess: STRING,
  isStaged: must.true,
  root: ID,
  status: needed(STATUS),
  isOpen: must.true,
  lane: needed({ must: 'the key of a lane', holds: isLane }),
  order: needed({ must: 'a Timestamp', holds: (value) => value instanceof Timestamp }),
  queuedAt: needed(DATE),
  dueAt: DATE,
  pendingBeginBy: DATE,
  pendingSignal: STRING,
  owner: STRING,
  token: STRING,
  startedAt: DATE,
  endedAt: DATE,
  attempts: needed(COUNT),
  failures: needed(COUNT),
  interruptions: needed(COUNT),
  reservation: STRING,
  waitsFor: is.oneOf('steps', 'job'),
  followedJob: ID,
  ownsFollowed: must.true,
  hasFollowers: must.true,
  hasCallbacks: must.true,
  additions: COUNT,
  cancel: CANCEL,
  outcome: OUTCOME,
  settledToken: STRING,
  lastError: bytes('a stored error', isStoredError),
  stepsOf: { must: 'missing', holds: () => false },
  expireAt: DATE,
  progress: bytes('a progress', (value) => fromBytes(value, 'progress').read()),
  annotations: record('an object', () => true),
  isTransactional: must.true,
  damaged: { must: 'bytes', holds: (value) => value instanceof Binary },
};

/** The seal, and the principal with it, is checked before the job runs, with an error of its own. */
const SEALED_RULES: DocumentRules<JobDocument> = { ...RULES, principal: is.anything };

function rulesOf({ seal }: Document): DocumentRules<JobDocument> {
  return seal === undefined ? RULES : SEALED_RULES;
}

/** The fields that every job has from the beginning. */
const STATE = ['status', 'order', 'queuedAt', 'attempts', 'failures', 'interruptions'] as const satisfies readonly (keyof JobDocument)[];
const QUEUED = Object.keys(RULES).filter((field) => !(STATE as readonly string[]).includes(field));

function areSides(choice: Binary): boolean {
  const { success = [], failure = [] } = choiceOf(choice);
  return [...success, ...failure].every((part: QueuedPart) => damagesOf(part, rulesOf(part), QUEUED).length === 0);
}

/** Describes the damage of a job, if any. @param only - the fields that were read, if not all */
export function damageOfJob(document: Document, only?: readonly string[]): string | undefined {
  const [damage] = damagesOf(document, rulesOf(document), only);
  if (damage !== undefined) return damage.fact;
  return only === undefined ? contradictionIn(document as JobDocument) : undefined;
}

/** Fields that are sound one by one, but not together. */
function contradictionIn(job: JobDocument): string | undefined {
  const { status, waitsFor, lane } = job;
  const isRun = status === 'assigned' || (status === 'active' && waitsFor === undefined);
  const without = (field: keyof JobDocument): string => `\`${field}\` must be there for a job that is ${status}, but is missing`;
  if (lane !== ownLane(job, false) && lane !== ownLane(job, true)) return '`lane` must be of its queue, task and quotas, but is not';
  if (isRun && job.token === undefined) return without('token');
  if (isRun && job.owner === undefined) return without('owner');
  if (status === 'scheduled' && job.dueAt === undefined) return without('dueAt');
  if ((status === 'callbacks' || isFinal(status)) && job.outcome === undefined) return without('outcome');
  if (!isFinal(status) && job.isOpen === undefined) return without('isOpen');
  if (waitsFor === 'job' && job.followedJob === undefined) return without('followedJob');
  if (job.kind === 'choice' && job.branches === undefined) return without('branches');
  return (job.parent === undefined) === (job.role === undefined)
    ? undefined
    : '`parent` and `role` must be there together, but one is missing';
}

function ownLane({ kind, queue, taskName, version, places }: JobDocument, keepsPlaces: boolean): string {
  return laneOf({ kind, queue, taskName, places, ...(version === undefined ? {} : { version }) }, keepsPlaces);
}

/** The fields that a job loses when it is over. */
const GONE: ReadonlySet<string> = new Set([
  'pendingSignal',
  'dueAt',
  'pendingBeginBy',
  'waitsFor',
  'followedJob',
  'ownsFollowed',
  'cancel',
  'isOpen',
]);

/**
 * The sound record of a damaged job: failed, unless it had ended before; sound fields stay.
 * @param by - the process that handles what follows
 */
export function failedOver(
  damaged: Document,
  damage: string,
  { now, by, keepMs }: { readonly now: Date; readonly by: string; readonly keepMs: number },
): JobDocument {
  const wrong = new Set(damagesOf(damaged, rulesOf(damaged)).map(({ field }) => field));
  const sound = Object.fromEntries(Object.entries(damaged).filter(([field]) => !wrong.has(field))) as Partial<JobDocument>;
  const job = { ...assumedOf(damaged, wrong), ...statusBy(sound), ...sound } as JobDocument;
  const lane = ownLane(job, false);
  const isOver = job.outcome !== undefined && (isFinal(job.status) || job.status === 'callbacks');
  const outcome: OutcomeDocument =
    isOver && job.outcome !== undefined ? job.outcome : toOutcome({ status: 'failed', error: errorFor(job, damage) });
  const status: Status = isOver ? job.status : hasOpenBelow({ ...job, status: 'pending' }) ? 'callbacks' : 'failed';
  const isBatch = job.kind === 'serial' || job.kind === 'parallel';
  const rest = Object.fromEntries(Object.entries(withWholeTies(job)).filter(([field]) => !GONE.has(field))) as unknown as JobDocument;
  return {
    ...rest,
    // Like a job that never began: it is final once all jobs below it have ended.
    ...(isBatch && !isOver ? { attempts: 0 } : {}),
    lane,
    status,
    outcome,
    endedAt: job.endedAt ?? now,
    ...(hasFollowUps(job) ? { owner: by } : {}),
    ...(isFinal(status) ? { notifyProcess: job.queuedBy } : { isOpen: true }),
    ...(job.root === undefined ? { expireAt: job.expireAt ?? new Date(now.getTime() + keepMs) } : {}),
  };
}

/** The status of a job whose work is over; if it is lost, the outcome gives it. */
function statusBy({ outcome, hasCallbacks }: Partial<JobDocument>): Pick<Partial<JobDocument>, 'status'> {
  return outcome === undefined ? {} : { status: hasCallbacks === true ? 'callbacks' : outcome.kind };
}

/** A job without a role does not count as a child. */
function withWholeTies({ parent, role, ...job }: JobDocument): JobDocument {
  return parent === undefined || role === undefined ? job : { ...job, parent, role };
}

/** Stand-ins for required fields. If it is unknown whether somebody waits for the job, assume that somebody does. */
function assumedOf(damaged: Document, wrong: ReadonlySet<string>): Partial<JobDocument> {
  const id = damaged['_id'] as ObjectId;
  const hasSteps = damaged['steps'] !== undefined || damaged['waitsFor'] === 'steps';
  return {
    kind: hasSteps ? 'parallel' : 'task',
    taskName: 'unknown',
    queue: '',
    args: toBytes(Payload.of([], 'arguments')),
    callbackInput: 'none',
    places: {},
    priority: 0,
    interruptionPolicy: { limit: 0, delayMs: 0 },
    queuedBy: '',
    status: 'failed',
    order: new Timestamp({ t: Math.floor(id.getTimestamp().getTime() / 1_000), i: 1 }),
    queuedAt: id.getTimestamp(),
    attempts: 0,
    failures: 0,
    interruptions: 0,
    ...(wrong.has('hasCallbacks') ? { hasCallbacks: true } : {}),
    ...(wrong.has('hasFollowers') ? { hasFollowers: true } : {}),
  };
}

function errorFor({ _id, taskName, version }: JobDocument, damage: string) {
  const taskVersion = taskVersionOf({ taskName, ...(version === undefined ? {} : { version }) });
  return recordedError(
    new StoreError(`the record of job ${_id.toHexString()} (${taskVersion}) is damaged: ${damage}; queue the job again`),
  );
}
