/** Jobs that were claimed but reached nobody: the command was not answered, or was executed when nobody waited for it any more. */

import { ObjectId } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { type Job, makeJob, task } from '../../../src/index.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { Processes } from './processes.js';

const processes = await Processes.forTests('lost-claims');
const POLL_MS = 30_000;
const LATER_MS = 86_400_000;

/** A process with a quota of one place, and how often its task was run. */
async function stage() {
  let runs = 0;
  const counts = task('counts', () => ++runs);
  const clock = new VirtualClock();
  const { async } = await processes.start({ tasks: [counts], clock });
  const advance = (ms: number): Promise<void> => clock.advance(ms, () => processes.quiet());
  await advance(0);
  return { async, counts, advance, runs: () => runs };
}

async function ownerNow(): Promise<string> {
  const [lease] = await processes.collection('dispatchers').find({ state: 'alive' }).toArray();
  return String(lease?._id);
}

/** Executes a command that comes too late for everybody. */
async function claimLate({ id }: Job<unknown>, claimed: object): Promise<void> {
  const late = { owner: await ownerNow(), token: 'late', ...claimed };
  await processes.collection('jobs').updateOne({ _id: new ObjectId(id) }, { $set: late, $unset: { dueAt: '', pendingSignal: '' } });
}

describe('a job that was claimed by a command which was done late', () => {
  it.each([
    ['to be run at once', { status: 'active', attempts: 1, startedAt: new Date(0) }],
    ['ahead', { status: 'assigned' }],
  ])('%s goes back with a round, and is run as if never claimed', async (_, claimed) => {
    const { async, counts, advance, runs } = await stage();
    const job = await async.queueJob(makeJob(counts).with({ delayMs: LATER_MS }));
    await claimLate(job, claimed);
    await advance(POLL_MS);
    await advance(1_000);
    await processes.until(async () => (await job.refresh()).status === 'completed');
    expect([job.attempts, runs()]).toEqual([1, 1]);
  });

  it('ends as cancelled where that was asked for', async () => {
    const { async, counts, advance, runs } = await stage();
    const job = await async.queueJob(makeJob(counts).with({ delayMs: LATER_MS }));
    await claimLate(job, { status: 'active', attempts: 1, startedAt: new Date(0), cancel: { reason: 'enough' } });
    await advance(POLL_MS);
    await processes.until(async () => (await job.refresh()).status === 'cancelled');
    expect(runs()).toBe(0);
  });
});

describe.skipIf(processes.faults === undefined)('a claim whose answer is lost', () => {
  it('is undone, so that its jobs are run soon after, and count one attempt', async () => {
    const { async, counts, advance, runs } = await stage();
    const isClaim = ({ update, updates }: { readonly [key: string]: unknown }): boolean =>
      String(update).endsWith('jobs') && JSON.stringify(updates).includes('"pending"');
    const struck = processes.strike(isClaim, 'lose answer');
    const job = await async.queueJob(counts);
    await struck;
    await advance(2_000);
    await processes.until(async () => (await job.refresh()).status === 'completed');
    expect([job.attempts, runs()]).toEqual([1, 1]);
  });
});
