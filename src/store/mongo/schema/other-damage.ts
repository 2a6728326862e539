/** The rules for the documents other than jobs: quotas, dispatchers, notes, schedules, and the list of pauses. */

import { Binary, ObjectId } from 'mongodb';
import { is, type Rule } from '../../../check.js';
import { type DocumentRules, isReadable, isRecord, must, needed } from './damage.js';
import type { DispatcherDocument, NoteDocument, PausedDocument, QuotaDocument, ScheduleDocument } from './documents.js';
import { fromBytes } from './payload-codec.js';

const ID = { must: 'a string', holds: must.string.holds } satisfies Rule;
const REVISION = must.count;

function list(what: string, holds: (item: Readonly<Record<string, unknown>>) => boolean): Rule {
  return { must: `an array of ${what}`, holds: (value) => Array.isArray(value) && value.every((item) => isRecord(item) && holds(item)) };
}

function isBegun({ until, count }: Readonly<Record<string, unknown>>): boolean {
  return is.date.holds(until) && Number.isSafeInteger(count);
}

export const QUOTA_RULES: DocumentRules<QuotaDocument> = {
  _id: needed(ID),
  size: needed(is.count),
  configured: needed(is.count),
  holders: needed(
    list('holders', ({ dispatcher, job, attempt, places, version }) => {
      const isShare = must.string.holds(dispatcher) && Number.isSafeInteger(version);
      const isHeld = typeof job === 'string' && ObjectId.isValid(job) && must.string.holds(attempt);
      return (isShare || isHeld) && Number.isSafeInteger(places);
    }),
  ),
  waiting: needed(
    list('waiting dispatchers', ({ dispatcher, places, since, until }) => {
      return must.string.holds(dispatcher) && Number.isSafeInteger(places) && is.date.holds(since) && is.date.holds(until);
    }),
  ),
  rate: {
    must: 'an object with `starts` and `perMs`',
    holds: (value) => isRecord(value) && is.count.holds(value['starts']) && is.timerMs.holds(value['perMs']),
  },
  recentStarts: list('jobs that have begun', isBegun),
  granted: { must: 'an object with `until` and `count`', holds: (value) => isRecord(value) && isBegun(value) },
  revision: REVISION,
};

export const DISPATCHER_RULES: DocumentRules<DispatcherDocument> = {
  _id: needed(ID),
  state: needed(is.oneOf('alive', 'dead')),
  leaseMs: needed(is.timerMs),
  leaseUntil: needed(is.date),
  since: needed(is.date),
  agents: list('agents', ({ queue, taskVersions, concurrency }) => {
    return must.string.holds(queue) && (taskVersions === undefined || Array.isArray(taskVersions)) && is.countOrInfinity.holds(concurrency);
  }),
  pauseRevision: REVISION,
  expireAt: is.date,
};

export const NOTE_RULES: DocumentRules<NoteDocument> = {
  _id: needed(must.id),
  attempt: needed(must.count),
  progress: { must: 'a progress', holds: (value) => value instanceof Binary && isReadable(() => fromBytes(value, 'progress').read()) },
  annotations: { must: 'an object', holds: isRecord },
  expireAt: needed(is.date),
};

export const SCHEDULE_RULES: DocumentRules<ScheduleDocument> = { _id: needed(ID), firedUntil: needed(is.date), timetable: must.string };

/** Whether this is a valid stored form of the pauses. */
export function isPausedDocument(value: unknown): value is PausedDocument {
  if (!isRecord(value)) return false;
  const areTexts = (some: unknown): boolean => Array.isArray(some) && some.every(must.string.holds);
  return (
    is.boolean.holds(value['everything']) && areTexts(value['queues']) && areTexts(value['taskNames']) && REVISION.holds(value['revision'])
  );
}
