/** Draws a damage from a seed: a field of a document, and the value in its place. */

import { Binary, BSONRegExp, Decimal128, type Document, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'mongodb';
import { seededRandom } from '../../../../src/testing/seeded-random.js';

export const JOB_FIELDS = [
  'kind',
  'taskName',
  'name',
  'queue',
  'args',
  'encrypted',
  'seal',
  'principal',
  'metadata',
  'version',
  'callbackInput',
  'places',
  'outerQuota',
  'replacesChild',
  'priority',
  'retry',
  'interruptionPolicy',
  'beginAfter',
  'delayMs',
  'beginBy',
  'retentionMs',
  'failureLogLevel',
  'parent',
  'role',
  'position',
  'onFailure',
  'steps',
  'branches',
  'retryOf',
  'retriedAs',
  'unique',
  'uniqueKey',
  'keyReads',
  'queuedBy',
  'notifyProcess',
  'isStaged',
  'root',
  'status',
  'isOpen',
  'lane',
  'order',
  'queuedAt',
  'dueAt',
  'pendingBeginBy',
  'pendingSignal',
  'owner',
  'token',
  'startedAt',
  'endedAt',
  'attempts',
  'failures',
  'interruptions',
  'reservation',
  'waitsFor',
  'followedJob',
  'ownsFollowed',
  'hasFollowers',
  'hasCallbacks',
  'additions',
  'cancel',
  'outcome',
  'settledToken',
  'lastError',
  'progress',
  'annotations',
  'isTransactional',
] as const;

const OTHER_FIELDS = {
  quotas: ['size', 'configured', 'holders', 'waiting', 'rate', 'recentStarts', 'granted', 'revision'],
  dispatchers: ['state', 'leaseMs', 'leaseUntil', 'since', 'agents', 'pauseRevision'],
  control: ['paused', 'names', 'version', 'storeId'],
  schedules: ['firedUntil', 'timetable'],
  notes: ['attempt', 'progress', 'annotations'],
} as const;

export type Collected = 'jobs' | keyof typeof OTHER_FIELDS;

/** In what state a job is damaged. */
export const STATES = [
  'pending',
  'scheduled',
  'running',
  'blocked',
  'open batch',
  'choice',
  'callbacks',
  'ended',
  'transactional',
] as const;

export const VALUES: readonly (readonly [string, () => unknown])[] = [
  ['missing', () => undefined],
  ['null', () => null],
  ['a string', () => 'x'],
  ['an empty string', () => ''],
  ['a string like a path', () => '$status'],
  ['a number', () => 7],
  ['a fraction', () => 1.5],
  ['NaN', () => Number.NaN],
  ['a negative number', () => -3],
  ['infinity', () => Number.POSITIVE_INFINITY],
  ['huge', () => 1e300],
  ['a 64-bit integer', () => Long.fromString('9223372036854775807')],
  ['a decimal', () => Decimal128.fromString('1E+6000')],
  ['a date', () => new Date(0)],
  ['the last date', () => new Date(8.64e15)],
  ['an array', () => ['x', 1, null]],
  ['an empty array', () => []],
  ['an object', () => ({ x: 1 })],
  ['an empty object', () => ({})],
  ['bytes', () => new Binary(Buffer.from([1, 2, 3]))],
  ['an ObjectId', () => new ObjectId()],
  ['true', () => true],
  ['false', () => false],
  ['a timestamp', () => new Timestamp({ t: 1, i: 1 })],
  ['a regular expression', () => new BSONRegExp('x')],
  ['the least key', () => new MinKey()],
  ['the greatest key', () => new MaxKey()],
];

export interface Seed {
  readonly title: string;
  readonly collection: Collected;
  readonly state: (typeof STATES)[number];
  /** Of the update that damages. */
  readonly update: Document;
}

export function drawn(seed: number): Seed {
  const random = seededRandom(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const collection: Collected =
    random() < 0.7 ? 'jobs' : pick(['quotas', 'quotas', 'dispatchers', 'control', 'schedules', 'notes'] as const);
  const field = collection === 'jobs' ? pick(JOB_FIELDS) : pick<string>(OTHER_FIELDS[collection]);
  const [name, value] = pick(VALUES);
  const state = collection === 'notes' ? 'transactional' : pick(STATES);
  const update = value() === undefined ? { $unset: { [field]: '' } } : { $set: { [field]: value() } };
  return {
    title: `${seed}: ${field} of ${collection} is ${name}${collection === 'jobs' ? `, of a job that is ${state}` : ''}`,
    collection,
    state,
    update,
  };
}
