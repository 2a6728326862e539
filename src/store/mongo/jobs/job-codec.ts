/** Jobs as documents, and documents as jobs. */

import { Binary, ObjectId, type Timestamp } from 'mongodb';
import type { TooLargeError } from '../../../errors.js';
import type { Choice, JobRecord, JobState, JobTree, Progress, QueuedJob } from '../../../job/job-record.js';
import { JobReference } from '../../../job/job-reference.js';
import { annotationPath, fitting, problemOfSize, valueBytes } from '../../../job/job-size.js';
import { laneOf } from '../../../job/lane.js';
import type { Metadata } from '../../../job/metadata.js';
import type { StoredOutcome } from '../../../job/outcome.js';
import { Payload } from '../../../job/payload.js';
import { referenceTo } from '../../../job/principal.js';
import type { StoredRetry } from '../../../job/retry-policy.js';
import type { StoredError } from '../../../job/stored-error.js';
import { taskVersionOf } from '../../../job/task-version.js';
import type { JobDocument, OutcomeDocument } from '../schema/documents.js';
import { decodeObject, encodeObject, fromBytes, toBytes } from '../schema/payload-codec.js';

/** The part of a job that was queued, without its state. */
export type QueuedPart = Omit<JobDocument, 'status' | 'isOpen' | 'order' | 'queuedAt' | 'attempts' | 'failures' | 'interruptions'>;

/** Orders as numbers: seconds, and a share of the second in which the cluster ticks. */
const TICKS = 2 ** 20;

/** @param root - the top of its tree, where it has one; queuedBy - the process that queues it */
export function toDocument(job: QueuedJob, queuedBy: string, root: ObjectId | undefined): QueuedPart {
  return {
    _id: new ObjectId(job.id),
    kind: job.kind,
    taskName: job.taskName,
    queue: job.queue,
    lane: laneOf(job, false),
    args: toBytes(job.args),
    callbackInput: job.callbackInput,
    places: job.places,
    priority: job.priority,
    interruptionPolicy: job.interruptionPolicy,
    queuedBy,
    ...given('encrypted', job.encrypted),
    ...given('seal', job.seal),
    ...given('principal', job.principal),
    ...given('metadata', job.metadata && encodeObject(job.metadata)),
    ...given('version', job.version),
    ...given('name', job.name),
    ...given('outerQuota', job.outerQuota),
    ...given('replacesChild', job.replacesChild),
    ...given('beginAfter', job.beginAfter),
    ...given('delayMs', job.delayMs),
    ...given('beginBy', job.beginBy),
    ...given('retentionMs', job.retentionMs),
    ...given('failureLogLevel', job.failureLogLevel),
    ...given('pendingBeginBy', job.beginBy),
    ...given('role', job.role),
    ...given('position', job.position),
    ...given('onFailure', job.onFailure),
    ...given('root', root),
    ...given('retryOf', job.retryOf === undefined ? undefined : new ObjectId(job.retryOf)),
    ...given('unique', job.unique),
    ...given('uniqueKey', job.unique?.key),
    ...(job.retry === undefined ? {} : { retry: encodeObject(job.retry) }),
    ...(job.parent === undefined ? {} : { parent: new ObjectId(job.parent) }),
    ...(job.branches === undefined ? {} : { branches: packedChoice(job.branches, queuedBy, root) }),
  };
}

/** The jobs of a tree, each with the facts that it needs about those below it. */
export function toDocuments(tree: JobTree, queuedBy: string, root: ObjectId | undefined): readonly QueuedPart[] {
  const counts = new Map<string, number>();
  for (const { parent, role } of tree) counts.set(`${parent} ${role}`, (counts.get(`${parent} ${role}`) ?? 0) + 1);
  return tree.map((job) => ({
    ...toDocument(job, queuedBy, root),
    ...(counts.has(`${job.id} callback`) ? { hasCallbacks: true } : {}),
    ...given('steps', counts.get(`${job.id} step`)),
  }));
}

