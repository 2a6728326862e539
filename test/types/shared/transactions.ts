/** Transactions give what their code gives, and what is queued inside is typed as outside. */

import { type IAsyncService, type Job, type MemorySession, memoryStore, task } from 'millrace';
import { type Equal, holds } from './expect.js';

declare const async: IAsyncService;

const add = task('add', (x: number, y: number) => x + y);

export async function givesWhatItsCodeGives(): Promise<void> {
  const job = await async.transaction(() => async.queueJob(add, 40, 2));
  holds<Equal<typeof job, Job<number>>>();
  const text = await async.transaction(async (_session) => 'done');
  holds<Equal<typeof text, string>>();
  // @ts-expect-error: not before it has been queued
  await async.transaction(() => 1);
  // @ts-expect-error: arguments are checked inside as well
  await async.transaction(() => async.queueJob(add, 40, '2'));
}

export const transfer = task('transfer', { transactional: true, quotas: [] }, async (from: string, amount: number) => `${from} ${amount}`);
holds<Equal<Parameters<typeof transfer>, [from: string, amount: number]>>();
// @ts-expect-error: true or false
task('bad', { transactional: 'yes' }, () => 1);

export async function takesASessionOfTheMemoryStore(): Promise<void> {
  const session = memoryStore().startSession();
  holds<Equal<typeof session, MemorySession>>();
  const job = await async.withSession(session, () => async.queueJob(add, 40, 2));
  holds<Equal<typeof job, Job<number>>>();
  // @ts-expect-error: the code to run comes second
  await async.withSession(() => async.queueJob(add, 40, 2), session);
}
