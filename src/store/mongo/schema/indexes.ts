/** The indexes: each partial, each for one question, so that a job costs only those it needs. */

import type { IndexDescription } from 'mongodb';
import type { Collections } from './collections.js';

const present = (field: string) => ({ partialFilterExpression: { [field]: { $exists: true } } });

export const JOB_INDEXES = [
  // `status` is a key as well, or the server would fetch each document to check the filter.
  {
    name: 'ready',
    key: { status: 1, lane: 1, priority: 1, order: 1, _id: 1 },
    partialFilterExpression: { status: 'pending' },
  },
  { name: 'due', key: { status: 1, dueAt: 1, order: 1 }, partialFilterExpression: { status: 'scheduled' } },
  { name: 'owner', key: { owner: 1, status: 1 }, ...present('owner') },
  { name: 'tree', key: { parent: 1, role: 1, isOpen: 1, position: 1 }, ...present('parent') },
  { name: 'failed', key: { status: 1, parent: 1, position: 1 }, partialFilterExpression: { status: 'failed' } },
  { name: 'deadLetters', key: { status: 1, endedAt: 1, _id: 1 }, partialFilterExpression: { status: 'failed' } },
  { name: 'root', key: { root: 1 }, ...present('root') },
  { name: 'followedJob', key: { followedJob: 1 }, ...present('followedJob') },
  { name: 'uniqueKey', key: { uniqueKey: 1 }, unique: true, ...present('uniqueKey') },
  { name: 'pendingBeginBy', key: { pendingBeginBy: 1 }, ...present('pendingBeginBy') },
  { name: 'expireAt', key: { expireAt: 1 }, expireAfterSeconds: 0, ...present('expireAt') },
] as const satisfies readonly IndexDescription[];

export async function createIndexes({ jobs, dispatchers, notes }: Collections): Promise<void> {
  await jobs.raw.createIndexes(JOB_INDEXES.map((index) => ({ ...index })));
  for (const { raw } of [dispatchers, notes]) await raw.createIndex({ expireAt: 1 }, { name: 'expireAt', expireAfterSeconds: 0 });
}