export function toRecord(document: JobDocument): JobRecord {
  return { job: toJob(document), state: toState(document) };
}

export function toJob(document: JobDocument): QueuedJob {
  const { parent, retry, branches } = document;
  return {
    id: document._id.toHexString(),
    kind: document.kind,
    taskName: document.taskName,
    queue: document.queue,
    args: fromBytes(document.args, 'arguments'),
    callbackInput: document.callbackInput,
    places: document.places,
    priority: document.priority,
    interruptionPolicy: document.interruptionPolicy,
    ...given('encrypted', document.encrypted),
    ...given('seal', document.seal),
    ...given('principal', document.principal && referenceTo(document.principal)),
    ...given('metadata', document.metadata && Object.freeze(decodeObject<Metadata>(document.metadata))),
    ...given('version', document.version),
    ...given('name', document.name),
    ...given('outerQuota', document.outerQuota),
    ...given('replacesChild', document.replacesChild),
    ...given('beginAfter', document.beginAfter),
    ...given('delayMs', document.delayMs),
    ...given('beginBy', document.beginBy),
    ...given('retentionMs', document.retentionMs),
    ...given('failureLogLevel', document.failureLogLevel),
    ...given('role', document.role),
    ...given('position', document.position),
    ...given('onFailure', document.onFailure),
    ...given('retryOf', document.retryOf?.toHexString()),
    ...given('unique', document.unique),
    ...(retry === undefined ? {} : { retry: decodeObject<StoredRetry>(retry) }),
    ...(parent === undefined ? {} : { parent: parent.toHexString() }),
    ...(branches === undefined ? {} : { branches: toChoice(branches) }),
  };
}

/** As `taskVersionOf` of its job. */
export function taskVersionOfDocument({ taskName, version }: Pick<JobDocument, 'taskName' | 'version'>): string {
  return taskVersionOf(version === undefined ? { taskName } : { taskName, version });
}

export function toOutcome(outcome: StoredOutcome): OutcomeDocument {
  switch (outcome.status) {
    case 'completed':
      return { kind: 'completed', value: toBytes(outcome.result) };
    case 'failed':
      return { kind: 'failed', error: encodeObject(outcome.error) };
    case 'cancelled':
      return { kind: 'cancelled', ...given('reason', outcome.reason) };
  }
}

/** @param steps - of a batch whose result they are */
export function fromOutcome(outcome: OutcomeDocument, steps: readonly JobReference[] = []): StoredOutcome {
  switch (outcome.kind) {
    case 'completed':
      return { status: 'completed', result: resultOf(outcome, steps) };
    case 'failed':
      return { status: 'failed', error: errorOf(outcome.error) };
    case 'cancelled':
      return { status: 'cancelled', reason: outcome.reason };
  }
}

export function errorOf(bytes: Binary | undefined): StoredError {
  return Object.freeze(bytes === undefined ? { name: 'Error', message: '' } : decodeObject<StoredError>(bytes));
}

function resultOf({ value }: OutcomeDocument, steps: readonly JobReference[]): Payload {
  return value === undefined ? Payload.of([...steps], 'result') : fromBytes(value, 'result');
}

function toState(document: JobDocument): JobState {
  const { waitsFor, followedJob, cancel, outcome, lastError, progress, annotations } = document;
  return {
    status: document.status,
    order: orderOf(document.order),
    queuedAt: document.queuedAt,
    attempts: document.attempts,
    failures: document.failures,
    interruptions: document.interruptions,
    ...given('dueAt', document.dueAt),
    ...given('token', document.token),
    ...given('owner', isRun(document) ? document.owner : undefined),
    ...given('startedAt', document.startedAt),
    ...given('endedAt', document.endedAt),
    ...(document.reservation !== undefined && document.status === 'pending' ? { hasPlaces: true } : {}),
    ...(waitsFor === 'steps' ? { waitsFor } : {}),
    ...(followedJob === undefined
      ? {}
      : { waitsFor: { job: followedJob.toHexString(), ...(document.ownsFollowed === true ? { isOwn: true } : {}) } }),
    ...(cancel === undefined ? {} : { cancel: { reason: cancel.reason } }),
    ...given('retriedAs', document.retriedAs?.toHexString()),
    ...(outcome === undefined ? {} : { outcome: fromOutcome(outcome, document.stepsOf) }),
    ...(lastError === undefined ? {} : { lastError: errorOf(lastError) }),
    ...(progress === undefined ? {} : { progress: fromBytes(progress, 'progress').read() as Progress }),
    ...(annotations === undefined ? {} : { annotations: annotationsOf(annotations) }),
    ...(document.damaged === undefined ? {} : { isDamaged: true }),
  };
}

