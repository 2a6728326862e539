/** Jobs that a session of the application has queued are found right after its commit, even if the majority does not have it yet. */

import type { ClientSessionOptions } from 'mongodb';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { nextTurn } from '../../../src/clock.js';
import { type IAsyncService, type Job, JobNotFoundError, makeJob, serial, task } from '../../../src/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('unconfirmed');

const add = task('add', { quotas: [] }, (x: number, y: number) => x + y);
const twice = task('twice', { quotas: [] }, (x: number) => 2 * x);
const tasks = [add, twice];

type Asked = (job: Job<number>, async: IAsyncService) => Promise<unknown>;

const ASKED: readonly (readonly [what: string, ask: Asked, answer: unknown])[] = [
  ['refresh', async (job) => (await job.refresh()).id === job.id, true],
  ['waitForResult', (job) => job.waitForResult(), 42],
  ['waitForOutcome', (job) => job.waitForOutcome(), { status: 'completed', result: 42 }],
  ['changes', async (job) => (await lastValueFrom(job.changes)).status, 'completed'],
  ['addCallbacks', async (job) => (await job.addCallbacks({ success: twice })).waitForResult(), 84],
  ['addCallback', async (job) => (await job.addCallback(makeJob(add, 1, 2))).waitForResult(), 3],
  ['getJob', async (job, async) => (await async.getJob(job.id))?.id === job.id, true],
  ['getJobs', async (_job, async) => (await async.getJobs({ task: add })).length, 1],
  ['explain', async (job) => (await job.explain()).id === job.id, true],
  ['the size of its queue', async (_job, async) => async.getQueues().get('').size(), 1],
];

/** A service, and sessions of the application whose commits only the primary has for now. */
async function setup(options: ClientSessionOptions = {}) {
  const { faults } = processes;
  if (faults === undefined) throw new Error('needs the stand-in');
  const { async } = await processes.start({ tasks });
  const session = processes.client.startSession(options);
  /** Queues, and commits what is queued with `w: 1`. */
  const commit = async <T>(queue: () => Promise<T>): Promise<T> => {
    session.startTransaction({ writeConcern: { w: 1 } });
    const queued = await async.withSession(session, queue);
    await processes.quiet();
    faults.oldSnapshots = true;
    faults.holdMajority();
    await session.commitTransaction();
    return queued;
  };
  /** Does something, and lets the majority have everything once the first command for it has been served. */
  const during = async <T>(act: () => Promise<T>): Promise<T> => {
    const isAsked = processes.strike(({ lsid }) => lsid !== undefined, undefined);
    const doing = Promise.allSettled([act()]);
    await isAsked;
    await firstValueFrom(nextTurn());
    faults.releaseMajority();
    const [done] = await doing;
    if (done.status === 'rejected') throw done.reason;
    return done.value;
  };
  return { async, faults, session, commit, during };
}

describe.skipIf(processes.faults === undefined)('what a session of the application commits with `w: 1` is there for', () => {
  it.each(ASKED)('%s', async (_what, ask, answer) => {
    const { async, session, commit, during } = await setup();
    const job = await commit(() => async.queueJob(add, 40, 2));
    expect(await during(() => ask(job, async))).toEqual(answer);
    await session.endSession();
  });

  it('one that asks after the session has ended', async () => {
    const { async, session, commit, during } = await setup();
    const job = await commit(() => async.queueJob(add, 40, 2));
    await session.endSession();
    expect(await during(() => job.waitForResult())).toBe(42);
  });

  it('one whose session is without causal consistency', async () => {
    const { async, session, commit, during } = await setup({ causalConsistency: false });
    const job = await commit(() => async.queueJob(add, 40, 2));
    expect(await during(() => job.waitForResult())).toBe(42);
    await session.endSession();
  });

  it('cancel', async () => {
    const { async, session, commit, during } = await setup();
    const job = await commit(() => async.queueJob(makeJob(add, 40, 2).with({ delayMs: 60_000 })));
    await during(() => job.cancel('not wanted'));
    expect(await job.waitForOutcome()).toEqual({ status: 'cancelled', reason: 'not wanted' });
    await session.endSession();
  });

  it('extendBatch', async () => {
    const { async, session, commit, during } = await setup();
    const batch = await commit(() => async.queueJob(serial(makeJob(add, 1, 2)).with({ delayMs: 60_000 })));
    await during(() => async.extendBatch(batch, makeJob(add, 3, 4), makeJob(add, 5, 6)));
    const steps = await async.getJobs({ task: add });
    expect(steps.length).toBe(3);
    await session.endSession();
  });
});

describe.skipIf(processes.faults === undefined)('what a session has not committed is told to be missing, without waiting', () => {
  it('when the commit was refused', async () => {
    const { async, faults, session } = await setup();
    session.startTransaction({ writeConcern: { w: 1 } });
    const job = await async.withSession(session, () => async.queueJob(add, 40, 2));
    await processes.client.db('admin').command({ killAllSessions: [] });
    await expect(session.commitTransaction()).rejects.toMatchObject({ codeName: 'NoSuchTransaction' });
    await expect(job.refresh()).rejects.toBeInstanceOf(JobNotFoundError);
    await expect(job.waitForResult()).rejects.toBeInstanceOf(JobNotFoundError);
    expect(faults.openConnections()).toBeGreaterThan(0);
    await session.endSession();
  });

  it('when it was rolled back with its primary', async () => {
    const { async, faults, session, commit } = await setup();
    const job = await commit(() => async.queueJob(add, 40, 2));
    faults.stepDown();
    await expect(job.waitForResult()).rejects.toBeInstanceOf(JobNotFoundError);
    await session.endSession();
  });

  it('have no other process wait for them when it reads', async () => {
    const { async, commit, during } = await setup();
    const other = await processes.start({ tasks, dispatcher: false });
    const job = await commit(() => async.queueJob(add, 40, 2));
    await during(() => job.refresh());
    const { commands } = await processes.costOf(() => other.async.getJobs({ task: add }));
    const asked = commands.filter(({ find, filter }) => find !== undefined && filter?.taskName !== undefined);
    expect(asked.map(({ readConcern }) => readConcern)).toEqual([{ level: 'majority' }]);
  });
});