/** The bytes that attempts have reported, as `reportedBytes` counts them. */
export function reportedOf({ progress, annotations = {} }: JobDocument): ReadonlyMap<string, number> {
  const sizes = new Map(Object.entries(annotations).map(([key, bytes]) => [annotationPath(fromKey(key)), lengthOf(bytes)]));
  return progress === undefined ? sizes : sizes.set('progress', lengthOf(progress));
}

/** A damaged value counts as 0 bytes. */
function lengthOf(stored: unknown): number {
  return stored instanceof Binary ? stored.length() : 0;
}

/** As `storedBytes` of its job. */
export function storedIn(job: JobDocument): number {
  const queued = lengthOf(job.args) + lengthOf(job.branches);
  return [...reportedOf(job)].reduce((sum, [path, bytes]) => sum + valueBytes(path, bytes), queued);
}

/** Why an outcome does not fit into its job, as `problemOfSize` has it. */
export function problemOfFit(outcome: StoredOutcome, job: JobDocument): TooLargeError | undefined {
  return outcome.status === 'completed' ? problemOfSize(outcome, referenceOf(job), storedIn(job)) : undefined;
}

/** An outcome as its job can store it, as `fitting` has it. */
export function fittingIn(outcome: StoredOutcome, job: JobDocument): StoredOutcome {
  return outcome.status === 'completed' ? fitting(outcome, referenceOf(job), storedIn(job)) : outcome;
}

/** By a dispatcher; for all other jobs the owner only does the follow-ups. */
function isRun({ status, waitsFor }: JobDocument): boolean {
  return (status === 'active' || status === 'assigned') && waitsFor === undefined;
}

function annotationsOf(annotations: Readonly<Record<string, Binary>>): Readonly<Record<string, Payload>> {
  return Object.fromEntries(Object.entries(annotations).map(([key, bytes]) => [fromKey(key), fromBytes(bytes, key)]));
}

/** Names of annotations may have dots and dollars, which paths of fields take for their own. */
export function toKey(name: string): string {
  return Buffer.from(name).toString('base64url');
}

function fromKey(key: string): string {
  return Buffer.from(key, 'base64url').toString();
}

function orderOf(order: Timestamp): number {
  return order.t * TICKS + order.i;
}

interface PackedChoice {
  readonly success?: readonly QueuedPart[];
  readonly failure?: readonly QueuedPart[];
}

function packedChoice({ success, failure }: Choice, queuedBy: string, root: ObjectId | undefined): Binary {
  const side = (tree: JobTree | undefined) => tree && toDocuments(tree, queuedBy, root);
  return encodeObject({ ...given('success', side(success)), ...given('failure', side(failure)) });
}

/** The documents of the two sides of a callback. */
export function choiceOf(choice: Binary): PackedChoice {
  return decodeObject<PackedChoice>(choice);
}

function toChoice(choice: Binary): Choice {
  const { success, failure } = choiceOf(choice);
  const tree = (side: readonly QueuedPart[] | undefined) => side?.map((part) => toJob(part as JobDocument)) as JobTree | undefined;
  return { ...given('success', tree(success)), ...given('failure', tree(failure)) };
}

function given<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

export function referenceOf({ _id, taskName }: Pick<JobDocument, '_id' | 'taskName'>): JobReference {
  return new JobReference(_id.toHexString(), taskName);
}
